"""Reports of a race: intervals, claims, the figure, methods."""

import numpy as np
import pytest

from analysis.figures.race import draw_race
from analysis.figures.style import house_style
from analysis.findings.race import race_of
from analysis.prose.protocol import statistics
from analysis.results.results import Results
from analysis.stats.anytime import t_sequence
from analysis.tables.claims import claims_table
from analysis.tables.main import main_table
from study.spec.settings import Race

CLAIMS = ("top1[VLF] > top1[TSN]", "top1[VLF] > top1[TSM]", "wins[VLF over TSN] > 0.5")


@pytest.fixture
def results(maker):
    """TSN is far below VLF, TSM is as good; each cell has the seeds that the race gave it."""
    rng = np.random.default_rng(1)
    means = {"VLF": 80, "TSN": 40, "TSM": 79.9, "VTN": 50}
    study = maker.study(
        {"variant": list(means)},
        claims=CLAIMS,
        seeds=tuple(range(12)),
        race=Race.model_validate({"from": 3, "to": 12}),
    )
    outcomes = [
        maker.train({"variant": label}, seed, float(rng.normal(mean, 1)))
        for label, mean in means.items()
        for seed in range(12)
    ]
    counts = race_of(Results(study, outcomes, maker.root)).counts
    return Results(study, [one for one in outcomes if one.seed < counts[one.cell]], maker.root)


def test_the_report_follows_the_race_again_from_its_outcomes(results):
    race = race_of(results)

    assert not race.is_waiting
    first, second, _ = race.rounds[-1]
    assert (first.state, first.is_supported) == ("decided", True)
    assert second.state in ("futile", "open")
    assert race.counts["variant=VTN"] == 3
    assert race.counts["variant=TSN"] == 9  # wins: 9 of 9, 10 / 2^9, the second of three after Holm


def test_intervals_of_a_race_are_confidence_sequences(results):
    vlf, _, _, vtn = results.variants
    values = list(results.by_seed(vlf, "top1").values())
    low, high = t_sequence(values)
    found = results.accuracy(vlf)

    assert (found.low, found.high) == pytest.approx((low.max(), min(100.0, high.min())))
    assert results.accuracy(vtn).low is None  # three seeds have none
    (row,) = [row for row in main_table(results).rows if row[0].text == "VTN"]
    notes = [note for entry in row for note in entry.notes]
    assert "no interval: 3 seeds are too few for a confidence sequence" in notes
    tsn = results.variants[1]
    difference, p = results.differences[tsn.cell]
    d = np.array(list(results.by_seed(tsn, "top1").values())) - np.array(values[:9])
    assert difference.n == 9
    assert difference.low == pytest.approx(t_sequence(d)[0].max())
    assert p < 0.05


def test_the_claims_table_has_wins_and_says_what_was_futile(results):
    rows = {row[0].text: [entry.text for entry in row] for row in claims_table(results).rows}

    assert rows[CLAIMS[0]][1] == "supported"
    assert rows[CLAIMS[0]][5].startswith("9 of 9 (p 0.020")
    assert rows[CLAIMS[2]][2] == "9 of 9 runs won"
    text = rows[CLAIMS[1]][6]
    assert text.startswith(("futile (the last seed would decide it with", "about", "more than"))


def test_the_figure_has_a_panel_a_comparison_with_its_confidence_sequence(results):
    with house_style():
        drawing = draw_race(results)

    panels = [axes for axes in drawing.figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [
        "VLF \N{MINUS SIGN} TSN", "VLF \N{MINUS SIGN} TSM"
    ]  # fmt: skip
    (bars,) = panels[0].findobj(lambda one: one.get_gid() == "interval")
    segments = bars.get_segments()
    assert len(segments) == 6  # of 4 to 9 seeds
    tsn, vlf = (list(results.by_seed(results.variants[at], "top1").values()) for at in (1, 0))
    d = np.array(vlf[:9]) - np.array(tsn)
    low, high = t_sequence(d)
    assert segments[-1][:, 1] == pytest.approx([low.max(), high.min()])
    assert "supported" in [text.get_text() for text in panels[0].texts]


def test_a_study_without_a_race_has_no_such_figure(maker, seven_study):
    assert draw_race(Results(seven_study, [], maker.root)) is None


def test_methods_describe_the_race(results):
    text = " ".join(statistics(results).sentences)

    assert "Seeds were added in rounds: every cell got 3" in text
    assert "up to 12" in text
    assert "Student" not in text
    assert "valid at every number of seeds" in text
