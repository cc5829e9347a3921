"""Lists of settings that hold a value twice are refused, with file, line and key."""

import pytest

from study.spec.study import StudyError, load_study

TWO = "factors: {variant: {a: {model.width: 16}, b: {model.width: 32}}}\n"
CASES = {
    "cost: {batch_sizes: [1, 1]}": "cost.batch_sizes: duplicate 1",
    "cost: {batch_sizes: [8, 1, 8]}": "cost.batch_sizes: duplicate 8",
    "cost: {modes: [eager, compile, eager]}": "cost.modes: duplicate eager",
    "run: {examples: [3, 0, 3]}": "run.examples: duplicate 3",
    "report: {tables: [main, main]}": "report.tables: duplicate main",
    "report: {figures: [seeds, seeds]}": "report.figures: duplicate seeds",
    "report: {views: [{name: a, log: [x, x]}]}": "report.views[0].log: duplicate x",
    f"{TWO}report: {{views: [{{name: a, variants: [a, a]}}]}}": (
        "report.views[0].variants: duplicate a"
    ),
}


def load(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(f"question: q?\n{text}\n", "utf-8")
    return load_study(path)


@pytest.mark.parametrize("text", CASES)
def test_a_list_with_a_value_twice_is_refused_with_its_line(tmp_path, text):
    with pytest.raises(StudyError) as caught:
        load(tmp_path, text)

    line = 2 + text.count("\n")
    assert str(caught.value) == f"{tmp_path}/study.yaml:{line}: {CASES[text]}"


@pytest.mark.parametrize(
    "text",
    [
        "seeds: [1, 1]",
        "factors: {train.lr: [1e-3, 1e-3]}",
        "seeds: [0]\ntune: {train.lr: [0.001, 1e-3], seeds: [7]}",
        "seeds: [0]\ntune: {train.lr: [0.001, 0.01], seeds: [7, 7]}",
        "claims: ['latency[a] < latency[b]', 'latency[a] < latency[b]']\n" + TWO,
        "report: {views: [{name: a}, {name: a}]}",
    ],
)
def test_seeds_levels_tuned_values_claims_and_views_are_distinct_too(tmp_path, text):
    with pytest.raises(StudyError, match=r"study\.yaml:\d+: "):
        load(tmp_path, text)


def test_two_levels_of_one_value_are_two_cells_of_one_run_and_refused(tmp_path):
    from study.spec.grid import expand

    study = load(tmp_path, "factors: {train.lr: [0.001, 1e-3]}")
    with pytest.raises(StudyError, match="same"):
        expand(study)


def test_distinct_values_stay_as_they_are(tmp_path):
    study = load(tmp_path, "cost: {batch_sizes: [8, 1], modes: [compile, eager]}")

    assert (study.cost.batch_sizes, study.cost.modes) == ([8, 1], ["compile", "eager"])
