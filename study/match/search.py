"""Valid values of a whole-number field of a model, and the value nearest to a target cost."""

import contextlib
from collections.abc import Callable, Mapping, Sequence

from study.spec.errors import InvalidError, validate
from vlf.config import ModelConfig

MOST_COUNTED = 256  # values, of a field with which the cost neither rises nor falls


def whole_fields(model: ModelConfig) -> list[str]:
    """Fields of an architecture that hold a whole number now."""
    values = {name: getattr(model, name) for name in type(model).model_fields}
    return [n for n, v in values.items() if isinstance(v, int) and not isinstance(v, bool)]


def with_field(model: ModelConfig, field: str, value: int) -> ModelConfig:
    """The model with another value of a field.

    Raises:
        InvalidError: If it cannot have it.
    """
    return validate(type(model), {**model.model_dump(), field: value})


def valid_values(
    model: ModelConfig, field: str, low: int | None = None, high: int | None = None
) -> list[int]:
    """Values that the model's config allows for a field, the others being what they are; ascending.

    Args:
        model: What is scaled.
        field: Holds a whole number.
        low: Smallest value; None takes the config's own bound.
        high: Largest, alike.

    Raises:
        ValueError: If a bound is missing, or there is no value.
    """
    own: dict[str, int] = {}
    for rule in type(model).model_fields[field].metadata:
        own |= {name: getattr(rule, name) for name in ("ge", "le") if hasattr(rule, name)}
    low = own.get("ge") if low is None else low
    high = own.get("le") if high is None else high
    if low is None or high is None:
        missing = "min" if low is None else "max"
        raise ValueError(f"has no bound of its own; write {{key: model.{field}, {missing}: ...}}")
    found = []
    for value in range(low, high + 1):
        with contextlib.suppress(InvalidError):
            with_field(model, field, value)
            found.append(value)
    if not found:
        raise ValueError(f"no value from {low} to {high} is valid")
    return found


def nearest_value(
    values: Sequence[int], cost: Callable[[int], float | None], target: float
) -> tuple[int, dict[int, float]]:
    """The value whose cost is nearest to a target, the smaller of equals; and costs by value.

    By bisection, which takes the cost to rise or to fall with the value; where the costs that it
    meets do neither, every value is counted.

    Args:
        values: Ascending, at least one.
        cost: None for a value that cannot be built.
        target: Above 0.

    Raises:
        ValueError: If no value can be built, or the cost neither rises nor falls over more than
            `MOST_COUNTED` values.
    """
    left, found = list(values), {}
    for end in (0, -1):
        while left and (known := cost(left[end])) is None:
            del left[end]
        if not left:
            raise ValueError("no value of it can be built")
        found[left[end]] = cost(left[end]) or 0.0
    is_rising = found[left[-1]] >= found[left[0]]
    low, high = 0, len(left) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if (known := cost(left[middle])) is None:
            del left[middle]
            high -= 1
            continue
        found[left[middle]] = known
        low, high = (middle, high) if (known < target) == is_rising else (low, middle)
    costs = [found[value] for value in sorted(found)]
    if costs not in (sorted(costs), sorted(costs, reverse=True)):
        if len(left) > MOST_COUNTED:
            raise ValueError("the cost neither rises nor falls with it; say min and max")
        counted = {value: cost(value) for value in left}
        found = {value: known for value, known in counted.items() if known is not None}
    return min(found, key=lambda value: (abs(found[value] / target - 1), value)), found


def around(costs: Mapping[int, float], target: float) -> list[int]:
    """The values with the next smaller and next larger cost; the two nearest beyond the ends."""
    ordered = sorted(costs, key=lambda value: (costs[value], value))
    below = sum(cost < target for cost in costs.values())
    start = max(0, min(below - 1, len(ordered) - 2))
    return ordered[start : start + 2]
