"""Variants scaled to equal cost: how `match` is read, and what is chosen."""

import json

import pytest

from study.match.cells import keep_values, match_cells
from study.match.search import nearest_value, valid_values, with_field
from study.match.words import matched_words, ratio_to_target
from study.plan.identity import train_identity
from study.plan.preflight import count_model
from study.spec.grid import expand
from study.spec.study import StudyError, load_study
from vlf.config import ConfigError, TimeSformerConfig, VLFConfig

TIMES = "\N{MULTIPLICATION SIGN}"

STUDY = """\
question: Which is better at equal cost?
base:
  data: {name: motion, frames: 4, size: 16}
  model: {name: vlf, width: 16, heads: 4, spatial_depth: 1, spatiotemporal_depth: 1}
factors:
  variant:
    VLF: {}
    no g: {model.spatial_depth: 0}
    TimeSformer-like: {model: {name: timesformer, patch: 4, width: 16, heads: 4, depth: 1}}
    TSN: {model: {name: tsn}}
  data.frames: [2, 4]
match:
  metric: macs
  to: {variant: VLF}
  by:
    no g: {key: model.width, max: 64}
    timesformer: {key: model.width, max: 64}
  within: 15%
"""


def write(folder, text):
    path = folder / "matched.yaml"
    path.write_text(text, "utf-8")
    return path


def matched(folder, text, **options):
    study = load_study(write(folder, text), **options)
    return study, {cell.name: cell for cell in match_cells(study, expand(study), folder / "none")}


def complaint(folder, old, new, text=STUDY):
    assert old in text
    with pytest.raises(StudyError) as caught:
        matched(folder, text.replace(old, new))
    return str(caught.value).removeprefix(f"{folder}/")


COUNTS = {}  # a count takes tens of milliseconds, and several tests try all widths


def counted(model, data, metric="macs"):
    key = (model.model_dump_json(), data)
    if key not in COUNTS:
        COUNTS[key] = count_model(model, data)
    return getattr(COUNTS[key], metric)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The study above: itself, its cells by name, and the same before they were scaled."""
    study, cells = matched(tmp_path_factory.mktemp("plain"), STUDY)
    return study, cells, {cell.name: cell for cell in expand(study)}


@pytest.mark.parametrize("metric", ["macs", "parameters"])
def test_no_other_valid_width_comes_nearer_to_the_target(tmp_path, metric):
    text = STUDY.replace("metric: macs", f"metric: {metric}").replace("15%", "60%")
    study, cells = matched(tmp_path, text)
    before = {cell.name: cell for cell in expand(study)}

    for name, frames in (("no g", 4), ("TimeSformer-like", 2)):
        cell = cells[f"variant={name}, data.frames={frames}"]
        data, unscaled = cell.config.data, before[cell.name].config.model
        target = cells[f"variant=VLF, data.frames={frames}"].config.model
        wanted = counted(target, data, metric)
        far = {
            width: abs(counted(with_field(unscaled, "width", width), data, metric) / wanted - 1)
            for width in range(4, 65, 4)
        }
        assert cell.config.model.width == min(far, key=far.get)
        assert data.frames == frames


def test_what_is_not_named_stays_and_the_target_is_no_cell_of_another_level(plain):
    _, cells, before = plain

    for name in ("VLF", "TSN"):
        for frames in (2, 4):
            cell = cells[f"variant={name}, data.frames={frames}"]
            assert cell.config == before[cell.name].config
            assert cell.matched.target == f"variant=VLF, data.frames={frames}"


def test_the_plan_tells_the_value_and_the_counted_distance(plain):
    study, cells, _ = plain
    counts = {name: count_model(c.config.model, c.config.data) for name, c in cells.items()}
    target = counts["variant=VLF, data.frames=4"].macs

    scaled, as_it_is = cells["variant=no g, data.frames=4"], cells["variant=TSN, data.frames=4"]

    assert ratio_to_target(study.match, scaled, counts) == counts[scaled.name].macs / target
    assert matched_words(study.match, scaled, counts) == (
        f"width {scaled.config.model.width}, {counts[scaled.name].macs / target:.3f}{TIMES}"
    )
    assert matched_words(study.match, as_it_is, counts) == (
        f"as it is, {counts[as_it_is.name].macs / target:.3f}{TIMES}"
    )
    assert matched_words(study.match, cells["variant=VLF, data.frames=4"], counts) == "target"


def test_a_cost_in_numbers_is_met_by_every_cell_that_may_be_scaled(tmp_path):
    text = STUDY.replace("to: {variant: VLF}", "to: 0.9 M").replace("no g: {key", "vlf: {key")
    study, cells = matched(tmp_path, text.replace("[2, 4]", "[4]"))

    assert study.match.to == 900_000
    for name, cell in cells.items():
        if "TSN" not in name:
            assert counted(cell.config.model, cell.config.data) == pytest.approx(9e5, rel=0.15)
    assert cells["variant=VLF, data.frames=4"].config.model.width > 16


def test_without_a_target_the_baseline_of_the_report_is_it(tmp_path):
    text = STUDY.replace("  to: {variant: VLF}\n", "") + "report: {baseline: {variant: TSN}}\n"

    study = load_study(write(tmp_path, text))

    assert study.match.to == {"variant": "TSN"}


def test_an_entry_of_a_level_goes_before_that_of_its_architecture(tmp_path):
    text = STUDY.replace(
        "    no g: {key: model.width, max: 64}\n", "    vlf: model.width\n    no g:\n"
    )

    _, cells = matched(tmp_path, text)

    assert cells["variant=no g, data.frames=4"].config.model.width == 16


def test_depth_can_be_scaled_too(tmp_path):
    text = STUDY.replace("model.width, max: 64}\n  within", "model.depth, max: 6}\n  within")

    _, cells = matched(tmp_path, text.replace("15%", "60%"))
    cell = cells["variant=TimeSformer-like, data.frames=4"]
    data = cell.config.data
    target = counted(cells["variant=VLF, data.frames=4"].config.model, data)

    costs = {d: counted(with_field(cell.config.model, "depth", d), data) for d in range(1, 7)}
    assert cell.config.model.depth == min(costs, key=lambda d: abs(costs[d] / target - 1))
    assert cell.config.model.depth > 1


def test_a_matched_cell_shares_its_records_with_the_same_run_of_another_study(plain, tmp_path):
    _, cells, _ = plain
    cell = cells["variant=no g, data.frames=4"]
    width = cell.config.model.width
    other = load_study(
        write(
            tmp_path,
            "question: q\nbase:\n  data: {name: motion, frames: 4, size: 16}\n  model: {name: vlf, "
            f"width: {width}, heads: 4, spatial_depth: 0, spatiotemporal_depth: 1}}\n",
        )
    )

    (same,) = expand(other)

    assert train_identity(cell.config, 0, "cpu", {}) == train_identity(same.config, 0, "cpu", {})


def test_what_was_chosen_for_a_run_is_read_back_and_only_for_the_same_question(plain, tmp_path):
    study, cells, _ = plain
    keep_values(study, expand(study), list(cells.values()), tmp_path)
    (path,) = (tmp_path / "scaled").iterdir()
    kept = json.loads(path.read_text("utf-8"))
    assert kept["values"].keys() == {name for name, cell in cells.items() if cell.matched.key}
    kept["values"]["variant=no g, data.frames=4"] = 60  # told apart from what would be chosen
    path.write_text(json.dumps(kept), "utf-8")

    again = {cell.name: cell for cell in match_cells(study, expand(study), tmp_path)}
    assert again["variant=no g, data.frames=4"].config.model.width == 60

    other = load_study(write(tmp_path, STUDY.replace("15%", "16%")))
    fresh = {cell.name: cell for cell in match_cells(other, expand(other), tmp_path)}
    assert fresh == cells


@pytest.mark.parametrize("content", ["", "[]", '{"values": {}}', '{"values": null}', "\0"])
def test_a_damaged_file_of_values_is_chosen_anew(tmp_path, content):
    text = STUDY.replace("    no g: {key: model.width, max: 64}\n", "").replace("[2, 4]", "[4]")
    text = text.replace("model.width, max: 64", "model.depth, max: 2").replace("15%", "95%")
    study = load_study(write(tmp_path, text))
    cells = match_cells(study, expand(study), tmp_path)
    keep_values(study, expand(study), cells, tmp_path)
    (path,) = (tmp_path / "scaled").iterdir()
    path.write_text(content, "utf-8")

    assert match_cells(study, expand(study), tmp_path) == cells


@pytest.mark.parametrize("values", [range(1, 40), range(3, 5), [7]])
@pytest.mark.parametrize("exponent", [1, 2, -1])
@pytest.mark.parametrize("target", [0.5, 7.0, 100.0, 1e4])
def test_bisection_finds_what_trying_all_finds(values, exponent, target):
    def cost(value):  # a third of the values cannot be built
        return None if value % 3 == 2 else 5.0 * value**exponent

    possible = {value: cost(value) for value in values if cost(value) is not None}

    best, found = nearest_value(values, cost, target)

    assert best == min(possible, key=lambda value: (abs(possible[value] / target - 1), value))
    assert found.items() <= possible.items()


def test_a_cost_that_goes_up_and_down_is_counted_at_every_value():
    costs = {1: 10.0, 2: 40.0, 3: 20.0, 4: 35.0, 5: 50.0}

    assert nearest_value(list(costs), costs.get, 36.0)[0] == 4


def test_values_are_those_that_the_config_itself_allows():
    assert valid_values(VLFConfig(width=16, heads=4), "width", 1, 20) == [4, 8, 12, 16, 20]
    assert valid_values(TimeSformerConfig(width=12, heads=4), "heads") == [1, 2, 3, 4, 6, 12]
    assert valid_values(TimeSformerConfig(), "depth") == list(range(1, 65))


def test_what_cannot_be_built_is_not_taken_for_a_value(tmp_path):
    text = STUDY.replace(
        "timesformer: {key: model.width, max: 64}",
        "timesformer: {key: model.patch, min: 1, max: 40}",
    ).replace("15%", "95%")

    study, cells = matched(tmp_path, text)
    before = {cell.name: cell for cell in expand(study)}
    cell = cells["variant=TimeSformer-like, data.frames=4"]
    target = counted(cells["variant=VLF, data.frames=4"].config.model, cell.config.data)

    costs = {}
    for patch in range(1, 41):
        try:
            model = with_field(before[cell.name].config.model, "patch", patch)
            costs[patch] = counted(model, cell.config.data)
        except ConfigError:
            continue
    assert sorted(costs) == [1, 2, 4, 8, 16]
    assert cell.config.model.patch == min(costs, key=lambda p: abs(costs[p] / target - 1))


def test_a_variant_that_cannot_come_near_is_told_with_the_two_values_around_the_target(tmp_path):
    message = complaint(tmp_path, "within: 15%", "within: 0.1%")

    assert message.startswith("matched.yaml:16: match.by.no g: no model.width brings variant=no g")
    assert "within 0.1 % of" in message
    below, above = message.partition("nearest: ")[2].split(" and ")
    assert "(0." in below
    assert "(1." in above


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("metric: macs", "metric: mac",
         'match.metric: expected one of macs, parameters, latency, got "mac"'),
        ("  metric: macs\n", "", "match: metric is required"),
        ("metric:", "metrik:", 'match.metrik: unknown key; did you mean "metric"?'),
        ("{variant: VLF}", "{variant: VLV}", 'variant has no level "VLV"; did you mean "VLF"?'),
        ("{variant: VLF}", "40 MW", 'match.to: expected {factor: level}, or MACs such as 40e6'),
        ("{variant: VLF}", "-3", "match.to: expected {factor: level}, or MACs such as 40e6"),
        ("{variant: VLF}", "3 parameters", "match.to: expected {factor: level}, or MACs such"),
        ("15%", "0.15", "match.within: expected a share of the target such as 5%, got 0.15"),
        ("no g: {key", "no q: {key", 'is no level or architecture; did you mean "no g"?'),
        ("model.width, max", "data.size, max", 'expected a key of the model, got "data.size"'),
        ("no g: {key: model.width", "no g: {key: model.widht",
         'match.by.no g.key: unknown key; did you mean "width"?'),
        ("timesformer: {key: model.width", "tsn: {key: model.width",
         'match.by.tsn.key: tsn has no "model.width": unknown key'),
        ("no g: {key: model.width", "TSN: {key: model.width",
         'match.by.TSN: tsn has no whole number "model.width" (allowed: none) (cell variant=TSN'),
        ("no g: {key: model.width", "no g: {key: model.mlp_ratio",
         'vlf has no whole number "model.mlp_ratio" (allowed: model.width, model.heads'),
        ("timesformer: {key: model.width, max: 64}", "timesformer: model.patch",
         "model.patch: has no bound of its own; write {key: model.patch, max: ...}"),
        ("max: 64", "min: 65, max: 64", "min must be less than max, got 65 and 64"),
        ("    timesformer:", "    vivit:", "match.by.vivit: names no cell of the study"),
        ("    timesformer:", "    data.frames=2:",
         "both name the cell variant=no g, data.frames=2"),
        ("\nmatch:", "\nexclude: [{variant: VLF, data.frames: 2}]\nmatch:",
         'match.to: "variant=VLF, data.frames=2", which sets the cost of "variant=no g, '
         'data.frames=2", is no cell of the study; leave it out with exclude: [{variant: no g, '
         "data.frames: 2}]"),
        ("data.frames: [2, 4]", "model.width: [16, 24]",
         "model.width is a factor of this study, which sets it"),
        ("TSN: {model: {name: tsn}}", "wide: {model: {spatial_depth: 0, width: 24}}\n"
         "    TSN: {model: {name: tsn}}", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_says_where(tmp_path, old, new, message):
    if not message:
        text = STUDY.replace("    no g: {key", "    vlf: {key").replace(old, new)
        found = complaint(tmp_path, "question", "question", text)
        message = 'scaled, "variant=no g, data.frames=2" and "variant=wide, data.frames=2" are the'
    else:
        found = complaint(tmp_path, old, new)

    assert found.startswith("matched.yaml:")
    assert message in found
    assert "\n" not in found


def test_what_a_matched_cell_tunes_is_its_scaled_model(tmp_path):
    tune = "tune: {train.lr: [1.0e-3, 2.0e-3], seeds: [9]}\n"
    _, cells = matched(tmp_path, STUDY + tune)

    for cell in cells.values():
        models = {one.model for trial in cell.trials for one in (trial.short, trial.full)}
        assert models == {cell.config.model}
    small, large = (cells[f"variant=no g, data.frames={n}"] for n in (2, 4))
    assert small.config.model.width != 16 or large.config.model.width != 16  # scaled at all
