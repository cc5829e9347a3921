"""`--resolve`: the study that it writes trains what `match` would, and says how near it came."""

import dataclasses
import re

import pytest

import run_study
from analysis.stats.estimates import median_ratio
from study.match.cells import match_cells
from study.match.resolve import resolve_study
from study.plan.identity import train_identity
from study.spec.grid import expand
from study.spec.study import StudyError, load_study

STUDY = """\
question: Which is better at equal cost?
base:
  data: {name: motion, frames: 2, size: 16, train_clips: 20, val_clips: 10, test_clips: 10}
  model: {name: vlf, width: 16, heads: 4, spatial_depth: 1, spatiotemporal_depth: 1}
factors:
  variant:
    VLF: {}
    "no g": {model.spatial_depth: 0}
    former: {model: {name: timesformer, patch: 8, width: 16, heads: 4, depth: 1}}
    TSN: {model: {name: tsn}}
match:
  metric: macs
  to: {variant: VLF}
  by: {vlf: model.width, timesformer: model.width}
  within: 60%
seeds: [0]
cost: {rounds: 5, batch_sizes: [1]}
report: {baseline: {variant: VLF}}
"""
FRAMES = STUDY.replace("factors:\n", "factors:\n  data.frames: [2, 4]\n")
TIMED = STUDY.replace("metric: macs", "metric: latency").replace("60%", "99%")
TIMED = TIMED.replace("timesformer: model.width", "timesformer: {key: model.width, max: 64}")


def write(folder, text=STUDY):
    path = folder / "equal.yaml"
    path.write_text(text, "utf-8")
    return path


def runs(cells):
    return {cell.name: train_identity(cell.config, 0, "cpu", {}) for cell in cells}


@pytest.mark.parametrize("text", [STUDY, STUDY.replace("macs", "parameters"), FRAMES])
def test_the_written_study_trains_the_same_runs_as_the_matched_one(tmp_path, text):
    study = load_study(write(tmp_path, text))
    out = tmp_path / "resolved" / "levels.yaml"

    chosen = resolve_study(study, out, median_ratio)

    resolved = load_study(out)
    assert resolved.match is None
    assert runs(expand(resolved)) == runs(match_cells(study, expand(study), tmp_path))
    assert chosen.keys() == {
        cell.name for cell in expand(study) if cell.levels["variant"] in ("no g", "former")
    }
    assert [path.name for path in out.parent.iterdir()] == ["levels.yaml"]
    same = ("question", "seeds", "claims", "report", "design")
    assert [getattr(resolved, name) for name in same] == [getattr(study, name) for name in same]


def test_each_level_says_how_near_it_came(tmp_path):
    study = load_study(write(tmp_path))

    resolve_study(study, tmp_path / "levels.yaml", median_ratio)

    lines = (tmp_path / "levels.yaml").read_text("utf-8").splitlines()
    assert lines[1:5] == ['extends: "equal.yaml"', "match: null", "factors:", "  variant:"]
    no_g, former = lines[5:]
    pattern = r"  # (0|1)\.\d{3} times the [\d.]+ k MACs of variant=VLF"
    assert re.fullmatch(r"    no g: \{model\.width: \d+\}" + pattern, no_g)
    assert re.fullmatch(r"    former: \{model: \{width: \d+\}\}" + pattern, former)


def test_a_level_of_several_cells_says_how_near_each_came(tmp_path):
    study = load_study(write(tmp_path, FRAMES))

    resolve_study(study, tmp_path / "levels.yaml", median_ratio)

    text = (tmp_path / "levels.yaml").read_text("utf-8")
    (no_g,) = [line for line in text.splitlines() if line.startswith("    no g")]
    assert "MACs of data.frames=2, variant=VLF; " in no_g
    assert no_g.endswith("MACs of data.frames=4, variant=VLF")


def test_a_latency_is_timed_and_the_resolved_study_can_be_planned(tmp_path, capsys):
    path, out = write(tmp_path, TIMED), tmp_path / "fast.yaml"

    assert run_study.main([str(path), "--resolve", str(out)]) == 0

    said = capsys.readouterr().out
    assert "variant=former: width" in said
    lines = out.read_text("utf-8").splitlines()
    assert lines[0].endswith("latency within 99 %.")
    for line in lines[5:]:
        assert re.search(r"# \d\.\d{3}. \[.*\] the latency of variant=VLF, batch 1, eager, 1", line)
    plan = [str(out), "--plan", "--results", str(tmp_path / "results")]
    assert run_study.main(plan) == 0


def test_a_study_that_matches_latency_is_refused_with_the_command_that_resolves_it(
    tmp_path, capsys
):
    path = write(tmp_path, TIMED)

    assert run_study.main([str(path), "--results", str(tmp_path / "results")]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"error: {path}:12: match.metric: a latency is matched before the study is run: python "
        f"run_study.py {path} --resolve {path.with_name('equal_resolved.yaml')}; then run "
        "equal_resolved.yaml"
    )
    assert not (tmp_path / "results").exists()


def test_a_latency_that_no_value_comes_near_is_an_error_with_the_nearest_ones(tmp_path):
    study = load_study(write(tmp_path, TIMED))
    study = dataclasses.replace(study, match=dataclasses.replace(study.match, within=1e-9))
    out = tmp_path / "fast.yaml"

    with pytest.raises(StudyError, match=r"no model\.width brings .* within 1e-07 % .* nearest: "):
        resolve_study(study, out, median_ratio)

    assert not out.exists()


def test_values_that_several_factors_decide_on_are_refused(tmp_path):
    text = FRAMES.replace("timesformer: model.width", "former: model.width")
    text = text.replace("  to: {variant: VLF}\n", "  to: {variant: VLF, data.frames: 2}\n")
    study = load_study(write(tmp_path, text.replace("60%", "90%")))

    with pytest.raises(StudyError, match="no factor with labelled levels decides on the values"):
        resolve_study(study, tmp_path / "levels.yaml", median_ratio)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "train.epochs=2"], "--set: does not go with --resolve"),
        (["--quick"], "--quick: does not go with --resolve"),
        ([], "levels.yaml exists; name another file, or remove it first"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(tmp_path, capsys, options, said):
    path, out = write(tmp_path), tmp_path / "levels.yaml"
    out.write_text("mine", "utf-8")

    assert run_study.main([str(path), "--resolve", str(out), *options]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert out.read_text("utf-8") == "mine"


def test_a_study_without_match_has_nothing_to_resolve(tmp_path):
    text = STUDY[: STUDY.index("match:")] + STUDY[STUDY.index("seeds:") :]

    with pytest.raises(StudyError, match="the study has no match"):
        resolve_study(load_study(write(tmp_path, text)), tmp_path / "levels.yaml", median_ratio)
