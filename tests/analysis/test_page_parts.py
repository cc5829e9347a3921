"""What the page holds, before a browser sees it: numbers, cells, data that cannot run."""

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from outcomes import with_record

from analysis.report.page.cells import cell_sections, study_command
from analysis.report.page.curves import draw_curves
from analysis.report.page.embed import embedded, latex_parts, read_assets
from analysis.report.page.measures import measures
from analysis.results.provenance import places
from analysis.results.results import Results
from analysis.tables.main import main_table
from study.records.record import Elsewhere
from study.records.store import Key, Store
from study.spec.settings import CostConfig
from study.spec.study import load_study


def test_the_values_of_a_cell_are_those_of_the_tables(maker, seven_study):
    results = Results(seven_study, maker.seven(), maker.root)

    data = measures(results)

    for cell, variant in zip(data["cells"], results.variants, strict=True):
        accuracy, latency = results.accuracy(variant), results.cost(variant, "latency", 8)
        assert cell["label"] == variant.label
        assert cell["values"]["top1"] == pytest.approx(list(accuracy), rel=1e-6)
        assert cell["values"]["macs"] == [results.count(variant, "macs"), None, None, 1]
        assert cell["costs"][0]["latency@8"] == pytest.approx(list(latency), rel=1e-6)
        if variant.label != "VLF":
            ratio = results.ratio_to_baseline(variant, "latency", 1)
            assert cell["costs"][0]["latency to baseline@1"] == pytest.approx(list(ratio), rel=1e-6)
            difference, _ = results.differences[variant.cell]
            of = difference.value, difference.low, difference.high, difference.n
            assert cell["values"]["top1 to baseline"] == pytest.approx(list(of), rel=1e-6)
    assert "latency to baseline@1" not in data["cells"][0]["costs"][0]  # of the baseline itself


def test_one_seed_has_no_interval_and_a_failure_has_no_value(maker, seven_study):
    outcomes = [
        maker.train({"variant": "VLF"}, 0, 80.0),
        maker.train({"variant": "TSN"}, 0, 0, status="failed", reason="killed"),
    ]

    first, second = measures(Results(seven_study, outcomes, maker.root))["cells"]

    assert first["values"]["top1"] == [80, None, None, 1]
    assert second["values"] == {}
    assert first["remarks"] == {}


def test_remarks_of_the_table_are_those_of_the_page(maker, seven_study):
    outcomes = [
        maker.train({"variant": "VLF"}, 0, 80.0),
        maker.train({"variant": "VLF"}, 1, 0, status="failed", reason="killed"),
        maker.cost({"variant": "VLF"}, 9, 1e6, 4.0, notes=("timed with a fan off",)),
    ]

    (cell,) = measures(Results(seven_study, outcomes, maker.root))["cells"]

    assert cell["remarks"] == {"train": ("seed 1 failed: killed",), "0": ("timed with a fan off",)}


def test_costs_of_another_device_are_its_own_with_ratios_of_its_own_timing_run(maker):
    study = maker.study({"variant": ["VLF", "TSN"]})
    vlf, tsn = (
        maker.cost({"variant": "VLF"}, 9, 2e6, 4.0),
        maker.cost({"variant": "TSN"}, 9, 1e6, 2.0),
    )
    there = [
        dataclasses.replace(
            maker.cost({"variant": name}, 9, 1e6, ms, run="run-2").record,
            environment={"device_model": "A board"},
        )
        for name, ms in (("VLF", 40.0), ("TSN", 10.0))
    ]
    vlf = dataclasses.replace(vlf, elsewhere=(Elsewhere(there[0], there[0], False),))
    tsn = dataclasses.replace(tsn, elsewhere=(Elsewhere(there[1], there[0], False),))

    data = measures(Results(study, [vlf, tsn], maker.root))

    assert data["devices"] == ["Some CPU @ 2.1 GHz", "A board"]
    here, away = (data["cells"][1]["costs"][device] for device in (0, 1))
    assert here["latency@1"][0] == pytest.approx(2.0, rel=0.1)
    assert away["latency@1"][0] == pytest.approx(10.0, rel=0.1)
    assert away["latency to baseline@1"][0] == pytest.approx(0.25, rel=0.1)
    assert here["latency to baseline@1"][0] == pytest.approx(0.5, rel=0.1)


def test_another_mode_is_a_metric_of_its_own(maker):
    study = maker.study({"variant": ["VLF"]}, cost=CostConfig(modes=["eager", "compile"]))
    cost = maker.cost({"variant": "VLF"}, 9, 1e6, 4.0)
    compiled = [
        dataclasses.replace(
            one,
            conditions={**one.conditions, "mode": "compile"},
            samples=tuple(x / 2 for x in one.samples),
        )
        for one in cost.record.measurements
        if one.metric == "latency"
    ]
    both = with_record(cost, measurements=(*cost.record.measurements, *compiled))
    results = Results(study, [both], maker.root)

    values = measures(results)["cells"][0]["costs"][0]

    assert values["latency compile@1"][0] == pytest.approx(values["latency@1"][0] / 2)


def test_embedded_text_cannot_end_its_script_and_is_the_same_json(maker):
    evil = "</script><script>alert(1)</script><!-- & \u2028"
    study = maker.study({"variant": [evil]})
    results = Results(study, [maker.train({"variant": evil}, 0, 50.0)], maker.root)

    text = str(embedded(results, {"main": main_table(results)}))

    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["factors"][0]["levels"] == [evil]


def test_our_script_holds_no_end_tag_and_the_policy_names_it():
    assets = read_assets()

    assert "</" not in assets.script + assets.style
    assert "innerHTML" not in assets.script  # text from data is never read as markup
    assert "default-src 'none'" in assets.policy
    assert "unsafe" not in assets.policy


def test_the_latex_of_a_table_comes_apart_into_its_rows(maker, seven_study):
    table = main_table(Results(seven_study, maker.seven(), maker.root))

    parts = latex_parts(table)

    assert len(parts["rows"]) == len(table.rows) == 7
    assert parts["before"] + "\n".join(parts["rows"]) + "\n" + parts["after"] == table.to_latex()


def test_a_section_tells_each_job_with_its_record_and_its_surroundings(maker, seven_study):
    outcomes = [
        maker.train({"variant": "no g"}, 0, 60.0),
        maker.train({"variant": "no g"}, 1, 0, status="failed", reason="killed", detail="why"),
        maker.cost({"variant": "no g"}, 9, 1e6, 1.0, notes=("MACs leave out a sum",)),
    ]
    results = Results(seven_study, outcomes, maker.root)

    (section,) = cell_sections(results, places(results))

    done, failed, cost = section.attempts
    assert (done.job, done.status, failed.status) == ("seed 0", "done", "failed: killed")
    assert (done.place, failed.place, cost.place) == (1, 1, 2)
    assert cost.notes == ("MACs leave out a sum",)
    assert yaml.safe_load(section.config) == outcomes[0].record.config
    assert section.summary == "2 done, 1 failed"
    assert section.curves.count("<path") == 5  # top-1 and two losses, and a frame each


def test_the_command_of_a_cell_names_its_levels_and_a_folder_of_its_own(maker, seven_study):
    outcomes = [maker.train({"variant": "no g"}, 0, 60.0)]
    results = Results(dataclasses.replace(seven_study, quick=True), outcomes, maker.root)

    (section,) = cell_sections(results, [])

    assert shlex.split(section.command) == [
        "python", "run_study.py", "ablations/example.yaml", "--quick",
        "--results", "results-again", "--only", "variant=no g", "--device", "cpu",
    ]  # fmt: skip


def test_the_command_of_a_study_says_what_the_command_line_changed(tmp_path):
    path = tmp_path / "clip.yaml"
    path.write_text("question: Which?\nfactors: {data.frames: [4, 8]}\n", "utf-8")
    study = load_study(path, ["train.epochs=2", "model.pool=frame"])

    words = study_command(study, Path("results"))

    assert words == [
        "python", "run_study.py", str(path), "--set", "model.pool=frame",
        "--set", "train.epochs=2",
    ]  # fmt: skip
    again = load_study(path, [word for word in words if "=" in word])
    assert again.base == study.base


@pytest.mark.parametrize("kind", ["train", "failed", "cost"])
def test_a_record_knows_the_name_of_its_file(maker, tmp_path, kind):
    levels = {"variant": "VLF"}
    outcome = {
        "train": maker.train(levels, 0, 60.0),
        "failed": maker.train(levels, 0, 0, status="failed", reason="killed"),
        "cost": maker.cost(levels, 9, 1e6, 1.0),
    }[kind]
    record = outcome.record
    key = Key(record.kind, record.identity, record.fingerprint, record.config)

    Store(tmp_path / "store").add(key, record)

    names = [path.name for path in (tmp_path / "store" / "records").glob("*.json")]
    assert names == [record.file_name]


def test_a_long_curve_is_thinned_and_keeps_both_ends():
    epochs = np.arange(1, 1001)
    arrays = {"epoch": epochs, "val_top1": epochs / 10.0}

    text = draw_curves({0: arrays})

    points = text.partition('class="solid" d="M')[2].partition('"')[0].split()
    assert len(points) <= 82
    assert points[0] == "44.0,128.0"  # the lowest at the left
    assert points[-1] == "264.0,18.0"
    assert "epoch 1<" in text
    assert ">1000<" in text


def test_curves_that_say_nothing_draw_nothing():
    nothing = {"epoch": np.arange(3), "val_top1": np.full(3, np.nan)}

    assert draw_curves({0: nothing, 1: {}}) == ""
