from pathlib import Path

import pytest

from study.spec.grid import expand
from study.spec.study import StudyError, load_study

YAML = """\
question: Which part pays?
base:
  data: {name: motion, frames: 8, size: 32}
  model: {name: vlf, width: 64, heads: 4}
  train:
    epochs: 16
    lr: 2e-3
factors:
  variant:
    VLF: {}
    no g: {model.spatial_depth: 0}
    TSN: {model: {name: tsn}}
  data.frames: [4, 8]
exclude:
  - {variant: TSN, data.frames: 4}
seeds: [0, 1, 2]
claims:
  - top1[VLF] > top1[no g]
cost: {batch_sizes: [1, 8], rounds: 40}
run: {executor: process, slurm: {partition: gpu, gpus_per_node: 1}}
report: {baseline: {variant: VLF}}
"""


def write(folder, text, name="clip.yaml"):
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def complaint(folder, text, overrides=()):
    """The complaint about a study, without its folder."""
    with pytest.raises(StudyError) as caught:
        expand(load_study(write(folder, text), overrides))
    return str(caught.value).removeprefix(f"{folder}/")


def test_every_section_of_a_study_file_arrives(tmp_path):
    study = load_study(write(tmp_path, YAML))

    assert study.question == "Which part pays?"
    assert study.base["train"] == {"epochs": 16, "lr": 0.002}
    assert [level.label for level in study.factors["variant"]] == ["VLF", "no g", "TSN"]
    assert [level.number for level in study.factors["data.frames"]] == [4, 8]
    assert study.factors["variant"][1].patch == {"model.spatial_depth": 0}
    assert study.factors["variant"][2].patch == {"model": {"name": "tsn"}}
    assert study.exclude == ({"variant": "TSN", "data.frames": "4"},)
    assert study.seeds == (0, 1, 2)
    assert [claim.text for claim in study.claims] == ["top1[VLF] > top1[no g]"]
    assert study.cost.batch_sizes == [1, 8]
    assert study.run.slurm.partition == "gpu"
    assert study.baseline == {"variant": "VLF"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "frames: 8,",
            "frams: 8,",
            'clip.yaml:3: base.data.frams: unknown key; did you mean "frames"? (allowed: name, '
            "frames, size, limit, seed, train_clips, val_clips, test_clips)",
        ),
        ("frames: 8,", "frames: 0,", "clip.yaml:3: base.data.frames: must be at least 1, got 0"),
        (
            "frames: 8,",
            'frames: "8",',
            'clip.yaml:3: base.data.frames: expected a whole number, got "8" (text)',
        ),
        (
            "epochs: 16",
            "epochs: 1.5",
            "clip.yaml:6: base.train.epochs: expected a whole number, got 1.5",
        ),
        (
            "epochs: 16",
            "epochs: true",
            "clip.yaml:6: base.train.epochs: expected a whole number, got true",
        ),
        ("lr: 2e-3", "lr: no", 'clip.yaml:7: base.train.lr: expected a number, got "no" (text)'),
        ("lr: 2e-3", "lr: .nan", "clip.yaml:7: base.train.lr: must be finite, got nan"),
        ("lr: 2e-3", "lr: 0", "clip.yaml:7: base.train.lr: must be more than 0.0, got 0"),
        (
            "name: vlf",
            "name: vfl",
            "clip.yaml:4: base.model.name: expected one of vlf, tsn, tsm, timesformer, vivit, "
            'vtn, vtn_longformer, torchvision, transformers, got "vfl"; did you mean "vlf"?',
        ),
        (
            "heads: 4",
            "heads: 5",
            "clip.yaml:4: base.model.width: 64 is not divisible by heads 5",
        ),
        (
            "width: 64",
            "pretrained: 3",
            "clip.yaml:4: base.model.pretrained: expected true or false or text, got 3",
        ),
        (
            "name: motion,",
            "name: video_list, num_classes: 2,",
            "clip.yaml:3: base.data.root: is required",
        ),
        (
            "  data: {",
            "  data.frames: 4\n  data: {",
            "clip.yaml:3: base.data.frames: dotted keys belong to factors; "
            "write data: {frames: ...}",
        ),
        (
            "question:",
            "qestion:",
            'clip.yaml:1: qestion: unknown key; did you mean "question"? (allowed: question, '
            "extends, base, factors, paired, design, exclude, include, seeds, tune, match, "
            "claims, cost, run, report)",
        ),
        (
            "question: Which",
            "claims: []\n#",
            "clip.yaml:18: claims: duplicate key, first in line 1",
        ),
        ("question: Which part pays?", "{}", "clip.yaml:2: is not YAML: "),
        ("question: Which part pays?", "", "clip.yaml:2: question: is required"),
        (
            "question: Which part pays?",
            "question: 3",
            "clip.yaml:1: question: expected text, got 3",
        ),
        ("rounds: 40", "rounds: 4", "clip.yaml:19: cost.rounds: must be at least 5, got 4"),
        (
            "[1, 8], r",
            "[1, x], r",
            'clip.yaml:19: cost.batch_sizes[1]: expected a whole number, got "x" (text)',
        ),
        (
            "[1, 8], r",
            "[], r",
            "clip.yaml:19: cost.batch_sizes: needs at least 1 entries, got 0",
        ),
        (
            "partition:",
            "partion:",
            'clip.yaml:20: run.slurm.partion: unknown key; did you mean "partition"? (allowed: '
            "partition, account, qos, constraint, exclude, gpus_per_node, cpus_per_task, mem_gb, "
            "timeout_min, max_timeouts, signal_delay_s, array_parallelism, cells_per_job, setup, "
            "options)",
        ),
        (
            "executor: process",
            "executor: proces",
            "clip.yaml:20: run.executor: expected one of process, inline, slurm, got "
            '"proces"; did you mean "process"?',
        ),
        ("seeds: [0, 1, 2]", "seeds: [0, 1, 1]", "clip.yaml:16: seeds[2]: duplicate seed 1"),
        (
            "seeds: [0, 1, 2]",
            "seeds: [-1]",
            "clip.yaml:16: seeds[0]: must be from 0 to 4294967295, got -1",
        ),
        (
            "seeds: [0, 1, 2]",
            "seeds: 3",
            "clip.yaml:16: seeds: expected a list of whole numbers, got 3",
        ),
        (
            "{variant: VLF}",
            "{variant: VFL}",
            'clip.yaml:21: report.baseline.variant: variant has no level "VFL"; did you mean '
            '"VLF"? (levels: VLF, no g, TSN)',
        ),
        (
            "{variant: VLF}",
            "{varant: VLF}",
            'clip.yaml:21: report.baseline.varant: unknown factor; did you mean "variant"? '
            "(factors: variant, data.frames)",
        ),
        (
            "seeds:",
            "design: gird\nseeds:",
            'clip.yaml:16: design: expected one of grid, one_at_a_time, got "gird"; '
            'did you mean "grid"?',
        ),
        (
            "data.frames: [4, 8]",
            "data.frams: [4, 8]",
            'clip.yaml:13: factors.data.frams: unknown key; did you mean "frames"?',
        ),
        (
            "data.frames: [4, 8]",
            "frames: [4, 8]",
            'clip.yaml:13: factors.frames: is no key of a run; did you mean "data.frames"?',
        ),
        (
            "data.frames: [4, 8]",
            "data.frames: [4, 4]",
            "clip.yaml:13: factors.data.frames[1]: duplicate level 4",
        ),
        (
            "data.frames: [4, 8]",
            "data.frames: []",
            "clip.yaml:13: factors.data.frames: needs at least one level",
        ),
        (
            "data.frames: [4, 8]",
            "seed: {a: {}, b: {}}",
            "clip.yaml:13: factors.seed: cannot name a factor",
        ),
        (
            "no g:",
            '"no, g":',
            'clip.yaml:11: factors.variant.no, g: "no, g" cannot be a level\'s label',
        ),
        (
            "no g: {model.spatial_depth: 0}",
            "no g: {model.spatial_depth: 0, model: {spatial_depth: 1}}",
            "clip.yaml:11: factors.variant.no g: sets model.spatial_depth twice",
        ),
        (
            "no g: {model.spatial_depth: 0}",
            "no g: {run.executor: inline}",
            "clip.yaml:11: factors.variant.no g.run.executor: is no key of a run",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_key_and_what_is_allowed(tmp_path, old, new, message):
    assert YAML.count(old) == 1 or old == "seeds:"

    told = complaint(tmp_path, YAML.replace(old, new, 1))

    assert told.startswith(message)
    assert "\n" not in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "clip.yaml: is empty"),
        ("# only a remark\n", "clip.yaml: is empty"),
        ("- a\n- b\n", "clip.yaml:1: expected a mapping, got a list"),
        ("question: a\nbase: [", "clip.yaml:2: is not YAML: "),
        ("question: a\n---\nquestion: b\n", "clip.yaml:2: holds a second document"),
        ("question: a\nseeds: !!python/object:os.system x\n", "clip.yaml:2: seeds: the tag "),
        ("question: &q [*q]\n", "clip.yaml:1: question[0]: no anchor &q stands before"),
        ("question: a\nbase:\n  <<: {}\n", "clip.yaml:3: base.<<: merge keys are not read"),
        ("question: a\nseeds: " + "[" * 40, "clip.yaml:2: is nested more than 20 levels deep"),
        ("question: a\n? [b]\n: c\n", "clip.yaml:2: a key must be plain text"),
        ("question: a\nseeds: [99999999999999999999]\n", "clip.yaml:2: seeds[0]: 9999999999"),
        ("question: a\0b\n", "clip.yaml:1: holds the control character '\\x00'"),
        ("question: " + "a" * (1 << 20), "clip.yaml: is larger than 1,048,576 bytes"),
    ],
)
def test_a_file_that_is_no_study_is_told_in_one_line(tmp_path, text, message):
    told = complaint(tmp_path, text)

    assert told.startswith(message)
    assert "\n" not in told


def test_a_file_that_is_not_there_is_told_as_it_was_named():
    with pytest.raises(StudyError) as caught:
        load_study(Path("ablations/clop.yaml"))

    assert str(caught.value) == "ablations/clop.yaml: no such file"


def test_a_folder_and_text_that_is_not_utf8_are_refused(tmp_path):
    with pytest.raises(StudyError, match="is not a file"):
        load_study(tmp_path)
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"question: a\n# caf\xe9\n")
    with pytest.raises(StudyError, match=r"latin\.yaml:2: is not UTF-8 text"):
        load_study(path)


def test_aliases_that_multiply_are_stopped(tmp_path):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 9):
        levels.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")

    assert "holds more than 200,000 values" in complaint(tmp_path, "\n".join(levels))


def test_scalars_follow_yaml_1_2(tmp_path):
    text = """\
question: on
base: {train: {lr: 1e-3, warmup_epochs: 2}}
factors:
  switch:
    no: {}
    on: {data.seed: 1}
    2020-01-01: {data.seed: 2}
    010: {data.seed: 3}
"""
    study = load_study(write(tmp_path, text))

    assert study.question == "on"
    assert study.base["train"] == {"lr": 0.001, "warmup_epochs": 2}
    assert [one.label for one in study.factors["switch"]] == ["no", "on", "2020-01-01", "010"]
    assert 'got "010" (text)' in complaint(tmp_path, text.replace("lr: 1e-3", "epochs: 010"))


def test_levels_named_by_numbers_are_numbers_and_others_are_not(tmp_path):
    text = "question: q\nfactors: {side: {4: {}, 2: {data.seed: 1}}, train.lr: [1e-3, 2.0e-3]}\n"
    study = load_study(write(tmp_path, text))

    assert [level.number for level in study.factors["side"]] == [4, 2]
    assert [level.label for level in study.factors["train.lr"]] == ["1e-3", "2.0e-3"]
    assert [level.number for level in study.factors["train.lr"]] == [0.001, 0.002]


def test_a_level_is_found_by_its_value_too(tmp_path):
    text = YAML.replace("{variant: TSN, data.frames: 4}", "{variant: TSN, data.frames: 4.0}")

    assert load_study(write(tmp_path, text)).exclude[0]["data.frames"] == "4"


@pytest.mark.parametrize("base", ["", "base: {}", "base: {model: {}}"])
def test_a_base_that_says_nothing_is_that_of_no_base(tmp_path, base):
    without = load_study(write(tmp_path, "question: q"))

    study = load_study(write(tmp_path, f"question: q\n{base}"), ["train.epochs=3"])

    assert study.base == {**without.base, "train": {"epochs": 3}}


def test_an_override_changes_the_base_and_is_the_place_of_its_mistakes(tmp_path):
    study = load_study(write(tmp_path, YAML), ["train.epochs=2", "train.lr=1e-4"])

    assert study.base["train"] == {"epochs": 2, "lr": 0.0001}
    for override, message in [
        ("train.epochs=0", "--set: base.train.epochs: must be at least 1, got 0"),
        ("train.epochs=x", '--set: base.train.epochs: expected a whole number, got "x" (text)'),
        (
            "train.epoch=2",
            '--set: train.epoch: unknown key of base; did you mean "train.epochs"?',
        ),
        ("epochs", "--set: expected KEY=VALUE such as train.epochs=2, got 'epochs'"),
        ("data.frames=2", "--set: data.frames: is a factor of this study, which sets it"),
        ("train.lr=[", "--set: is not YAML: "),
        ("model.heads=5", "--set: base.model.heads: model.width: 64 is not divisible by heads 5"),
        ("train.epochs=", "--set: base.train.epochs: expected a whole number, got nothing"),
        ("=3", "--set: expected KEY=VALUE such as train.epochs=2, got '=3'"),
    ]:
        assert complaint(tmp_path, YAML, [override]).startswith(message)


def test_an_override_that_is_given_twice_is_refused(tmp_path):
    twice = ["train.epochs=2", "train.lr=1e-4", "train.epochs = 3"]

    assert complaint(tmp_path, YAML, twice) == "--set: train.epochs: is set 2 times; say it once"


def test_an_override_that_names_another_architecture_inherits_nothing(tmp_path):
    text = "question: q\nbase: {model: {name: vlf, width: 32}}\n"

    assert load_study(write(tmp_path, text), ["model.name=tsn"]).base["model"] == {"name": "tsn"}


def test_without_seeds_a_study_is_of_costs_and_claims_nothing_that_needs_training(tmp_path):
    costs = YAML.replace("seeds: [0, 1, 2]", "seeds: []")
    assert complaint(tmp_path, costs) == (
        "clip.yaml:18: claims[0]: top1 needs training, and seeds is empty"
    )

    study = load_study(write(tmp_path, costs.replace("top1", "latency")), quick=True)

    assert study.seeds == ()


def test_a_quick_study_has_one_seed_and_few_rounds(tmp_path):
    study = load_study(write(tmp_path, YAML), quick=True)

    assert study.quick
    assert study.seeds == (0,)
    assert study.cost.rounds == 5


@pytest.mark.parametrize(
    ("paired", "message"),
    [
        ("[[data.frames, variant]]", "needs factors with as many levels as each other"),
        ("[[data.frames]]", "needs at least two factors, got 1"),
        ("[[data.frames, data.size]]", "expected one of variant, data.frames"),
        ("[[data.frames, data.frames]]", "the factor data.frames is paired twice"),
    ],
)
def test_factors_that_cannot_be_paired_are_refused(tmp_path, paired, message):
    told = complaint(tmp_path, YAML.replace("seeds:", f"paired: {paired}\nseeds:"))

    assert told.startswith("clip.yaml:16: paired[0]")
    assert message in told
