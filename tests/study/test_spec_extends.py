import pytest

from study.spec.grid import expand
from study.spec.study import StudyError, load_study

PARENT = """\
question: The parent's question?
base:
  model: {width: 64, heads: 4}
  train: {epochs: 3, lr: 0.1}
factors:
  model.heads: [2, 4]
seeds: [0, 1]
"""


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write_file


def complaint(path, folder):
    with pytest.raises(StudyError) as caught:
        expand(load_study(path))
    return str(caught.value).replace(f"{folder}/", "")


def test_mappings_are_merged_and_all_else_is_replaced(write):
    write("shared/parent.yaml", PARENT)
    child = write(
        "child.yaml",
        "extends: shared/parent.yaml\nquestion: Mine?\nbase: {train: {lr: 0.2}}\nseeds: [5]\n",
    )

    study = load_study(child)

    assert study.question == "Mine?"
    assert study.base["model"] == {"width": 64, "heads": 4}
    assert study.base["train"] == {"epochs": 3, "lr": 0.2}
    assert list(study.factors) == ["model.heads"]
    assert study.seeds == (5,)


@pytest.mark.parametrize("is_long", [False, True])
def test_an_empty_value_takes_out_a_factor_however_long_the_chain(write, is_long):
    write("grand.yaml", PARENT)
    between = "extends: grand.yaml\nfactors: {model.heads: [2, 8]}\n"
    write("parent.yaml", between if is_long else PARENT)
    child = write(
        "child.yaml", "extends: parent.yaml\nfactors: {model.heads: , data.frames: [4, 8]}\n"
    )

    assert list(load_study(child).factors) == ["data.frames"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "factors:\n  data.frames:\n",  # which no extended file has
            "child.yaml:3: factors.data.frames: expected a list of levels, got nothing",
        ),
        (
            "base:\n  model: {width: 63, heads: 3}\n",
            "parent.yaml:6: factors.model.heads[0]: model.width: 63 is not divisible by heads 2 "
            "(cell model.heads=2)",
        ),
    ],
)
def test_a_mistake_across_files_is_shown_where_the_level_is(write, tmp_path, text, message):
    write("parent.yaml", PARENT)

    assert complaint(write("child.yaml", f"extends: parent.yaml\n{text}"), tmp_path) == message


FULL = """\
question: The parent's question?
base:
  data: {limit: 20}
  train: {epochs: 3}
factors:
  variant: {VLF: {}, no g: {model.spatial_depth: 0}}
  data.frames: [4, 8]
paired: [[variant, data.frames]]
design: one_at_a_time
exclude: [{variant: no g}]
include: [{variant: no g}]
seeds: [3, 4]
tune: {train.lr: [1e-3, 2e-3], seeds: [7]}
match: {metric: macs, by: {vlf: model.width}, within: 50%}
claims: ["macs[VLF] > macs[no g]"]
cost: {rounds: 7, sweep_to: 4}
run: {workers: 2}
report: {title: T, baseline: {variant: VLF}}
"""


@pytest.mark.parametrize(
    "key", [line.partition(":")[0] for line in FULL.splitlines() if line[0] != " "]
)
def test_a_key_with_nothing_behind_it_keeps_what_the_extended_file_says(write, key):
    parent = load_study(write("parent.yaml", FULL))

    study = load_study(write("child.yaml", f"extends: parent.yaml\n{key}:\n"))

    shown = {name for name in vars(parent)} - {"path", "digest", "texts", "places"}
    assert {name: getattr(study, name) for name in shown} == {
        name: getattr(parent, name) for name in shown
    }


def test_blank_keeps_a_value_and_null_is_one(write):
    write("parent.yaml", FULL)
    blank = write(
        "blank.yaml", "extends: parent.yaml\nbase: {data: {limit: }}\ncost: {sweep_to: }\n"
    )
    null = write(
        "null.yaml", "extends: parent.yaml\nbase: {data: {limit: null}}\ncost: {sweep_to: ~}\n"
    )

    assert load_study(blank).base["data"] == {"limit": 20}
    assert load_study(blank).cost.sweep_to == 4
    assert load_study(null).base["data"] == {"limit": None}
    assert load_study(null).cost.sweep_to is None


@pytest.mark.parametrize("section", ["tune", "match", "cost"])
def test_null_takes_out_a_section_of_the_extended_file(write, section):
    lines = [line for line in FULL.splitlines() if not line.startswith(section)]
    without = load_study(write("without.yaml", "\n".join(lines)))
    write("parent.yaml", FULL)

    study = load_study(write("child.yaml", f"extends: parent.yaml\n{section}: null\n"))

    assert getattr(study, section) == getattr(without, section)
    assert getattr(study, section) != getattr(load_study(write("parent.yaml", FULL)), section)


def test_null_takes_out_a_labelled_level_of_the_extended_file(write):
    write(
        "parent.yaml", "question: q\nfactors: {v: {a: {}, b: {data.seed: 1}, c: {data.seed: 2}}}\n"
    )
    child = write("child.yaml", "extends: parent.yaml\nfactors: {v: {b: null, c: }}\n")

    assert [level.label for level in load_study(child).factors["v"]] == ["a", "c"]
    assert load_study(child).factors["v"][1].patch == {"data.seed": 2}


def test_the_architecture_of_a_grandparent_does_not_come_back(write):
    write("grand.yaml", "question: q\nbase: {model: {name: vlf, width: 32}}\n")
    write("parent.yaml", "extends: grand.yaml\nbase: {model: {name: tsn}}\n")
    child = write("child.yaml", "extends: parent.yaml\nbase: {model: {name: vlf}}\n")

    assert load_study(child).base["model"] == {"name": "vlf"}


def test_another_architecture_inherits_nothing_of_the_extended_base(write):
    write("parent.yaml", PARENT)
    child = write(
        "child.yaml",
        "extends: parent.yaml\nbase: {model: {name: tsn}}\nfactors: {model.heads: }\n",
    )

    study = load_study(child)

    assert study.base["model"] == {"name": "tsn"}
    assert study.base["train"]["epochs"] == 3


def test_a_mistake_is_shown_in_the_file_that_holds_it(write, tmp_path):
    write("grand.yaml", "question: q?\nbase:\n  data:\n    frams: 4\n")
    write("parent.yaml", "extends: grand.yaml\nbase: {train: {epochs: 2}}\n")
    child = write("child.yaml", "extends: parent.yaml\n\nseeds: [0]\n")

    assert complaint(child, tmp_path).startswith("grand.yaml:4: base.data.frams: unknown key")

    write("grand.yaml", "question: q?\n")
    write("child.yaml", "extends: parent.yaml\n\nbase: {train: {epochs: 0}}\n")

    assert (
        complaint(child, tmp_path) == "child.yaml:3: base.train.epochs: must be at least 1, got 0"
    )


def test_circles_and_missing_files_are_refused_at_their_line(write, tmp_path):
    write("a.yaml", "question: q?\nextends: b.yaml\n")
    write("b.yaml", "extends: a.yaml\n")

    assert complaint(tmp_path / "a.yaml", tmp_path).startswith("b.yaml:1: extends: a.yaml extends")

    lonely = write("lonely.yaml", "question: q?\nextends: nothing.yaml\n")

    assert complaint(lonely, tmp_path) == "lonely.yaml:2: extends: no such file: nothing.yaml"


def test_the_digest_changes_with_an_extended_file(write):
    write("parent.yaml", PARENT)
    child = write("child.yaml", "extends: parent.yaml\n")
    before = load_study(child).digest

    write("parent.yaml", PARENT + "# a remark\n")

    assert load_study(child).digest != before


def test_the_digest_is_that_of_the_text(tmp_path):
    texts = {"first": "question: q\n", "same": "question: q\n", "other": "question: q\n\n"}
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    first, same, other = (load_study(tmp_path / f"{name}.yaml").digest for name in texts)

    assert first == same != other
    assert len(first) == 64
