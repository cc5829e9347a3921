"""Multiply-accumulates of one forward pass, by part, without running it.

One MAC is a multiplication and an addition, that is two FLOPs. PyTorch's counter says FLOPs, so its
counts are halved here; this file and its unit say MAC throughout.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from study.measure.metrics.operators import is_free
from study.measure.metrics.parameters import count_parameters
from study.measure.metrics.subject import (
    Conditions,
    Counts,
    ModuleCount,
    Reading,
    Subject,
    measure_parts,
    named_tensors,
    parts_of,
)


def measure_macs(subject: Subject) -> Reading:
    """Multiply-accumulates of one clip (batch 1, one view), in total and by part, unit "MAC".

    In it: convolutions, matrix products, attention. Not in it: normalisation, activations, softmax,
    pooling, biases, additions of residuals, anything that only moves data. Counted a second time,
    independently, by `measure_second_count`.
    """
    macs, notes = count_macs(subject.model, subject.clip.shape)
    conditions: Conditions = {"clip": subject.clip_label, "views": 1}
    return Reading(measure_parts("macs", macs, conditions), notes)


def count(model: nn.Module, clip_shape: Sequence[int]) -> Counts:
    """Parameters and MACs of a model, on meta or not, for clips of (T, 3, H, W); for the plan.

    Raises:
        Exception: Whatever the model raises when it cannot take such a clip.
    """
    macs, notes = count_macs(model, (1, *clip_shape))
    return Counts(count_parameters(model), macs, notes)


def count_modules(model: nn.Module, clip_shape: Sequence[int], depth: int) -> list[ModuleCount]:
    """Every module of a model down to `depth` levels of names, parents before their children.

    What a module does beside its children, such as the products of attention, is in its own row
    and in none of theirs. A module that is called nowhere, as a list of blocks, is their sum.

    Raises:
        Exception: As for `count`.
    """
    tally, _ = _count(model, (1, *clip_shape))
    return [
        ModuleCount(
            name,
            type(module).__name__,
            sum(p.numel() for p in module.parameters() if p.requires_grad),
            tally.of(name, module),
        )
        for name, module in model.named_modules()
        if name and name.count(".") < depth
    ]


def count_macs(model: nn.Module, shape: Sequence[int]) -> tuple[dict[str, int], tuple[str, ...]]:
    """MACs by part for a batch of clips (B, T, 3, H, W), and notes on what they leave out.

    Weights and clip are traced on the meta device, where fused attention falls apart into its
    matrix products: on real CPU tensors the same counter takes it for 0. A model that cannot be
    traced there (its course depends on values) is counted on its own tensors with the math backend.
    The model is left in eval mode.
    """
    tally, notes = _count(model, shape)
    return tally.by_part(model), notes


def _count(model: nn.Module, shape: Sequence[int]) -> tuple["_Tally", tuple[str, ...]]:
    model.eval()
    # Detached: the counter hooks the gradients of what a module is called with, and under no_grad
    # fails for one that is called with a parameter.
    tensors = named_tensors(model)
    on_meta = {name: tensor.to("meta") for name, tensor in tensors.items()}
    try:
        tally = _run(model, on_meta, torch.empty(tuple(shape), device="meta"))
    except (RuntimeError, NotImplementedError, TypeError) as error:
        device = next((tensor.device for tensor in tensors.values()), torch.device("cpu"))
        if device.type == "meta":
            raise
        with sdpa_kernel(SDPBackend.MATH):
            tally = _run(model, tensors, torch.randn(tuple(shape), device=device))
        why = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        note = f"MACs counted on real tensors, the meta device refused ({why})"
        return tally, (note, *tally.notes())
    return tally, tally.notes()


def _run(model: nn.Module, tensors: dict[str, Tensor], clip: Tensor) -> "_Tally":
    counter = FlopCounterMode(display=False, custom_mapping=_EXTRA_FORMULAS)
    tally = _Tally(counter)
    # The tally is outside the counter: it sees what is left after the counter has decomposed.
    with without_fast_path(), torch.no_grad(), tally, counter:
        functional_call(model, tensors, (clip,))
    tally.read(model)
    return tally


@contextlib.contextmanager
def without_fast_path() -> Iterator[None]:
    """Switch off the one fused operator for a whole encoder layer: no counter has its formula."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator that runs, and keeps the names of those that nobody counts."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counter = counter
        self.uncounted: Counter[str] = Counter()
        self.macs: dict[str, int] = {}  # module -> MACs; "" is all; absent is never called

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func._overloadpacket not in self.counter.flop_registry and not is_free(func):
            self.uncounted[func._overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))

    def read(self, model: nn.Module) -> None:
        """Take over what the counter has found; it names modules by the class of the model."""
        root = f"{type(model).__name__}."
        for name, counts in self.counter.get_flop_counts().items():
            module = "" if name == "Global" else name.removeprefix(root)
            self.macs[module] = sum(counts.values()) // 2

    def of(self, name: str, module: nn.Module) -> int:
        """MACs of a module by its dotted name."""
        if name in self.macs:
            return self.macs[name]
        return sum(self.of(f"{name}.{child}", one) for child, one in module.named_children())

    def by_part(self, model: nn.Module) -> dict[str, int]:
        """Part -> MACs; "other" is what ran outside the parts, left out where nothing did."""
        parts = {part: self.macs.get(part, 0) for part in parts_of(model)}
        other = self.macs.get("", 0) - sum(parts.values())
        return {**parts, "other": other} if other or not parts else parts

    def notes(self) -> tuple[str, ...]:
        """One note that names what has no formula, or none."""
        if not self.uncounted:
            return ()
        names = ", ".join(f"{name} ({calls}x)" for name, calls in sorted(self.uncounted.items()))
        return (f"MACs leave out operators without a formula: {names}",)


_EXTRA_FORMULAS: dict[Any, Any] = {  # by shapes; those which PyTorch's table lacks
    torch.ops.aten.mv: lambda a, b, **_: 2 * prod(a),
    torch.ops.aten.dot: lambda a, b, **_: 2 * prod(a),
    torch.ops.aten.addmv: lambda y, a, b, **_: 2 * prod(a),
    torch.ops.aten.addmv_: lambda y, a, b, **_: 2 * prod(a),
    torch.ops.aten.addmm_: lambda y, a, b, **_: 2 * prod(a) * b[-1],
    torch.ops.aten.baddbmm_: lambda y, a, b, **_: 2 * prod(a) * b[-1],
}
