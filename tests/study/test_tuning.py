"""What `tune:` may say, which value it chooses, and what a plan makes of it; nothing is trained."""

import dataclasses

import pytest
from test_spec import complaint, write

from study.records.record import Measurement, Outcome, Record
from study.spec.grid import expand
from study.spec.study import load_study
from study.spec.tuning import TUNABLE, choice_lines
from vlf.config import RunConfig

YAML = """\
question: Does order matter?
base:
  model: {name: vlf, width: 16, heads: 2}
  train: {epochs: 8}
factors:
  variant: {VLF: {}, TSN: {model: {name: tsn}}}
seeds: [0, 1]
tune:
  train.lr: [4.0e-3, 1.0e-3, 2.0e-3]
  seeds: [100, 101]
  epochs: 4
  metric: val_top1
run: {max_retries: 1}
report: {baseline: {variant: VLF}}
"""


@pytest.fixture
def study(tmp_path):
    return load_study(write(tmp_path, YAML))


def tune(text):
    """The study with another section `tune`."""
    before, _, rest = YAML.partition("tune:\n")
    return f"{before}tune: {text}\n{rest[rest.index('run:') :]}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", ":8: tune: expected a mapping, got a list"),
        ("{seeds: [9]}", ":8: tune: names no key to choose, such as train.lr: [1.0e-3, 2.0e-3]"),
        ("{train.lr: [1, 2], seed: [9]}", 'tune.seed: unknown key; did you mean "seeds"?'),
        ("{train.rl: [1, 2], seeds: [9]}", 'tune.train.rl: unknown key; did you mean "train.lr"?'),
        ("{train.epochs: [1, 2], seeds: [9]}", "tune.train.epochs: unknown key"),
        ("{data.size: [8, 16], seeds: [9]}", "tune.data.size: unknown key"),
        ("{model.dropout: [0, 0.1], seeds: [9]}", "tune.model.dropout: changes what is built"),
        ("{train.lr: 0.1, seeds: [9]}", "tune.train.lr: expected a list of values, got 0.1"),
        ("{train.lr: [0.1], seeds: [9]}", "needs at least two values to choose from, got 1"),
        ("{train.lr: [], seeds: [9]}", "needs at least two values to choose from, got 0"),
        ("{train.lr: [1e-3, 0.001], seeds: [9]}", "tune.train.lr[1]: duplicate value 0.001"),
        ("{train.lr: [1, 2]}", "tune: seeds: needs at least one seed that is none of the study's"),
        ("{train.lr: [1, 2], seeds: []}", "tune.seeds: needs at least one seed"),
        ("{train.lr: [1, 2], seeds: [7, 1]}", "tune.seeds[1]: the seed 1 is one of the study's"),
        ("{train.lr: [1, 2], seeds: [-1]}", "tune.seeds[0]: must be from 0"),
        ("{train.lr: [1, 2], seeds: [9], epochs: 0}", "tune.epochs: must be at least 1, got 0"),
        ("{train.lr: [1, 2], seeds: [9], epochs: x}", 'tune.epochs: expected a whole number, got'),
        ("{train.lr: [1, 2], seeds: [9], epochs: 9}", "tune.epochs: must be at most the 8 of the"),
        ("{train.lr: [1, 2], seeds: [9], metric: top1}", "tune.metric: expected one of val_top1"),
        ("{train.lr: [1, -2], seeds: [9]}", "tune.train.lr[1]: must be more than 0.0, got -2"),
        ("{train.lr: [1, x], seeds: [9]}", 'tune.train.lr[1]: expected a number, got "x"'),
        ("{data.flip: [0, 1], seeds: [9]}", 'tune.data.flip: motion has no "data.flip" (cell var'),
        (
            f"{{train.lr: {[*range(1, 12)]}, train.momentum: {[i / 10 for i in range(10)]}, "
            "seeds: [9]}",
            "tune: 11 x 10 = 110 combinations a cell, more than 100",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_tune_is_one_line_with_its_key(tmp_path, text, said):
    told = complaint(tmp_path, tune(text))

    assert told.startswith("clip.yaml:8: tune")
    assert said in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "VLF: {}",
            "VLF: {train.lr: 1.0e-2}",
            "clip.yaml:9: tune.train.lr: is set by variant=VLF too",
        ),
        (
            "VLF: {}",
            "VLF: {train: {lr: 1.0e-2}}",
            "clip.yaml:9: tune.train.lr: is set by variant=VLF too",
        ),
        (
            "seeds: [0, 1]",
            "  train.lr: [1, 2]\nseeds: [0, 1]",
            "tune.train.lr: is set by train.lr=1 too; vary it or tune it",
        ),
        (
            "seeds: [100, 101]",
            f"seeds: {[*range(100, 50_101)]}",
            "2 cells x 3 x 50,001 seeds = 300,006 tuning runs, more than 300,000",
        ),
    ],
    ids=["a level", "a nested level", "a factor", "too many runs"],
)
def test_what_is_set_already_or_too_much_is_not_tuned(tmp_path, old, new, message):
    assert old in YAML

    assert message in complaint(tmp_path, YAML.replace(old, new))


def test_what_is_tuned_cannot_be_set_by_hand_and_other_keys_can(tmp_path):
    told = complaint(tmp_path, YAML, ["train.lr=1"])
    assert told == "--set: train.lr: is chosen by tune of this study"

    study = load_study(write(tmp_path, YAML), ["train.weight_decay=0.5"])
    assert {one.short.train.weight_decay for cell in expand(study) for one in cell.trials} == {0.5}


def test_a_study_of_costs_alone_has_nothing_to_tune(tmp_path):
    told = complaint(tmp_path, YAML.replace("seeds: [0, 1]", "seeds: []"))

    assert told == "clip.yaml:8: tune: needs training, and seeds is empty"


def test_every_key_that_can_be_tuned_is_a_key_of_some_run():
    known = {f"train.{name}" for name in type(RunConfig().train).model_fields}
    assert {name for name in TUNABLE if name.startswith("train.")} <= known


def test_every_cell_tries_the_whole_product_and_the_run_that_counts_is_not_shortened(tmp_path):
    text = YAML.replace("  seeds: [100", "  train.weight_decay: [0.0, 0.1]\n  seeds: [100")

    vlf, tsn = expand(load_study(write(tmp_path, text)))

    product = [(lr, decay) for lr in (4e-3, 1e-3, 2e-3) for decay in (0.0, 0.1)]
    for cell in (vlf, tsn):
        tried = [(one.short.train.lr, one.short.train.weight_decay) for one in cell.trials]
        assert tried == product
        assert {one.short.train.epochs for one in cell.trials} == {4}
        assert {one.full.train.epochs for one in cell.trials} == {8}
        assert [(t.full.train.lr, t.full.train.weight_decay) for t in cell.trials] == product
        assert {one.full.model.name for one in cell.trials} == {cell.config.model.name}


def test_quick_has_one_tuning_seed_and_two_values(tmp_path):
    study = load_study(write(tmp_path, YAML), quick=True)

    assert (study.tune.budget, study.tune.seeds, study.tune.epochs) == (2, (100,), None)
    assert {(t.short.train.epochs, t.full.train.epochs) for t in expand(study)[0].trials} == {
        (2, 2)
    }
    assert {one.short.data.limit for one in expand(study)[0].trials} == {64}


def outcome(lr, seed, value, *, cell="variant=VLF"):
    """A tuning outcome; `value` is a validation top-1, or the reason of a failure."""
    measured = ()
    if isinstance(value, float):
        measured = (
            Measurement("val_top1", "%", "higher", (value,), conditions={"split": "val"}),
            Measurement("training_time", "s", "lower", (99.0,)),
        )
    status = "done" if measured else "failed"
    record = Record(
        "tune", "i", status, {}, seed, "cpu", "f", measured, {}, "a", "2026-01-01", 1.0,
        reason="" if measured else value,
    )  # fmt: skip
    levels = {"variant": cell.partition("=")[2]}
    reason = record.reason
    return Outcome("tune", cell, levels, {}, seed, status, reason, record, tried={"train.lr": lr})


def outcomes(**rows):
    """{"a": (value of seed 100, of seed 101)}: a 4.0e-3, b 1.0e-3, c 2.0e-3, as in the file."""
    labels = {"a": "4.0e-3", "b": "1.0e-3", "c": "2.0e-3"}
    return [
        outcome(labels[row], seed, value)
        for row, values in rows.items()
        for seed, value in zip((100, 101), values, strict=True)
    ]


DIVERGED = "diverged: the training loss is nan in epoch 1"


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        # means: 50, 45, 55
        ({"a": (40.0, 60.0), "b": (45.0, 45.0), "c": (50.0, 60.0)}, "2.0e-3"),
        # the best single seed does not decide: means 50, 45, 55
        ({"a": (10.0, 90.0), "b": (45.0, 45.0), "c": (55.0, 55.0)}, "2.0e-3"),
        # a tie of all takes the smallest rate, which is the second in the file
        ({"a": (50.0, 50.0), "b": (40.0, 60.0), "c": (60.0, 40.0)}, "1.0e-3"),
        # sums in another order are the same mean: (0.1 + 0.2) / 2 and (0.2 + 0.1) / 2
        ({"a": (0.1, 0.2), "b": (0.0, 0.0), "c": (0.2, 0.1)}, "2.0e-3"),
        # one seed that diverged is worse than the lowest mean that did not
        ({"a": (99.0, DIVERGED), "b": (1.0, 1.0), "c": (0.0, 0.0)}, "1.0e-3"),
        # where all lost a seed, the mean of the others decides
        ({"a": (30.0, DIVERGED), "b": (DIVERGED, 40.0), "c": (DIVERGED, DIVERGED)}, "1.0e-3"),
    ],
)
def test_the_choice_is_the_highest_mean_on_validation(study, rows, chosen):
    found = outcomes(**rows)

    decision = study.tune.decide(found)

    assert study.tune.scores(found)[decision.chosen].tried == {"train.lr": chosen}
    assert study.tune.decide(found[::-1]) == decision


def test_without_a_learning_rate_a_tie_takes_the_first_listed(tmp_path):
    study = load_study(write(tmp_path, tune("{train.weight_decay: [0.2, 0.1], seeds: [100, 101]}")))
    found = [
        dataclasses.replace(outcome("", seed, 50.0), tried={"train.weight_decay": label})
        for label in ("0.1", "0.2")
        for seed in (100, 101)
    ]

    chosen = study.tune.decide(found).chosen

    assert study.tune.scores(found)[chosen].tried == {"train.weight_decay": "0.2"}


def test_if_every_run_diverged_nothing_is_chosen_and_the_cell_has_failed(study):
    decision = study.tune.decide(outcomes(**dict.fromkeys("abc", (DIVERGED, DIVERGED))))

    assert (decision.chosen, decision.is_failed) == (None, True)
    assert decision.reason == "every one of its 6 tuning runs diverged"


def test_a_run_that_broke_leaves_no_choice_rather_than_a_smaller_budget(study):
    found = outcomes(a=(90.0, 90.0), b=(1.0, "out of memory: 9 GiB"), c=(2.0, 2.0))

    decision = study.tune.decide(found)

    assert (decision.chosen, decision.is_failed) == (None, False)
    said = "not tuned: 1 of 6 tuning runs failed; variant=VLF, train.lr=1.0e-3, seed=101: out of"
    assert decision.reason.startswith(said)


def test_runs_that_have_not_ended_are_waited_for(study):
    assert study.tune.decide(outcomes(a=(90.0, 90.0))).reason == "waits for 4 of 6 tuning runs"


def test_an_edge_is_the_smallest_or_largest_number_whatever_its_place_in_the_file(study, tmp_path):
    def edges(tuning, **tried):
        return tuning.edges({key.replace("__", "."): label for key, label in tried.items()})

    assert edges(study.tune, train__lr="4.0e-3") == {"train.lr": "largest"}
    assert edges(study.tune, train__lr="1.0e-3") == {"train.lr": "smallest"}
    assert edges(study.tune, train__lr="2.0e-3") == {}
    text = "{train.optimizer: [adamw, sgd], train.weight_decay: [0, 0.1], seeds: [100, 101]}"
    other = load_study(write(tmp_path, tune(text))).tune
    # words have no range, and nothing is less than a weight decay of 0
    assert edges(other, train__optimizer="sgd", train__weight_decay="0") == {}


def test_choices_are_told_in_a_line_a_cell(study):
    found = outcomes(a=(40.0, 60.0), b=(45.0, 45.0), c=(50.0, 40.0))
    found += [dataclasses.replace(one, cell="variant=TSN") for one in found[:2]]

    assert choice_lines(study.tune, found) == [
        "chosen for variant=VLF: train.lr=4.0e-3 (val_top1 50.0 %); "
        "the largest train.lr that was tried",
        "no choice for variant=TSN: waits for 4 of 6 tuning runs",
    ]
