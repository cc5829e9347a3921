"""The check that scores, features and weights pass before anything is computed from them."""

from torch import Tensor, nn


class DivergedError(RuntimeError):
    """A loss, score, feature or weight of a run is NaN or infinite."""


def require_finite(values: Tensor, what: str, where: str = "") -> None:
    """Refuse values of which one is NaN or infinite.

    Args:
        values: Any shape.
        what: Their name in the plural: "test scores".
        where: Appended: " (2 of 20 clips)".

    Raises:
        DivergedError: As "diverged: NaN in 20 of 200 test scores (2 of 20 clips)".
    """
    count = int((~values.isfinite()).sum())
    if count:
        kind = "NaN" if bool(values.isnan().any()) else "infinity"
        raise DivergedError(f"diverged: {kind} in {count:,} of {values.numel():,} {what}{where}")


def broken_weights(model: nn.Module) -> str:
    """Describe the NaN and infinite weights: "NaN in 8 weights (head.bias)"; "" without any.

    Running statistics count as weights: BatchNorm's variance can overflow while training, which
    uses the statistics of the batch, stays finite, and then turns an evaluation into constants.
    """
    state = model.state_dict().items()
    broken = {name: values for name, values in state if not bool(values.isfinite().all())}
    if not broken:
        return ""
    kind = "NaN" if any(bool(values.isnan().any()) for values in broken.values()) else "infinity"
    count = sum(int((~values.isfinite()).sum()) for values in broken.values())
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    return f"{kind} in {count:,} weights ({next(iter(broken))}{more})"
