"""Decisions of races, from made runs."""

import numpy as np
import pytest

from study.spec.claims import Named
from study.spec.race import MISSING, Run, race_lines, run_race
from study.spec.study import StudyError, load_study

CELLS = ("A", "B", "C", "D")
CLAIMS = "claims: ['top1[A] > top1[B]', 'top1[A] > top1[C]']"


def study_of(tmp_path, seeds="{from: 3, to: 20}", claims=CLAIMS):
    levels = ", ".join(f"{name}: {{train.lr: {at + 1}.0e-3}}" for at, name in enumerate(CELLS))
    path = tmp_path / "race.yaml"
    path.write_text(
        f"question: q\nfactors: {{v: {{{levels}}}}}\nseeds: {seeds}\n{claims}\n", "utf-8"
    )
    return load_study(path)


def values_of(means, noise=1.0, seed=0):
    """Cell -> accuracy by seed."""
    rng = np.random.default_rng(seed)
    return {f"v={name}": mean + noise * rng.normal(size=40) for name, mean in means.items()}


def look_at(values, seconds=36.0):
    return lambda cell, seed: Run("done", {"top1": float(values[cell][seed])}, seconds)


def race(study, look):
    return run_race(study, [Named(f"v={name}", {"v": name}) for name in CELLS], look)


def states(found):
    return [one.state for one in found.rounds[-1]]


def test_decided_cells_and_those_without_a_claim_get_no_more_seeds(tmp_path):
    values = values_of({"A": 60, "B": 40, "C": 58.4, "D": 10}, seed=1)

    found = race(study_of(tmp_path), look_at(values))

    assert states(found) == ["decided", "decided"]
    assert [one.is_supported for one in found.rounds[-1]] == [True, True]
    counts = [found.counts[f"v={name}"] for name in CELLS]
    assert counts[3] == 3
    assert counts[0] == counts[2] > counts[1] >= 4  # A and C go on after B is decided
    assert not found.is_waiting
    assert len(found.rounds) == counts[0] - 3 + 1


def test_a_claim_is_decided_at_the_first_round_where_its_corrected_p_is_below_five_percent(
    tmp_path,
):
    values = values_of({"A": 60, "B": 57, "C": 56, "D": 10})

    found = race(study_of(tmp_path), look_at(values))

    for at in (0, 1):
        p = [one[at].p for one in found.rounds]
        first = next(number for number, one in enumerate(p) if one < 0.05)
        states = [one[at].state for one in found.rounds]
        assert states[:first] == ["open"] * first
        assert set(states[first:]) == {"decided"}


def test_the_decisions_are_the_same_however_a_race_was_interrupted(tmp_path):
    study, values = study_of(tmp_path), values_of({"A": 60, "B": 58, "C": 59, "D": 10}, seed=3)
    whole = race(study, look_at(values))
    rng, ended = np.random.default_rng(1), set()
    for _ in range(200):

        def look(cell, seed, known=frozenset(ended)):
            return look_at(values)(cell, seed) if (cell, seed) in known else MISSING

        found = race(study, look)
        assert found.rounds == whole.rounds[: len(found.rounds)]
        if not found.is_waiting:
            break
        missing = [
            (cell, seed)
            for cell, count in found.counts.items()
            for seed in range(count)
            if (cell, seed) not in ended
        ]
        rng.shuffle(missing)
        ended |= {tuple(one) for one in missing[: rng.integers(1, 3)]}
        ended = {(str(cell), int(seed)) for cell, seed in ended}
    assert found.counts == whole.counts
    assert found.rounds == whole.rounds
    assert len(ended) == sum(whole.counts.values())  # no run more


def test_a_round_adds_one_seed_to_a_cell_however_many_claims_name_it(tmp_path):
    claims = 'claims: ["top1[A] > top1[B]", "wins[A over B] > 0.5", "top1[A] > top1[C]"]'
    values = values_of({"A": 60, "B": 59, "C": 59, "D": 10})
    seeds = "{from: 3, to: 7, until: {half_width: 0.01}}"  # all stay open to the last seed

    found = race(study_of(tmp_path, seeds, claims), look_at(values))

    assert [[one.seeds for one in standings] for standings in found.rounds] == [
        [seeds] * 3 for seeds in range(3, 8)
    ]


def test_a_hopeless_claim_is_futile_and_says_what_it_bounds(tmp_path):
    values = values_of({"A": 60, "B": 60, "C": 40, "D": 10}, seed=2)

    found = race(study_of(tmp_path, "{from: 5, to: 12}"), look_at(values))

    first, second = found.rounds[-1]
    assert (first.state, second.state) == ("futile", "decided")
    assert first.chance < 0.2
    assert found.counts["v=B"] < 12
    assert f"at most {first.bound:.1f} points" in race_lines(found)[1]
    (evidence,) = first.evidence
    assert first.bound == max(abs(evidence.low), abs(evidence.high))


def test_seeds_go_on_to_the_last_where_neither_is_likely(tmp_path):
    rng = np.random.default_rng(5)
    for seed in range(20):
        values = values_of({"A": 60, "B": rng.uniform(59, 60), "C": 30, "D": 10}, seed=seed)
        found = race(study_of(tmp_path, "{from: 3, to: 9}"), look_at(values))
        assert max(found.counts.values()) <= 9
        for one in found.rounds[-1]:
            assert one.state != "open" or one.seeds == 9


def test_a_failed_run_blocks_its_claim_and_no_other(tmp_path):
    values = values_of({"A": 60, "B": 59, "C": 58, "D": 10})
    claims = "claims: ['top1[A] > top1[B]', 'top1[C] > top1[D]']"

    def look(cell, seed):
        failed = cell == "v=B" and seed == 3
        return Run("failed", {}) if failed else look_at(values)(cell, seed)

    found = race(study_of(tmp_path, claims=claims), look)

    assert states(found) == ["blocked", "decided"]
    assert found.counts["v=B"] == 4
    assert "blocked by a failed run" in " ".join(race_lines(found))


def test_a_diverged_seed_is_left_out_of_its_pairs(tmp_path):
    values = values_of({"A": 60, "B": 40, "C": 58, "D": 10})

    def look(cell, seed):
        return Run("lost", {}, 36.0) if (cell, seed) == ("v=B", 1) else look_at(values)(cell, seed)

    found = race(study_of(tmp_path), look)

    first = found.rounds[-1][0]
    assert first.state == "decided"
    assert first.evidence[0].n == first.seeds - 1


def test_without_claims_every_cell_races_against_the_baseline(tmp_path):
    values = values_of({"A": 60, "B": 40, "C": 61.5, "D": 60})

    found = race(study_of(tmp_path, "{from: 4, to: 30}", claims=""), look_at(values))

    texts = [one.question.claim.text for one in found.rounds[-1]]
    assert texts == [f"v={name} against v=A" for name in "BCD"]
    assert states(found)[0] == "decided"
    assert found.counts["v=A"] == max(found.counts.values())


def test_a_precision_stops_when_every_interval_is_as_narrow(tmp_path):
    study = study_of(tmp_path, "{from: 3, to: 40, until: {half_width: 1.0}}")

    found = race(study, look_at(values_of({"A": 60, "B": 40, "C": 59, "D": 10}, noise=0.5)))

    assert states(found) == ["precise", "precise"]
    for one in found.rounds[-1]:
        (evidence,) = one.evidence
        assert evidence.high - evidence.low <= 2.0
    before = found.rounds[-2]
    widths = [one.evidence[0].high - one.evidence[0].low for one in before if one.state == "open"]
    assert widths
    assert min(widths) > 2.0


def test_a_budget_ends_the_race_and_goes_where_evidence_grows_fastest(tmp_path):
    # C needs many seeds, B few: under a budget B's claim is decided first.
    values = values_of({"A": 60, "B": 50, "C": 59, "D": 10}, seed=1)
    study = study_of(tmp_path, "{from: 3, to: 20, budget_hours: 0.2}")  # 20 runs of 36 s

    found = race(study, look_at(values))

    assert found.is_spent
    assert 0.2 <= found.hours < 0.2 + 0.03
    assert states(found) == ["decided", "open"]
    first = next(one for one in found.rounds if one[0].state == "decided")
    assert first[1].seeds == 3  # C got none before B was decided
    assert found.counts["v=C"] > 3
    assert "budget_hours is spent" in race_lines(found)[0]


def test_a_claim_that_hangs_on_stuck_runs_stays_open(tmp_path):
    values = values_of({"A": 60, "B": 57, "C": 40, "D": 50}, noise=0.3)
    values["v=C"][:3] = [40, 40.4, 5]

    found = race(study_of(tmp_path, "{from: 3, to: 8}"), look_at(values))

    near, _ = found.rounds[-1]
    assert near.hangs
    assert (near.state, near.seeds, near.p) == ("open", 8, 1.0)
    assert "undecided, as runs got stuck" in race_lines(found)[1]


def test_stuck_runs_of_cells_that_no_claim_names_decide_nothing(tmp_path):
    values = values_of({"A": 60, "B": 57, "C": 40, "D": 50}, noise=0.3)
    values["v=D"][:3] = [50, 50.4, 5]

    found = race(study_of(tmp_path, "{from: 3, to: 8}"), look_at(values))

    assert not any(one.hangs for one in found.rounds[-1])
    assert states(found) == ["decided", "decided"]


def test_races_of_equal_cells_are_decided_in_few_studies(tmp_path):
    study = study_of(tmp_path, "{from: 3, to: 20}")
    wrong = sum(
        "decided" in states(race(study, look_at(values_of(dict.fromkeys(CELLS, 60.0), seed=seed))))
        for seed in range(200)
    )
    assert wrong <= 20  # 5 % of 200 is 10; more than 20 have a probability of 0.1 %


def test_wins_are_raced_by_signs(tmp_path):
    values = values_of({"A": 60, "B": 40, "C": 30, "D": 10})
    claims = 'claims: ["wins[A over B] > 0.5"]'

    found = race(study_of(tmp_path, claims=claims), look_at(values))

    assert states(found) == ["decided"]
    assert found.counts == {"v=A": 8, "v=B": 8, "v=C": 3, "v=D": 3}  # 2^8 / 9 > 20
    assert "8 of 8 runs won after 8 seeds: supported" in race_lines(found)[1]


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ("{from: 3, to: 3}", "seeds.to: must be more than from (3), got 3"),
        ("{form: 3, to: 9}", 'seeds.form: unknown key; did you mean "from"?'),
        ("{from: 1, to: 9}", "seeds.from: must be at least 2, got 1"),
        ("{from: 3}", "seeds.to: is required"),
        ("{from: 3, to: 9, until: claim}", 'seeds.until: expected one of claims, got "claim"'),
        ("{from: 3, to: 9, until: {half_width: 0}}", "seeds.until.half_width: must be more than 0"),
        ("{from: 3, to: 9, until: {width: 1}}", "seeds.until.width: unknown key"),
        ("{from: 3, to: 9, budget_hours: 0}", "seeds.budget_hours: must be more than 0"),
    ],
)
def test_a_race_that_cannot_be_run_is_refused_with_its_key(tmp_path, seeds, message):
    with pytest.raises(StudyError) as caught:
        study_of(tmp_path, seeds)
    assert f"race.yaml:3: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("wins[A over B] > 0.6", "is no claim about wins; expected wins[LEVEL"),
        ("wins[A, B] > 0.5", "is no claim about wins"),
        ("wins[A over A] > 0.5", "compares cells with themselves"),
        ("wins[A over E] > 0.5", '"E"'),
    ],
)
def test_a_claim_about_wins_that_cannot_be_read_is_refused(tmp_path, claim, message):
    with pytest.raises(StudyError, match=r"race\.yaml:4: claims") as caught:
        study_of(tmp_path, claims=f'claims: ["{claim}"]')
    assert message in str(caught.value)
