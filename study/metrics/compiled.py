"""Models under torch.compile that show that they ran compiled: graphs and their calls are counted.

torch.compile runs a model as it is, without an error, where it cannot or will not compile: beyond
`torch._dynamo.config.recompile_limit` (8) versions of one piece of code, which all instances of a
class and all shapes share; in code that it is told to leave alone; where it is switched off.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from study.metrics.operators import run_operators

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
        options: Of inductor, such as {"freezing": True}; set for the whole process while it
            compiles, since dynamo looks at them there.

    Raises:
        RuntimeError: If nothing was compiled, or something is compiled at every call.
        Exception: Whatever the compiler raises for this model.
    """

    def __init__(
        self,
        model: nn.Module,
        call: Callable[[Callable[[Tensor], Any]], Any],
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.graphs: list[Graph] = []
        self._compiled = torch.compile(model, dynamic=False, backend=self._compile)
        with _without_limits(), _with(options or {}):
            self._settle(lambda: call(self._compiled))
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
        """Why some of the calls since the first ones were not compiled ones, or ""."""
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
        run = lookup_backend(BACKEND)(module, inputs)
        self.graphs.append(graph)

        def counted(*args: Any) -> Any:
            graph.calls += 1
            return run(*args)

        return counted

    def _graph_calls(self) -> int:
        return sum(graph.calls for graph in self.graphs)


def check_constant(model: nn.Module, call: Callable[[], Tensor]) -> None:
    """Call a compiled model with NaN in place of its weights; it is left as it is.

    Raises:
        RuntimeError: If that reaches the answer: then they are not constants of the compiled code.
    """
    held = [(tensor, tensor.data) for tensor in (*model.parameters(), *model.buffers())]
    try:
        for tensor, data in held:
            if tensor.is_floating_point():
                # A new tensor: compiled code may hold the old one.
                tensor.data = torch.full_like(data, torch.nan)
        answer = call()
    finally:
        for tensor, data in held:
            tensor.data = data
    if not torch.isfinite(answer).all():
        raise RuntimeError("not all weights were taken as constants")


def _without_limits() -> Any:
    import torch._dynamo.config as dynamo

    return dynamo.patch(recompile_limit=UNLIMITED, accumulated_recompile_limit=UNLIMITED)


def _with(options: Mapping[str, Any]) -> Any:
    import torch._inductor.config as inductor

    return inductor.patch(dict(options))


def _count_breaks() -> int:
    from torch._dynamo.utils import counters

    breaks: Mapping[str, int] = counters["graph_break"]
    return sum(breaks.values())
