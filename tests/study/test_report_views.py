import pytest

from study.spec.study import StudyError, load_study

YAML = """\
question: Which part pays?
factors:
  variant:
    VLF: {}
    no g: {model.spatial_depth: 0}
    TSN: {model: {name: tsn}}
  data.frames: [4, 8]
  train.lr: [1e-3, 2.0e-3]
cost: {batch_sizes: [1, 8], modes: [eager, compile]}
report:
  title: A study
  views:
"""


def study(folder, *views):
    path = folder / "clip.yaml"
    path.write_text(YAML + "".join(f"    - {view}\n" for view in views), "utf-8")
    return load_study(path)


def complaint(folder, *views):
    with pytest.raises(StudyError) as caught:
        study(folder, *views)
    return str(caught.value).removeprefix(f"{folder}/")


def test_a_view_arrives_with_its_metrics_in_full_and_its_levels_with_their_factors(tmp_path):
    text = (
        "{name: fast, x: latency, y: top1, log: [x], device: a board, "
        "variants: [VLF, no g, data.frames=8, train.lr=0.002]}"
    )

    (view,) = study(tmp_path, text).report.views

    assert (view.name, view.figure, view.x, view.y) == ("fast", "scatter", "latency@1", "top1")
    assert (view.log, view.device) == (["x"], "a board")
    levels = ["variant=VLF", "variant=no g", "data.frames=8", "train.lr=2.0e-3"]
    assert view.variants == levels


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("top1 to baseline", "top1 to baseline"),
        ("latency@8", "latency@8"),
        ("latency eager", "latency@1"),
        ("latency compile", "latency compile@1"),
        ("throughput to baseline@8", "throughput to baseline@8"),
        ("macs", "macs"),
    ],
)
def test_a_metric_may_be_written_short(tmp_path, text, full):
    assert study(tmp_path, f"{{name: one, y: {text}}}").report.views[0].y == full


@pytest.mark.parametrize(
    ("view", "told"),
    [
        ("{x: macs}", "clip.yaml:13: report.views[0].name: is required"),
        ("{name: a, z: macs}", "report.views[0].z: unknown key (allowed: name, figure, x, y,"),
        ("{name: a, figur: bars}", 'report.views[0].figur: unknown key; did you mean "figure"?'),
        ("{name: a, figure: pie}", "report.views[0].figure: expected one of scatter, bars, got"),
        ("{name: a, y: topp1}", 'report.views[0].y: unknown metric "topp1"; did you mean "top1"?'),
        ("{name: a, y: top1@8}", "report.views[0].y: top1 has no batch size"),
        ("{name: a, x: latency@2}", "x: batch size 2 is not measured (cost.batch_sizes: 1, 8)"),
        ("{name: a, x: latency compil}", 'latency has no "compil"; did you mean "compile"?'),
        ("{name: a, x: energy to baseline}", "energy is not compared with the baseline"),
        ("{name: a, log: [z]}", 'report.views[0].log[0]: expected one of x, y, got "z"'),
        ("{name: a, variants: [VLFF]}", 'report.views[0].variants[0]: no factor has the level "VL'),
        ("{name: a, variants: [frames=8]}", 'variants[0]: unknown factor "frames"'),
        ("{name: a, variants: [data.frames=9]}", "report.views[0].variants[0]: "),
    ],
)
def test_what_a_study_does_not_have_is_refused_with_its_line(tmp_path, view, told):
    message = complaint(tmp_path, view)

    assert message.startswith("clip.yaml:13: report.views[0]")
    assert told in message


def test_two_views_of_one_name_are_refused(tmp_path):
    assert complaint(tmp_path, "{name: a}", "{name: a, y: top5}") == (
        'clip.yaml:14: report.views[1].name: two views have the name "a"'
    )
