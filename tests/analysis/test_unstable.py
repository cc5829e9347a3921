import dataclasses

import numpy as np
import pytest
from outcomes import with_record

from analysis.results.results import Results
from analysis.tables.notes import cost_notes

LEVELS = {"variant": "VLF"}


def notes(maker, samples):
    study = maker.study({"variant": ["VLF"]})
    outcome = maker.cost(LEVELS, 100_000, 60e6, 6.0)
    rounds = tuple(range(len(samples)))
    measurements = tuple(
        dataclasses.replace(one, samples=tuple(map(float, samples)), rounds=rounds)
        if one.metric == "latency"
        else one
        for one in outcome.record.measurements
    )
    results = Results(study, [with_record(outcome, measurements=measurements)], maker.root)
    return cost_notes(results, results.variants[0])


rng = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("samples", "unstable"),
    [
        (6 + 0.1 * rng.normal(size=40), False),
        (6 * np.exp(0.6 * rng.normal(size=40)), True),  # no two rounds alike
        (np.linspace(6.0, 6.2, 40), True),  # a drift: forty rounds say as much as one
    ],
)
def test_a_latency_whose_rounds_disagree_is_marked(maker, samples, unstable):
    found = notes(maker, samples)

    assert any(note.startswith("unstable: latency at batch 1") for note in found) == unstable
