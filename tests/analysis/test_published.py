import re
from typing import get_args

import pytest
from outcomes import rows_of, with_record

from analysis.results.published import FILE, published_of, read_published
from analysis.results.results import Results
from analysis.tables.published import published_table
from vlf.config import ModelConfig

TIMES = "\N{MULTIPLICATION SIGN}"


def architectures():
    union = get_args(ModelConfig)[0]
    return {cls.model_fields["name"].default for cls in get_args(union)}


def of_model(outcome, name):
    data = {"name": "motion", "frames": 8, "size": 32}
    return with_record(outcome, config={"model": {"name": name}, "data": data})


@pytest.mark.parametrize("entry", read_published(), ids=lambda one: f"{one.label}, {one.data}")
def test_every_published_number_names_an_architecture_and_a_lasting_source(entry):
    assert entry.model in architectures()
    assert re.match(r"https://(arxiv\.org/abs/|\S+/blob/[0-9a-f]{40}/\S)", entry.source)
    assert entry.top1 is not None
    assert 0 < entry.top1 < 100
    assert re.fullmatch(r"(\d+x\d+)?", entry.views)


def test_counts_hold_to_printed_ones_of_whole_protocols():
    # mmaction2 prints 588, 539 and 422 GFLOPs (which are MACs) for three views of TimeSformer.
    by_label = {one.label: one for one in published_of({"timesformer"}) if one.macs}

    for label, printed in (("divided", 588), ("joint", 539), ("space only", 422)):
        assert by_label[f"TimeSformer-B, {label}"].macs == pytest.approx(printed / 3, rel=0.002)


def test_counts_of_resnet_50_are_eight_times_an_images():
    # torchvision's ResNet-50 has 4.09 GMACs and 25.557 M parameters at 224 pixels and 1,000 classes
    # (its documentation); 400 classes take 600 * 2049 parameters away.
    (tsn,) = published_of({"tsn"})

    assert tsn.macs == pytest.approx(8 * 4.09, rel=0.003)
    assert tsn.parameters == pytest.approx(25.557 - 600 * 2049 / 1e6, abs=0.005)


def test_published_rows_stand_before_ours_of_the_same_architecture(maker, seven_study):
    tsn = [of_model(maker.train({"variant": "TSN"}, seed, 10.0 + seed), "tsn") for seed in (0, 1)]
    vlf = [of_model(maker.train({"variant": "VLF"}, 0, 80.0), "vlf")]
    cost = of_model(maker.cost({"variant": "TSN"}, 24_300, 5.61e6, 1.0), "tsn")

    table = published_table(Results(seven_study, [*vlf, *tsn, cost], maker.root))

    rows = rows_of(table)
    assert rows[0] == [
        "TSN, ResNet-50",
        "Kinetics-400",
        f"8 {TIMES} 224 {TIMES} 224",
        "\N{EN DASH}",
        "24.33 M",
        "32.7 G",
        "74.12",
        "published",
    ]
    assert rows[1][:6] == ["TSN", "motion", f"8 {TIMES} 32 {TIMES} 32", "1", "24.3 k", "5.61 M"]
    assert rows[1][7] == "this study"
    assert len(rows) == 2
    (note,) = table.footnotes
    assert note.startswith("github.com/open-mmlab/mmaction2 at 0282c5c, configs/recognition/tsn/")


def test_a_study_without_published_architectures_has_no_such_table(maker, seven_study):
    vlf = [of_model(maker.train({"variant": "VLF"}, 0, 80.0), "vlf")]

    assert published_table(Results(seven_study, vlf, maker.root)) is None


def test_the_file_ships_with_the_package():
    assert '"published.yaml"' in (FILE.parents[1] / "pyproject.toml").read_text("utf-8")
