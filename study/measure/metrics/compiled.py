"""Models under torch.compile that show that they ran compiled: graphs and their calls are counted.

torch.compile runs a model as it is, without an error, where it cannot or will not compile: beyond
`torch._dynamo.config.recompile_limit` (8) versions of one piece of code, which all instances of a
class and all shapes share; in code that it is told to leave alone; where it is switched off.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from study.measure.metrics.operators import run_operators

BACKEND = "inductor"
UNLIMITED = 2**30
MOST_SETTLING = 8  # calls; a model that still compiles then does so at every call


@dataclass
class Graph:
    """A compiled graph: how many operators it replaces, and how often it was called."""

    operators: int
    calls: int = 0


class CompiledModel:
    """A model under torch.compile for one shape, compiled by its first calls.

    Each graph is wrapped to count its calls, which takes about 0.1 microseconds a call.

    Args:
        model: In eval mode.
        call: Calls what it is given on the clip, as it will be called: under autocast or not.
        freezing: Whether the compiler takes the weights as constants.

    Raises:
        RuntimeError: If nothing was compiled, something is compiled at every call, or weights are
            still inputs of a graph in spite of `freezing`.
        Exception: Whatever the compiler raises for this model.
    """

    def __init__(
        self,
        model: nn.Module,
        call: Callable[[Callable[[Tensor], Any]], Any],
        freezing: bool = False,
    ) -> None:
        self.graphs: list[Graph] = []
        self._freezing = freezing
        self._inputs_left: list[int] = []  # of each graph of inductor: weights among its inputs
        self._weights = {id(one) for one in (*model.parameters(), *model.buffers())}
        self._compiled = torch.compile(model, dynamic=False, backend=self._compile)
        with _without_limits(), _freezing(freezing):
            self._settle(lambda: call(self._compiled))
        if freezing and (any(self._inputs_left) or not self._inputs_left):
            left = sum(self._inputs_left) or "the"
            raise RuntimeError(f"{left} weights were not taken as constants")
        self.operators = run_operators(lambda: call(model)).count
        before = [graph.calls for graph in self.graphs]
        call(self._compiled)
        after = [graph.calls for graph in self.graphs]
        ran = [(g, b - a) for g, a, b in zip(self.graphs, before, after, strict=False) if b > a]
        self.graphs_a_call = sum(times for _, times in ran)
        self.compiled_operators = sum(graph.operators * times for graph, times in ran)
        if not self.graphs_a_call:
            raise RuntimeError("nothing was compiled, the model runs as in eager mode")
        self.calls = 0  # from here on
        self._graphs_before, self._calls_before = len(self.graphs), self._graph_calls()

    def __call__(self, clip: Tensor) -> Any:
        """Call the compiled model."""
        self.calls += 1
        return self._compiled(clip)

    def notes(self) -> tuple[str, ...]:
        """A note on graph breaks, or none."""
        if not self._has_breaks and self.graphs_a_call == 1:
            return ()
        compiled = min(self.compiled_operators, self.operators)
        graphs = "1 graph" if self.graphs_a_call == 1 else f"{self.graphs_a_call} graphs"
        return (
            f"compiled in part: {graphs} a call with {compiled} of {self.operators} operators, "
            "the rest runs eagerly",
        )

    def why_not(self) -> str:
        """Reason why some calls after the first ones were not compiled, or ""."""
        if new := len(self.graphs) - self._graphs_before:
            return f"compiled again {new} times while it was timed"
        expected = self.calls * self.graphs_a_call
        if (ran := self._graph_calls() - self._calls_before) != expected:
            return f"compiled graphs ran {ran} times in {self.calls} calls, not {expected}"
        return ""

    def _settle(self, call: Callable[[], Any]) -> None:
        breaks = _count_breaks()
        for _ in range(MOST_SETTLING):
            before = len(self.graphs)
            call()
            if len(self.graphs) == before:
                break
        else:
            raise RuntimeError(f"compiled again at each of {MOST_SETTLING} calls")
        self._has_breaks = _count_breaks() > breaks

    def _compile(self, module: Any, inputs: list[Tensor]) -> Callable[..., Any]:
        from torch._dynamo import lookup_backend

        graph = Graph(run_operators(lambda: module(*inputs)).count)
        others = sum(id(one) not in self._weights for one in inputs)
        options = {"inner_compile": partial(self._compile_inner, others)} if self._freezing else {}
        run = lookup_backend(BACKEND)(module, inputs, **options)
        self.graphs.append(graph)

        def counted(*args: Any) -> Any:
            graph.calls += 1
            return run(*args)

        return counted

    def _compile_inner(self, others: int, graph: Any, inputs: Any, **options: Any) -> Any:
        """Inductor's last step, which sees the inputs that freezing has left."""
        from torch._inductor.compile_fx import compile_fx_inner

        self._inputs_left.append(max(0, len(inputs) - others))
        return compile_fx_inner(graph, inputs, **options)

    def _graph_calls(self) -> int:
        return sum(graph.calls for graph in self.graphs)


def _without_limits() -> Any:
    import torch._dynamo.config as dynamo

    return dynamo.patch(recompile_limit=UNLIMITED, accumulated_recompile_limit=UNLIMITED)


def _freezing(wanted: bool) -> Any:
    # Dynamo looks at it, too, so that it is no option of one compilation.
    import torch._inductor.config as inductor

    return inductor.patch(freezing=wanted)


def _count_breaks() -> int:
    from torch._dynamo.utils import counters

    breaks: Mapping[str, int] = counters["graph_break"]
    return sum(breaks.values())
