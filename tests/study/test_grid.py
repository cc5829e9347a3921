import itertools

import pytest

from study.spec.grid import MAX_CELLS, expand
from study.spec.study import StudyError, load_study, locate
from vlf.config import ConfigError, TimeSformerConfig, TSNConfig, VLFConfig

VARIANTS = """\
question: q?
base:
  data: {frames: 8}
  model: {width: 32, heads: 4, spatial_depth: 2, dropout: 0.1}
factors:
  model.mlp_ratio: [1.0, 3.0]
  variant:
    VLF: {}
    narrow: {model: {width: 16}}
    TimeSformer-like: {model: {name: timesformer, patch: 4}}
"""


@pytest.fixture
def study_of(tmp_path):
    numbers = itertools.count()

    def load(text, **options):
        path = tmp_path / f"s{next(numbers)}.yaml"
        path.write_text(text, "utf-8")
        return load_study(path, **options)

    return load


def names(study):
    return [cell.name for cell in expand(study)]


def complaint(study):
    with pytest.raises(StudyError) as caught:
        expand(study)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{study.path.parent}/")


def test_a_grid_has_every_combination_with_the_first_factor_slowest(study_of):
    cells = expand(study_of("question: q\nfactors: {data.frames: [4, 8], data.seed: [0, 1]}\n"))

    assert [cell.name for cell in cells] == [
        "data.frames=4, data.seed=0",
        "data.frames=4, data.seed=1",
        "data.frames=8, data.seed=0",
        "data.frames=8, data.seed=1",
    ]
    assert [(cell.config.data.frames, cell.config.data.seed) for cell in cells] == [
        (4, 0), (4, 1), (8, 0), (8, 1),
    ]  # fmt: skip
    assert cells[2].numbers == {"data.frames": 8, "data.seed": 0}


def test_a_study_without_factors_is_one_cell(study_of):
    cells = expand(study_of("question: q\nbase: {train: {epochs: 3}}\n"))

    assert [cell.name for cell in cells] == ["base"]
    assert cells[0].config.train.epochs == 3


def test_another_architecture_inherits_nothing_and_the_same_one_is_merged(study_of):
    cells = {cell.levels["variant"]: cell for cell in expand(study_of(VARIANTS))}

    narrow = VLFConfig(width=16, heads=4, spatial_depth=2, dropout=0.1, mlp_ratio=3.0)
    assert cells["narrow"].config.model == narrow
    assert cells["TimeSformer-like"].config.model == TimeSformerConfig(patch=4, mlp_ratio=3.0)
    assert {cell.config.data.frames for cell in cells.values()} == {8}


def test_a_dotted_key_factor_has_the_last_word_wherever_it_stands(study_of):
    # model.mlp_ratio stands before the variant, whose patches replace the model.
    cells = expand(study_of(VARIANTS))

    assert [cell.config.model.mlp_ratio for cell in cells] == [1.0] * 3 + [3.0] * 3


def test_a_level_sets_slurm_outside_of_the_run(study_of):
    study = study_of(
        "question: q\nfactors:\n  variant:\n    a: {}\n"
        "    b: {data.frames: 4, run.slurm.mem_gb: 64}\n    c: {data.frames: 2, "
        "run: {slurm: {partition: big}}}\n"
    )

    assert [dict(cell.resources) for cell in expand(study)] == [
        {},
        {"mem_gb": 64},
        {"partition": "big"},
    ]


def test_excluded_cells_are_taken_out_and_included_ones_put_back(study_of):
    text = (
        "question: q\nfactors: {data.frames: [4, 8], data.seed: [0, 1, 2]}\n"
        "exclude: [{data.frames: 8}]\ninclude: [{data.frames: 8, data.seed: 1}]\n"
    )

    assert names(study_of(text)) == [
        "data.frames=4, data.seed=0",
        "data.frames=4, data.seed=1",
        "data.frames=4, data.seed=2",
        "data.frames=8, data.seed=1",
    ]


def test_one_at_a_time_is_the_baseline_and_its_single_changes(study_of):
    text = (
        "question: q\ndesign: one_at_a_time\n"
        "factors: {data.frames: [2, 4, 8], data.seed: [0, 1], train.epochs: [1, 2]}\n"
        "report: {baseline: {data.frames: 4}}\n"
    )
    study = study_of(text)

    assert study.baseline == {"data.frames": "4", "data.seed": "0", "train.epochs": "1"}
    assert {tuple(cell.levels.values()) for cell in expand(study)} == {
        ("4", "0", "1"), ("2", "0", "1"), ("8", "0", "1"), ("4", "1", "1"), ("4", "0", "2"),
    }  # fmt: skip


def test_include_adds_cells_of_the_grid_to_one_at_a_time(study_of):
    text = (
        "question: q\ndesign: one_at_a_time\nfactors: {data.frames: [4, 8], data.seed: [0, 1]}\n"
        "include: [{data.frames: 8, data.seed: 1}]\n"
    )

    assert len(names(study_of(text))) == 4


def test_paired_factors_move_together(study_of):
    text = (
        "question: q\nfactors: {data.frames: [4, 8], data.seed: [0, 1], train.batch_size: [32, 16]}"
        "\npaired: [[data.frames, train.batch_size]]\n"
    )
    cells = expand(study_of(text))

    assert [tuple(cell.levels.values()) for cell in cells] == [
        ("4", "0", "32"), ("4", "1", "32"), ("8", "0", "16"), ("8", "1", "16"),
    ]  # fmt: skip
    assert list(cells[0].levels) == ["data.frames", "data.seed", "train.batch_size"]


def test_a_baseline_follows_its_pair(study_of):
    text = (
        "question: q\ndesign: one_at_a_time\n"
        "factors: {data.frames: [4, 8], train.batch_size: [32, 16], data.seed: [0, 1]}\n"
        "paired: [[data.frames, train.batch_size]]\nreport: {baseline: {train.batch_size: 16}}\n"
    )

    assert study_of(text).baseline == {
        "data.frames": "8",
        "train.batch_size": "16",
        "data.seed": "0",
    }
    with pytest.raises(StudyError, match=r"\.yaml:5: report\.baseline: .* not of one pair"):
        study_of(text.replace("{train.batch_size: 16}", "{train.batch_size: 16, data.frames: 4}"))


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            "exclude: [{data.seed: 1}, {data.frames: 4, data.seed: 7}]",
            "s0.yaml:3: exclude[1].data.seed: data.seed has no level 7 (levels: 0, 1)",
        ),
        (
            "exclude: [{data.frams: 4}]",
            's0.yaml:3: exclude[0].data.frams: unknown factor; did you mean "data.frames"? '
            "(factors: data.frames, data.seed)",
        ),
        ("exclude: [4]", "s0.yaml:3: exclude[0]: expected factor: level, got 4"),
        ("exclude: [{data.seed: 0}, {data.seed: 1}]", "s0.yaml:3: exclude: leaves no cell"),
        ("include: [{data.seed: 0}]", "s0.yaml:3: include[0]: adds no cell: "),
        (
            "exclude: [{data.frames: 4}]\nreport: {baseline: {data.frames: 4}}",
            "s0.yaml:4: report.baseline: no cell of the study has data.frames=4",
        ),
        (
            "design: one_at_a_time\nexclude: [{data.frames: 8, data.seed: 1}]",
            "s0.yaml:4: exclude[0]: matches no cell of the design",
        ),
    ],
)
def test_matches_that_do_nothing_are_mistakes(study_of, extra, message):
    text = f"question: q\nfactors: {{data.frames: [4, 8], data.seed: [0, 1]}}\n{extra}\n"
    with pytest.raises(StudyError) as caught:
        expand(study_of(text))

    told = str(caught.value)
    assert message in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "factors:\n  data.frames:\n    - 4\n    - 0\n",
            "5: factors.data.frames[1]: must be at least 1, got 0",
        ),
        (
            "factors:\n  variant:\n    b: {run.slurm.mem_gb: much}\n",
            '4: factors.variant.b.run.slurm.mem_gb: expected a number, got "much" (text)',
        ),
        (
            "base: {model: {width: 64}}\nfactors:\n  variant:\n    odd: {model.heads: 5}\n",
            "5: factors.variant.odd.model.heads: model.width: 64 is not divisible by heads 5 "
            "(cell variant=odd)",
        ),
        (
            "factors:\n  clips:\n    drawn: {}\n    filmed: {data: {name: video_list, "
            "num_classes: 3}}\n",
            "5: factors.clips.filmed.data.name: data.root: is required",
        ),
        (
            "factors:\n  variant:\n    a: {}\n    b: {model.spatial_depth: 1}\n",
            '5: factors.variant.b: cells "variant=a" and "variant=b" are the same run; '
            "take one out (exclude)",
        ),
    ],
    ids=["level", "slurm setting", "clash with the base", "chosen dataset", "two equal cells"],
)
def test_a_bad_level_is_told_at_its_own_line(study_of, text, message):
    assert complaint(study_of(f"question: q\n{text}")) == f"s0.yaml:{message}"


def test_a_key_that_a_cell_cannot_use_points_to_exclude(study_of):
    text = (
        "question: q\nfactors:\n  variant: {VLF: {}, TSN: {model: {name: tsn}}}\n"
        "  model.spatial_depth: [0, 1]\n"
    )

    assert complaint(study_of(text)) == (
        's0.yaml:4: factors.model.spatial_depth[0]: tsn has no "model.spatial_depth"; leave such '
        "cells out with exclude: [{variant: TSN, model.spatial_depth: 0}] "
        "(cell variant=TSN, model.spatial_depth=0)"
    )
    assert len(expand(study_of(text + "exclude: [{variant: TSN}]\n"))) == 2


def test_a_grid_that_is_too_large_is_refused_before_it_is_made(study_of):
    levels = list(range(1, 101))
    text = (
        f"question: q\nfactors: {{data.frames: {levels}, data.seed: {levels}, "
        f"train.epochs: {levels}, train.batch_size: {levels}}}\n"
    )

    assert complaint(study_of(text)).startswith(
        f"s0.yaml:2: factors: 100 x 100 x 100 x 100 = 100,000,000 cells, more than {MAX_CELLS:,}"
    )
    assert len(expand(study_of(f"{text}design: one_at_a_time\n"))) == 397


def test_ten_thousand_cells_keep_their_own_settings(study_of):
    frames, seeds = list(range(1, 101)), list(range(100))
    cells = expand(
        study_of(f"question: q\nfactors: {{data.frames: {frames}, data.seed: {seeds}}}\n")
    )

    assert len({cell.name for cell in cells}) == 10_000
    assert all(str(cell.config.data.seed) == cell.levels["data.seed"] for cell in cells)
    assert all(str(cell.config.data.frames) == cell.levels["data.frames"] for cell in cells)


def test_a_quick_study_is_small_whatever_its_factors_say(study_of):
    text = (
        "question: q\nbase: {data: {limit: 10}}\n"
        "factors: {train.epochs: [1, 8, 16], variant: {few: {}, many: {data.limit: 5000}}}\n"
    )
    cells = expand(study_of(text, quick=True))

    assert [cell.config.train.epochs for cell in cells] == [1, 1, 2, 2, 2, 2]
    assert [cell.config.data.limit for cell in cells] == [10, 64] * 3


def test_what_cannot_be_built_is_located_at_the_level_or_the_choice_or_the_base(study_of):
    study = study_of(VARIANTS)
    cells = {cell.name: cell for cell in expand(study)}
    former = cells["model.mlp_ratio=1.0, variant=TimeSformer-like"]
    plain = cells["model.mlp_ratio=1.0, variant=VLF"]

    def told(cell, key, message):
        return str(locate(study, cell, ConfigError(key, message))).rpartition("/")[2]

    where = "(cell model.mlp_ratio=1.0, variant=TimeSformer-like)"
    assert told(former, "model.patch", "4 does not divide data.size 33") == (
        "s0.yaml:10: factors.variant.TimeSformer-like.model.patch: "
        f"4 does not divide data.size 33 {where}"
    )
    assert told(former, "model.depth", "is too deep") == (
        f"s0.yaml:10: factors.variant.TimeSformer-like.model.name: model.depth: is too deep {where}"
    )
    assert told(plain, "data.frames", "has too many").startswith(
        "s0.yaml:3: base.data.frames: has too many (cell "
    )
    assert told(plain, "data.size", "is odd").startswith("s0.yaml:3: base.data.size: is odd (cell")
    assert told(plain, "", "cannot be built").startswith("s0.yaml:2: base: cannot be built (cell")


def test_a_factor_of_architectures_starts_each_from_its_defaults(study_of):
    cells = expand(
        study_of(
            "question: q\nbase: {model: {name: vlf, width: 32}}\n"
            "factors: {model.dropout: [0.0, 0.5], model.name: [vlf, tsn]}\n"
        )
    )

    assert [cell.config.model for cell in cells] == [
        VLFConfig(width=32),
        TSNConfig(),
        VLFConfig(width=32, dropout=0.5),
        TSNConfig(dropout=0.5),
    ]
