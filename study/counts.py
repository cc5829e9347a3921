"""What is known of a cell before it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CellCounts:
    """What is known of a cell before it runs.

    Attributes:
        parameters: Learnable values.
        macs: Multiply-accumulates of one clip's forward pass.
        notes: What the MACs leave out.
        modules: Of `--modules`: (name, class, parameters, MACs) of each, parents first.
    """

    parameters: int
    macs: float
    notes: tuple[str, ...] = ()
    modules: tuple[tuple[str, str, int, int], ...] = ()
