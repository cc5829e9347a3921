"""Facts about a cell before it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FrozenCounts:
    """The backbone of a run that freezes it (`train.freeze: f`).

    Attributes:
        parameters: Values that are not trained.
        macs: Multiply-accumulates of one clip in it, which no step goes back through.
        values: That it gives for a clip, and that are kept where features are.
    """

    parameters: int
    macs: float
    values: int


@dataclass(frozen=True)
class CellCounts:
    """Facts about a cell before it runs.

    Attributes:
        parameters: Learnable values.
        macs: Multiply-accumulates of one clip's forward pass.
        notes: What the MACs leave out.
        data: What is known of the data, such as clips that two splits share.
        missing: Which of the data is not on this machine; "" where all is.
        modules: Of `--modules`: (name, class, parameters, MACs) of each, parents first.
        frozen: What of it is not trained; None where all is, or only some stages are not.
    """

    parameters: int
    macs: float
    notes: tuple[str, ...] = ()
    modules: tuple[tuple[str, str, int, int], ...] = ()
    frozen: FrozenCounts | None = None
    data: tuple[str, ...] = ()
    missing: str = ""
