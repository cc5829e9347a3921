"""Models of other libraries as levels of a study, by the command as a person uses it."""

import json

import pytest
from study_runs import STUDY, records, refused, run

PEERS = (
    STUDY.replace(
        "    TSN: {model: {name: tsn}}\n",
        "    mc3_18: {model: {name: torchvision, architecture: mc3_18}}\n"
        "    VideoMAE:\n"
        "      model:\n"
        "        name: transformers\n"
        "        architecture: VideoMAEForVideoClassification\n"
        "        settings:\n"
        "          {hidden_size: 16, intermediate_size: 32, num_attention_heads: 2,\n"
        "           patch_size: 8, num_hidden_layers: 1}\n",
    )
    .replace("seeds: [0, 1]", "seeds: [0]")
    .replace("{epochs: 2, ", "{epochs: 1, ")
    .replace("report: {", "report: {figures: [], tables: [main], ")
)


@pytest.fixture
def peers(study):
    study.write_text(PEERS, "utf-8")
    return study


@pytest.mark.slow  # six processes that import transformers
def test_peers_are_trained_and_measured_beside_our_own_models(peers):
    done = run(peers, "--executor", "inline")

    assert "6 planned = 6 done" in done.stdout
    results = peers.parent / "results"
    costs = records(results, "cost")
    assert len({record["timing_run"] for record in costs}) == 1
    found = {}
    for record in costs:
        values = {m["metric"]: m["samples"][0] for m in record["measurements"] if not m["part"]}
        assert {"parameters", "macs", "latency", "throughput"} <= set(values)
        assert not [
            note for note in record["notes"] if note.startswith("MACs")
        ]  # both counts agree
        found[record["config"]["model"]["name"]] = values
    # torchvision publishes 11,695,440 for 400 classes; here there are 10.
    assert found["torchvision"]["parameters"] == 11_695_440 - 390 * 513
    # Patches of 2x8x8 in RGB, positions fixed; a block of 4 D^2 + 2 D M weights, no bias of k.
    width, hidden, classes = 16, 32, 10
    block = 4 * width**2 + 3 * width + 2 * width * hidden + hidden + width + 4 * width
    patches, head = 3 * 2 * 8 * 8 * width + width, width * classes + classes
    assert found["transformers"]["parameters"] == patches + block + 2 * width + head
    table = (results / "order" / "table.md").read_text("utf-8")
    assert "mc3\\_18" in table
    assert "VideoMAE" in table


def test_a_folder_without_weights_is_told_before_anything_runs(peers):
    config = {"model_type": "videomae", "hidden_size": 16, "num_attention_heads": 2}
    (peers.parent / "videomae").mkdir()
    (peers.parent / "videomae" / "config.json").write_text(json.dumps(config), "utf-8")
    peers.write_text(
        PEERS.replace("        settings:", "        folder: videomae\n        settings:")
    )

    wrong = refused(peers)

    assert wrong.endswith(
        "order.yaml:14: factors.variant.VideoMAE.model.folder: "
        "no such file: videomae/model.safetensors (cell variant=VideoMAE)\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "architecture: mc3_18",
            "architecture: mc3_81",
            "order.yaml:9: factors.variant.mc3_18.model.architecture: torchvision has no video "
            'model "mc3_81"; did you mean "mc3_18"?',
        ),
        (
            "name: torchvision, architecture",
            "name: torchvision, architektur",
            "order.yaml:9: factors.variant.mc3_18.model.architektur: unknown key; did you mean "
            '"architecture"?',
        ),
        ("{name: torchvision, architecture: mc3_18}", "{name: torchvision}", "order.yaml:9: "),
        (
            "name: torchvision, architecture: mc3_18",
            "name: torchvision:mc3_18",
            "order.yaml:9: factors.variant.mc3_18.model.name: expected one of ",
        ),
        (
            "{hidden_size: 16, intermediate_size",
            "{hidden_size: 16, intermediat_size",
            "order.yaml:15: factors.variant.VideoMAE.model.settings.intermediat_size: "
            'VideoMAEConfig has no such key; did you mean "intermediate_size"?',
        ),
        (
            "patch_size: 8",
            "patch_size: 5",
            "order.yaml:14: factors.variant.VideoMAE.model.settings: patch_size: must divide "
            "data.size 32, got 5",
        ),
    ],
    ids=["name", "key", "no architecture", "colon", "setting", "patch"],
)
def test_a_peer_that_cannot_be_is_one_line_before_anything_runs(peers, old, new, message):
    assert old in PEERS
    peers.write_text(PEERS.replace(old, new), "utf-8")

    wrong = refused(peers)

    assert wrong.count("\n") == 1
    assert message in wrong
    assert not (peers.parent / "results").exists()
