"""Which accuracies a run scores on its test split: a matter of its data alone."""

import math
from collections.abc import Mapping, Sequence
from itertools import chain

from study.spec.study import Study
from vlf.config import DataConfig, nearest

TOP = (1, 5)


def accuracies_of(heads: Mapping[str, int]) -> list[str]:
    """Metrics of data with these heads (name -> classes), as "top1", "verb_top5".

    Beyond top1, k is below the number of classes: else every answer is right.
    """
    found = [f"top{k}" for k in TOP if k == 1 or math.prod(heads.values()) > k]
    for name, classes in heads.items() if len(heads) > 1 else ():
        found += [f"{name}_top{k}" for k in TOP if classes > k]
    return found


def check_claims_are_scored(
    study: Study, cells: Sequence[tuple[Mapping[str, str], DataConfig]]
) -> None:
    """Refuse claims about accuracies that the data of a compared cell does not allow.

    Args:
        study: The question.
        cells: Levels and data of each.

    Raises:
        StudyError: At the claim, which would stay without a verdict for ever.
    """
    scored = {id(levels): accuracies_of(data.heads) for levels, data in cells}
    everywhere = set.intersection(*map(set, scored.values()))
    for number, claim in enumerate(study.claims):
        if claim.kind != "accuracy" or claim.metric in everywhere:
            continue
        pairs = claim.pairs(levels for levels, _ in cells)
        compared = {id(levels) for levels in chain.from_iterable(pairs) if levels is not None}
        for levels, data in cells:
            known = scored[id(levels)]
            if id(levels) in compared and claim.metric not in known:
                hint = nearest(claim.metric, known)
                message = f"{data.name} ({data.classes} classes) is not scored by {claim.metric}"
                allowed = ", ".join(known)
                raise study.error(("claims", number), f"{message}{hint} (allowed: {allowed})")
