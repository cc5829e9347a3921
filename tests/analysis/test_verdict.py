import pytest

from analysis.prose.verdict import verdict
from analysis.results.results import Results
from study.records.record import Outcome

HIGH = (80.0, 81.5, 82.0, 80.5)


def results_of(maker, runs, costs=(), more=(), **study):
    levels = {"variant": list(runs)}
    outcomes = [
        maker.train({"variant": label}, seed, top1)
        for label, values in runs.items()
        for seed, top1 in enumerate(values)
    ]
    outcomes += [maker.cost({"variant": label}, *cost) for label, cost in costs]
    study = maker.study(levels, seeds=(0, 1, 2, 3), **study)
    return Results(study, [*outcomes, *more], maker.root)


def test_what_is_lost_and_saved_stands_in_one_sentence(maker):
    runs = {
        "VLF": HIGH,
        "no g": tuple(x - y for x, y in zip(HIGH, (14, 15, 14.5, 14.2), strict=True)),
    }
    costs = [("VLF", (10, 1e6, 4.0)), ("no g", (10, 8e5, 2.0))]

    text = verdict(results_of(maker, runs, costs))

    # differences 14, 15, 14.5, 14.2: mean 14.425, t interval 14.425 -+ 3.18 * 0.435 / 2
    assert text.startswith(
        "Compared with VLF (81.0 % top-1): no g loses 14.4 points (95 % 13.7 to 15.1)"
    )
    assert text.endswith("and saves 50 % of the latency.") or " % of the latency." in text


def test_no_significant_difference_is_told_with_its_bound(maker):
    close = tuple(x + y for x, y in zip(HIGH, (0.2, -0.3, 0.4, 0.1), strict=True))

    text = verdict(results_of(maker, {"VLF": HIGH, "no g": close}))

    # mean 0.1, deviation 0.294: 0.1 -+ 3.18 * 0.294 / 2, so at most 0.57
    assert text == (
        "Compared with VLF (81.0 % top-1): no g shows no difference in top-1 that 4 seeds can see "
        "(at most 0.6 points)."
    )


def test_one_seed_is_not_tested_and_an_unfinished_study_says_so_far(maker):
    missing = Outcome("train", "variant=no g", {"variant": "no g"}, {}, 1, "not run")

    text = verdict(results_of(maker, {"VLF": (80.0,), "no g": (70.0,)}, more=[missing]))

    assert text == (
        "So far: compared with VLF (80.0 % top-1): no g loses 10.0 points in 1 seed (not tested)."
    )


def test_cells_that_claims_name_come_first_and_the_rest_is_counted(maker):
    runs = {"VLF": HIGH, **{f"v{at}": HIGH for at in range(6)}, "TSN": (10.0, 11.0, 9.0, 10.5)}

    text = verdict(results_of(maker, runs, claims=("top1[VLF] > top1[TSN]",)))

    assert text.startswith("Compared with VLF (81.0 % top-1): TSN loses 70.9 points")
    assert text.endswith("; 2 more cells in the table.")


@pytest.mark.parametrize(
    ("rates", "edge"),
    [
        ({"1e-3": 0, "2e-3": 5, "4e-3": 1}, ""),
        ({"1e-3": 0, "2e-3": 1, "4e-3": 5}, " (the largest value that was tried: try larger ones)"),
        (
            {"1e-3": 5, "2e-3": 1, "4e-3": 0},
            " (the smallest value that was tried: try smaller ones)",
        ),
    ],
)
def test_a_sweep_of_one_model_has_its_best_value_and_no_costs(maker, rates, edge):
    outcomes, shifts = [], (0.0, 0.3, -0.2, 0.1)
    for label, more in rates.items():
        levels, numbers = {"train.lr": label}, {"train.lr": float(label)}
        for seed, (top1, shift) in enumerate(zip(HIGH, shifts, strict=True)):
            run = maker.train(levels, seed, top1 + more + (shift if more else 0))
            outcomes.append(Outcome(**{**run.__dict__, "numbers": numbers}))
        cost = maker.cost({"train.lr": "1e-3"}, 10, 1e6, 4.0)
        outcomes.append(
            Outcome(**{**cost.__dict__, "cell": run.cell, "levels": levels, "numbers": numbers})
        )
    study = maker.study({"train.lr": list(rates)}, seeds=(0, 1, 2, 3))

    text = verdict(Results(study, outcomes, maker.root))

    best = max(rates, key=rates.get)
    assert text.startswith(f"Best train.lr of 3: {best}{edge}, 86.")
    assert "latency" not in text
    assert "MACs" not in text


def test_nothing_to_compare_is_no_answer(maker):
    assert (
        verdict(results_of(maker, {"VLF": (), "TSN": ()}))
        == "No answer yet: no results to compare."
    )
