import pytest
import torch

from vlf.config import ConfigError, RunConfig
from vlf.models import build_model
from vlf.models.freeze import find_backbone, freeze, hold
from vlf.recipe import build_optimizer
from vlf.train import train_model

CPU = torch.device("cpu")


def run_config(weight_file, model=None, **train):
    return RunConfig.model_validate(
        {
            "data": {"name": "motion", "frames": 2, "size": 32, "limit": 12},
            "model": {
                "name": "vlf",
                "width": 16,
                "heads": 2,
                "pretrained": weight_file,
                **(model or {}),
            },
            "train": {"epochs": 2, "batch_size": 4, **train},
        }
    )


@pytest.fixture(scope="module")
def weight_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    model = build_model(RunConfig().model, RunConfig().data)
    torch.save(model.f[0].state_dict(), path)
    return str(path)


def moved(config, tmp_path):
    """Names of the tensors that training moves."""
    before = torch.load(config.model.pretrained, weights_only=True)
    trained = train_model(config, 0, CPU, checkpoint=tmp_path / "checkpoint.pt")
    after = find_backbone(trained.model)[1].state_dict()
    return trained, {name for name in before if not torch.equal(before[name], after[name])}


def test_training_moves_all_of_a_backbone_that_is_not_frozen(weight_file, tmp_path):
    _, names = moved(run_config(weight_file), tmp_path)

    assert {"0.weight", "1.bias", "1.running_mean", "7.running_var", "7.weight"} <= names


def test_a_frozen_backbone_keeps_its_weights_and_statistics_and_the_rest_learns(
    weight_file, tmp_path
):
    config = run_config(weight_file, freeze="f")
    start = build_model(config.model, config.data)

    trained, names = moved(config, tmp_path)

    assert names == set()
    projection = trained.model.f[1]
    assert all(one.requires_grad for one in projection.parameters())
    assert projection[1].num_batches_tracked == 6  # its own BatchNorm moves: 2 epochs of 3 steps
    assert not torch.equal(trained.model.head[0].weight, start.head[0].weight)


def test_the_first_stages_alone_can_be_frozen(weight_file, tmp_path):
    _, names = moved(run_config(weight_file, freeze=2), tmp_path)

    assert {name.partition(".")[0] for name in names} == {"6", "7"}  # of 0, 1, 3, 4, 6 and 7
    assert {"6.weight", "7.running_mean", "7.bias"} <= names


def test_the_optimizer_has_nothing_of_what_is_frozen(weight_file):
    config = run_config(weight_file, freeze="f")
    model = build_model(config.model, config.data)
    freeze(model, "f")

    optimizer = build_optimizer(model, config.train)

    held = {id(one) for group in optimizer.param_groups for one in group["params"]}
    frozen = {id(one) for one in model.f[0].parameters()}
    assert not held & frozen
    assert held | frozen == {id(one) for one in model.parameters()}


STAGES = {  # (backbone, frozen stages) -> the first layer that is trained
    ("timm:resnet10t", 1): "layer1.0.conv1.weight",
    ("timm:resnet10t", 3): "layer3.0.conv1.weight",
    ("timm:mobilenetv2_035", 2): "blocks.2.0.conv_pw.weight",
    ("timm:vit_tiny_patch16_224", 3): "blocks.3.norm1.weight",
}


@pytest.mark.parametrize(("backbone", "stages"), STAGES)
@pytest.mark.parametrize("name", ["tsn", "vlf"])
def test_stages_are_counted_as_feature_maps_are(name, backbone, stages):
    config = RunConfig.model_validate({"model": {"name": name, "backbone": backbone}})
    with torch.device("meta"):
        model = build_model(config.model, config.data)
        frozen = freeze(model, stages)
        model.train()
        hold(frozen)

    net = find_backbone(model)[1].net
    net = getattr(net, "model", net)
    trained = [key for key, one in net.named_parameters() if one.requires_grad]
    assert trained[0] == STAGES[backbone, stages]
    norms = {key: one for key, one in net.named_modules() if isinstance(one, torch.nn.BatchNorm2d)}
    for key, norm in norms.items():
        assert norm.training == norm.weight.requires_grad, key


def test_more_stages_than_there_are_is_an_error_with_their_number():
    model = build_model(RunConfig().model, RunConfig().data)

    with pytest.raises(ConfigError, match="must be none, f or 1 to 3, got 4") as told:
        freeze(model, 4)

    assert told.value.key == "train.freeze"


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"train": {"freeze": "f"}}, "train.freeze: f would keep random weights"),
        (
            {"model": {"name": "timesformer"}, "train": {"freeze": 1}},
            "train.freeze: timesformer has no backbone to freeze",
        ),
        ({"train": {"stored_views": 2}}, "stored_views: need train.freeze: f, since features"),
        (
            {"train": {"stored_views": 2, "freeze": "f", "mixup": 0.2}},
            "mixup: blends clips anew in every batch, which no finite set of stored views holds",
        ),
        (
            {"train": {"stored_views": 2, "freeze": "f", "cutmix": 0.2}},
            "cutmix: blends clips anew",
        ),
        ({"model": {"name": "tsn", "mean": [0.5] * 3}}, "std: and mean go together"),
        (
            {"model": {"name": "tsn", "mean": [0.5] * 3, "std": [0.5, 0.0, 0.5]}},
            "std: must be more than 0",
        ),
    ],
)
def test_what_cannot_be_frozen_or_stored_says_why(sections, message):
    with pytest.raises(ValueError, match=message):
        RunConfig.model_validate(sections)
