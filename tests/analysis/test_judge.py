import math
from datetime import UTC, datetime

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from analysis.findings.verdicts import judge, verdict_words
from analysis.report.report import look_at_claims
from analysis.results.ledger import Ledger
from analysis.results.results import Results
from analysis.tables.claims import claims_table, deciding_words
from study.records.record import Outcome

BEFORE = datetime(2025, 12, 31, tzinfo=UTC)  # of the records' 2026-01-02
AFTER = datetime(2026, 2, 1, tzinfo=UTC)
HIGH = (80.0, 81.5, 82.0, 80.5, 81.0, 80.2, 81.7, 80.9)
LOW = (60.0, 61.0, 63.0, 62.0, 61.5, 60.7, 62.4, 61.1)
CLOSE = (82.0, 79.0, 80.0, 83.0, 81.0, 80.0, 82.0, 80.5)
SEEDS = tuple(range(8))


def anytime_p(differences):
    """1 over the largest e-value on the side of the mean, by the formula in docs/statistics.md."""
    phi, largest = 0.3, 1.0
    mean = np.mean(differences)
    for n in range(2, len(differences) + 1):
        d = np.asarray(differences[:n])
        total, squares = d.sum(), (d * d).sum()
        e = math.sqrt(phi / (n + phi)) * (squares / (squares - total**2 / (n + phi))) ** (n / 2)
        if np.sign(total) == np.sign(mean):
            largest = max(largest, e)
    return 1 / largest


def minus(ours, theirs):
    return [one - other for one, other in zip(ours, theirs, strict=True)]


def results_of(maker, claims, runs, costs=(), ledger=None):
    study = maker.study({"variant": list(runs)}, claims=claims, seeds=SEEDS)
    outcomes = maker.runs(runs)
    outcomes += [maker.cost({"variant": label}, *cost) for label, cost in costs]
    ledger = Ledger() if ledger is None else ledger
    ledger.register(study, BEFORE)
    return Results(study, outcomes, maker.root, ledger=ledger)


def words(results):
    return [one.word for one in judge(results).verdicts]


def test_what_the_data_say_for_against_and_not_at_all(maker):
    claims = ("top1[VLF] > top1[TSN]", "top1[TSN] > top1[VLF]", "top1[VLF] > top1[TSM]")
    runs = {"VLF": HIGH, "TSN": LOW, "TSM": CLOSE}

    assert words(results_of(maker, claims, runs)) == ["supported", "contradicted", "undecided"]


def test_p_is_one_over_the_largest_e_value_after_holm_over_all_claims(maker):
    claims = ("top1[VLF] > top1[TSN]", "top1[VLF] > top1[TSM]", "top1[VLF] > 79")
    runs = {"VLF": HIGH, "TSN": LOW, "TSM": CLOSE}

    found = judge(results_of(maker, claims, runs)).verdicts

    truth = [
        anytime_p(minus(HIGH, LOW)),
        anytime_p(minus(HIGH, CLOSE)),
        anytime_p([one - 79 for one in HIGH]),
    ]
    assert [one.p for one in found] == pytest.approx(truth)
    corrected = multipletests(truth, method="holm")[1]
    assert [one.p_holm for one in found] == pytest.approx(corrected)


def test_a_factor_is_part_of_the_difference(maker):
    # 0.7 * 80 = 56 and so on: VLF is above 0.7 times itself, TSN's 61.5 is above 0.7 * 81 = 56.7.
    (found,) = judge(
        results_of(maker, ("top1[TSN] > 0.7 * top1[VLF]",), {"VLF": HIGH, "TSN": LOW})
    ).verdicts

    d = [ours - 0.7 * theirs for ours, theirs in zip(LOW, HIGH, strict=True)]
    assert found.comparisons[0].evidence.value == pytest.approx(np.mean(d))
    assert found.p == pytest.approx(anytime_p(d))


def test_no_worse_within_a_margin_can_be_supported_where_better_cannot(maker):
    close = (80.4, 80.9, 81.1, 80.9, 80.6, 80.8, 81.2, 80.7)
    claims = ("top1[no g] > top1[VLF]", "top1[no g] >= top1[VLF] within 3")

    assert words(results_of(maker, claims, {"VLF": HIGH, "no g": close})) == [
        "undecided",
        "supported",
    ]


def test_a_claim_that_fails_in_one_cell_is_contradicted_and_one_that_holds_in_all_supported(maker):
    factors = {"variant": ["VLF", "TSN"], "data.frames": [4, 8]}
    study = maker.study(factors, claims=("top1[VLF] > top1[TSN]", "top1[VLF] > 30"), seeds=SEEDS)
    values = {("VLF", 4): HIGH, ("TSN", 4): LOW, ("VLF", 8): LOW, ("TSN", 8): HIGH}
    outcomes = [
        maker.train({"variant": label, "data.frames": str(frames)}, seed, top1)
        for (label, frames), tops in values.items()
        for seed, top1 in enumerate(tops)
    ]

    first, second = judge(Results(study, outcomes, maker.root)).verdicts

    assert (first.word, second.word) == ("contradicted", "supported")
    assert first.p == pytest.approx(2 * anytime_p(minus(HIGH, LOW)))
    assert second.p == pytest.approx(anytime_p([one - 30 for one in LOW]))


def test_timings_are_compared_by_the_rounds_of_one_run(maker):
    claims = ("latency[TSN] < 0.6 * latency[VLF]", "latency[TSN] < 0.4 * latency[VLF]")
    costs = [("VLF", (10, 1e6, 4.0)), ("TSN", (10, 1e6, 2.0))]
    results = results_of(maker, claims, {"VLF": (80.0,), "TSN": (60.0,)}, costs)

    fast, too_fast = judge(results).verdicts

    assert (fast.word, too_fast.word) == ("supported", "contradicted")
    assert fast.p == pytest.approx(41 / 2**40)  # all of 40 rounds are below: B(41, 1) = 1 / 41
    assert fast.comparisons[0].evidence.value == pytest.approx(0.5, rel=0.02)


def test_timings_of_two_runs_are_not_compared(maker):
    study = maker.study({"variant": ["VLF", "TSN"]}, claims=("latency[TSN] < latency[VLF]",))
    outcomes = [
        maker.cost({"variant": "VLF"}, 10, 1e6, 4.0, run="run-1"),
        maker.cost({"variant": "TSN"}, 10, 1e6, 2.0, run="run-2"),
    ]

    (found,) = judge(Results(study, outcomes, maker.root)).verdicts

    assert (found.word, found.reason) == ("undecided", "not timed in one run")


def test_a_timing_beside_its_baseline_is_compared_with_the_baseline_of_its_own_run(maker):
    study = maker.study({"variant": ["VLF", "TSN"]}, claims=("latency[TSN] < latency[VLF]",))
    other = maker.cost({"variant": "VLF"}, 10, 1e6, 4.0, run="run-1")
    beside = maker.cost({"variant": "VLF"}, 10, 1e6, 1.0, run="run-2").record
    tsn = maker.cost({"variant": "TSN"}, 10, 1e6, 2.0, run="run-2")
    tsn = Outcome(**{**tsn.__dict__, "reference": beside})

    (found,) = judge(Results(study, [other, tsn], maker.root)).verdicts

    assert found.word == "contradicted"
    assert found.comparisons[0].evidence.value == pytest.approx(2.0, rel=0.02)


def test_counts_are_compared_exactly_and_take_no_part_in_the_correction(maker):
    claims = (
        "macs[VLF] < 1.5 * macs[TSN]",
        "macs[VLF] <= 2 * macs[TSN]",
        "macs[VLF] < 2 * macs[TSN]",
        "parameters[VLF] == parameters[TSN]",
        "top1[VLF] > top1[TSN]",
    )
    costs = [("VLF", (10, 2e6, 4.0)), ("TSN", (10, 1e6, 2.0))]
    results = results_of(maker, claims, {"VLF": HIGH, "TSN": LOW}, costs)

    found = judge(results)

    assert [one.word for one in found.verdicts] == [
        "contradicted",
        "supported",
        "contradicted",
        "supported",
        "supported",
    ]
    assert found.family == 1
    assert found.verdicts[-1].p == found.verdicts[-1].p_holm


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ({"VLF": (80.0,), "TSN": (60.0,)}, "one seed: no interval"),
        ({"VLF": (80.0, 81.0), "TSN": (60.0, 61.0)}, "equal in all seeds: no spread"),
        ({"VLF": (80.0, 81.0), "TSN": ()}, "no seed"),
    ],
)
def test_what_cannot_be_tested_is_undecided_and_says_why(maker, runs, reason):
    results = results_of(maker, ("top1[VLF] > top1[TSN]",), runs)
    if not runs["TSN"]:
        failed = maker.train({"variant": "TSN"}, 0, 0, status="failed", reason="killed")
        results = Results(results.study, [*results.outcomes, failed], maker.root)

    judgement = judge(results)

    assert (judgement.verdicts[0].word, judgement.verdicts[0].reason) == ("undecided", reason)
    assert judgement.data == ""  # nothing was looked at
    assert deciding_words(judgement.verdicts[0], judgement) == reason


def test_a_study_that_is_half_run_is_not_looked_at(maker):
    results = results_of(maker, ("top1[VLF] > top1[TSN]",), {"VLF": HIGH, "TSN": LOW[:7]})
    missing = Outcome("train", "variant=TSN", {"variant": "TSN"}, {}, 7, "not run", "interrupted")

    judgement = judge(Results(results.study, [*results.outcomes, missing], maker.root))

    assert judgement.verdicts[0].reason == "waits for 1 of 16 jobs"
    assert judgement.data == ""


def test_a_claim_is_decided_below_five_percent_at_every_look(maker):
    claims, ledger = ("top1[VLF] > top1[TSN]",), Ledger()
    for seeds in (4, 6, 8):
        runs = {"VLF": HIGH[:seeds], "TSN": LOW[:seeds]}
        judgement = judge(results_of(maker, claims, runs, ledger=ledger))
        (found,) = judgement.verdicts
        assert found.p == pytest.approx(anytime_p(minus(HIGH, LOW)[:seeds]))
        assert (found.word == "supported") == (found.p < 0.05)
        ledger.add(judgement.data, verdict_words(judgement), AFTER)
    assert len(ledger.looks) == 3


def test_making_the_report_again_is_no_new_look_and_more_seeds_are(maker, tmp_path):
    claims, folder = ("top1[VLF] > top1[TSN]",), tmp_path / "report"
    seven = results_of(maker, claims, {"VLF": HIGH[:7], "TSN": LOW[:7]})
    eight = results_of(maker, claims, {"VLF": HIGH, "TSN": LOW})

    looks = [
        look_at_claims(one.study, one.outcomes, folder, maker.root)[1].look
        for one in (seven, seven, eight)
    ]

    assert looks == [1, 1, 2]


def test_claims_of_equal_cells_are_decided_in_few_studies(maker):
    rng = np.random.default_rng(9)
    wrong, trials = 0, 150
    claims = ("top1[VLF] > top1[TSN]", "top1[VLF] > top1[TSM]", "top1[TSN] > top1[TSM]")
    for _ in range(trials):
        runs = {label: rng.normal(60, 2, 8) for label in ("VLF", "TSN", "TSM")}
        outcomes = [
            Outcome("train", f"variant={v}", {"variant": v}, {}, s, "done", "", record(maker, v, x))
            for v, values in runs.items()
            for s, x in enumerate(values)
        ]
        study = maker.study({"variant": list(runs)}, claims=claims, seeds=SEEDS)
        wrong += any(w != "undecided" for w in words(Results(study, outcomes, maker.root)))
    assert wrong / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def record(maker, label, top1):
    return maker._record("train", {"variant": label}, 0, maker._accuracy(top1))


def test_a_claim_added_after_the_first_result_says_so(maker):
    ledger = Ledger()
    results_of(maker, ("top1[VLF] > top1[TSN]",), {"VLF": HIGH, "TSN": LOW}, ledger=ledger)
    claims = ("top1[VLF] > top1[TSN]", "top1[VLF] > 70")
    study = maker.study({"variant": ["VLF", "TSN"]}, claims=claims)
    ledger.register(study, AFTER)
    results = Results(study, maker.runs({"VLF": HIGH, "TSN": LOW}), maker.root, ledger=ledger)

    before, after = judge(results).verdicts

    assert (before.known, after.known, after.known_own) == (0, 16, 8)
    table = claims_table(results)
    assert [row[-1].text for row in table.rows] == [
        "before the first result",
        "after the first result",
    ]
    (note,) = table.footnotes
    assert note == (
        "written after the first result: on 2026-02-01, when 16 records of the study were there, "
        "8 of them of the cells that it names"
    )


def test_a_claim_that_was_judged_and_taken_out_still_counts(maker):
    ledger = Ledger()
    two = ("top1[VLF] > top1[TSN]", "top1[TSN] > 70")
    first = judge(results_of(maker, two, {"VLF": HIGH, "TSN": LOW}, ledger=ledger))
    ledger.add(first.data, verdict_words(first), AFTER)

    results = results_of(maker, two[:1], {"VLF": HIGH, "TSN": LOW}, ledger=ledger)
    found = judge(results)

    assert found.family == 2
    assert found.verdicts[0].p_holm == pytest.approx(2 * found.verdicts[0].p)
    assert found.look == 2  # another set of claims is another look
    assert any("Withdrawn: top1[TSN] > 70" in one for one in claims_table(results).remarks)


def test_the_table_says_how_many_seeds_would_decide(maker):
    tsn = (79.0, 80.0, 83.0, 76.0)
    runs = {"VLF": (80.0, 84.0, 82.0, 78.0), "TSN": tsn}
    results = results_of(maker, ("top1[VLF] > top1[TSN]",), runs)

    (row,) = claims_table(results).rows

    # d = 1, 4, -1, 2: mean 1.5, deviation 2.0817. With n = 4, r = 0.3 / 4.3 and
    # K = (1 / (r * 0.05^2))^(1/4) the half width is 2.0817 * sqrt(3/4 * (K - 1) / (1 - K r)),
    # 7.98. The e-value is largest after two seeds, sqrt(0.3 / 2.3) * 17 / (17 - 25 / 2.3) = 1.002.
    # Two wins of the first two: B(3, 1) * 2^2 = 4 / 3. At n = 34 the half width and 0.84 / sqrt(37)
    # deviations fall below 1.5 / 2.0817 = 0.7206.
    assert [entry.text for entry in row[1:7]] == [
        "undecided",
        "+1.5 [\N{MINUS SIGN}6.5, +9.5] points",
        "0.998",
        "4 seeds",
        "3 of 4 (p 0.750)",
        "about 37 seeds (33 more): supported",
    ]


@pytest.mark.parametrize(
    ("claim", "ends"), [("top1[VLF] > 2 * top1[TSN]", (-200, 100)), ("top1[VLF] > 20", (-20, 80))]
)
def test_the_interval_of_a_claim_ends_at_what_is_possible(maker, claim, ends):
    runs = {"VLF": (1.0, 99.0, 2.0, 98.0), "TSN": (90.0, 5.0, 95.0, 0.0)}

    evidence = judge(results_of(maker, (claim,), runs)).verdicts[0].comparisons[0].evidence

    assert (evidence.low, evidence.high) == ends


def test_a_claim_about_wins_counts_signs_alone(maker):
    claims = ("wins[VLF over TSN] > 0.5", "wins[TSN over VLF] > 0.5", "wins[VLF over TSM] > 0.5")
    far = (10.0, *CLOSE[1:])  # one run is far behind: no claim about wins hangs on how far

    found = judge(results_of(maker, claims, {"VLF": HIGH, "TSN": LOW, "TSM": far})).verdicts

    # 8 wins of 8: B(9, 1) * 2^8 = 256 / 9; after Holm over three claims 27 / 256 is not enough
    assert found[0].p == pytest.approx(9 / 256)
    assert [one.word for one in found] == ["undecided", "undecided", "undecided"]
    (alone,) = judge(results_of(maker, claims[:1], {"VLF": HIGH, "TSN": LOW})).verdicts
    assert alone.word == "supported"


def test_a_claim_that_hangs_on_stuck_runs_is_not_decided(maker):
    stuck = (79.0, 79.5, 25.0, 80.1, 79.3, 78.8, 79.9, 79.2)
    claims = ("top1[VLF] > top1[TSN]", "top1[VLF] > top1[TSM]")
    runs = {"VLF": HIGH, "TSN": LOW, "TSM": stuck}

    near, far = judge(results_of(maker, claims, {**runs, "TSN": [x + 18 for x in LOW]})).verdicts

    # TSM lost 54 points once in 8 runs. TSN, 1.8 points below VLF in each of 8 runs, has shown no
    # such run, but up to 44 % of them could be (1 - 0.01^(1/8)), which would move it by 24 points.
    assert (near.word, far.word) == ("undecided", "undecided")
    assert near.reason.startswith("1 of 8 runs got stuck, 54 points below or above the others")
    lower = {**runs, "TSN": [x - 10 for x in LOW]}
    (clear, _) = judge(results_of(maker, claims, lower)).verdicts
    assert clear.word == "supported"  # 29 points are more than that


def test_a_study_without_claims_has_no_table_of_them(maker, seven_study):
    assert claims_table(Results(seven_study, [], maker.root)) is None
