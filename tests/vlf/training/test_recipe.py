"""The recipe against torch.optim set up by hand, and schedules against their formulas."""

import copy
import itertools
import math

import pytest
import torch
from torch import nn

from vlf.config import ConfigError, RunConfig, TrainConfig
from vlf.models import build_model
from vlf.models.freeze import norms_to_keep
from vlf.recipe import build_optimizer, learning_rate, set_rate
from vlf.train import train_model

CPU = torch.device("cpu")
TSN = {"name": "tsn", "backbone": "tiny", "dropout": 0.5}
STEPS = 3


def run_of(model=TSN, **train):
    data = {"name": "motion", "frames": 2, "size": 32, "limit": 16}
    return RunConfig.model_validate({"data": data, "model": model, "train": train})


def built(config):
    torch.manual_seed(0)
    return build_model(config.model, config.data).train()


def descend(model, optimizer, rates, set_rates):
    """A few steps on clips that are the same for every caller."""
    generator = torch.Generator().manual_seed(1)
    for rate in rates:
        clips = torch.randn(4, 2, 3, 32, 32, generator=generator)
        set_rates(optimizer, rate)
        torch.manual_seed(2)  # of dropout
        loss = nn.functional.cross_entropy(model(clips), torch.tensor([0, 1, 2, 3]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.state_dict()


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def is_layer_weight(name, parameter):
    return name.endswith("weight") and parameter.ndim > 1


def groups_by_hand(model, decay, **scales):
    """(decayed?, scale) by the names of TSN's parameters, written out."""
    groups = []
    for name, parameter in model.named_parameters():
        scale = 1.0
        if name.startswith("head.1."):
            scale *= scales.get("head", 1.0)
        if name == "head.1.bias":
            scale *= scales.get("bias", 1.0)
        decays = decay if is_layer_weight(name, parameter) else 0.0
        groups.append({"params": [parameter], "weight_decay": decays, "scale": scale})
    return groups


def set_by_hand(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize(("head", "bias"), [(1.0, 1.0), (5.0, 2.0)])
def test_sgd_is_torchs_with_the_rates_of_tsm_written_out(nesterov, head, bias):
    config = run_of(
        optimizer="sgd",
        lr=0.1,
        weight_decay=0.01,
        nesterov=nesterov,
        head_lr_scale=head,
        bias_lr_scale=bias,
    )
    ours = built(config)
    theirs = copy.deepcopy(ours)
    rates = [0.1, 0.05, 0.01]
    groups = groups_by_hand(theirs, 0.01, head=head, bias=bias)
    by_hand = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=nesterov)

    found = descend(ours, build_optimizer(ours, config.train), rates, set_rate)
    expected = descend(theirs, by_hand, rates, set_by_hand)

    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-7)


def test_muon_is_torchs_on_linear_weights_outside_of_the_head_beside_adamw():
    model = {"name": "vlf", "width": 16, "heads": 2, "spatiotemporal_depth": 1}
    config = run_of(model, optimizer="muon", lr=2e-3, muon_lr=0.02, weight_decay=0.01)
    ours = built(config)
    theirs = copy.deepcopy(ours)
    rates = [2e-3, 1e-3, 5e-4]
    matrices, weights, rest = [], [], []
    for name, parameter in theirs.named_parameters():
        is_weight = is_layer_weight(name, parameter) and "position" not in name
        in_block = any(word in name for word in ("qkv", "out", "mlp"))
        group = matrices if in_block and is_weight else weights if is_weight else rest
        group.append(parameter)
    muon = torch.optim.Muon(
        [{"params": matrices, "weight_decay": 0.01, "scale": 10.0}],
        lr=0.02,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": 0.01, "scale": 1.0},
            {"params": rest, "weight_decay": 0.0, "scale": 1.0},
        ],
        lr=2e-3,
        fused=True,  # Muon works in bf16, where the last bits of a gradient show
    )

    class Both:
        param_groups = muon.param_groups + adamw.param_groups

        def zero_grad(self):
            theirs.zero_grad()

        def step(self):
            muon.step()
            adamw.step()

    found = descend(ours, build_optimizer(ours, config.train), rates, set_rate)
    expected = descend(theirs, Both(), rates, set_by_hand)

    assert len(matrices) == 8  # qkv, out and two of the MLP, in a block of g and one of h
    assert same(found, expected)


def test_a_model_without_blocks_trains_by_adamw_alone_under_muon():
    start, ends = built(run_of()), []
    for optimizer in ("muon", "adamw"):
        model = copy.deepcopy(start)
        train = run_of(optimizer=optimizer).train
        ends.append(descend(model, build_optimizer(model, train), [1e-3, 1e-3], set_rate))

    assert same(*ends)


def assert_resumes(config, tmp_path):
    """A run that is stopped and resumed has the weights of one that was not."""
    whole = train_model(config, 0, CPU, checkpoint=tmp_path / "whole.pt")
    asked = itertools.count()
    with pytest.raises(RuntimeError, match="stopped in epoch"):
        train_model(
            config,
            0,
            CPU,
            checkpoint=tmp_path / "part.pt",
            should_stop=lambda: next(asked) == STEPS,
        )

    resumed = train_model(
        config, 0, CPU, checkpoint=tmp_path / "rest.pt", resume_from=tmp_path / "part.pt"
    )

    assert same(whole.model.state_dict(), resumed.model.state_dict())


def test_a_run_with_muon_goes_on_to_the_same_numbers(tmp_path):
    model = {"name": "vlf", "width": 16, "heads": 2, "spatiotemporal_depth": 1}
    config = run_of(model, optimizer="muon", epochs=3, batch_size=4)
    assert_resumes(config, tmp_path)


def test_plain_momentum_is_not_nesterovs():
    start, ends = built(run_of()), []
    for nesterov in (True, False):
        model = copy.deepcopy(start)
        train = run_of(optimizer="sgd", lr=0.1, nesterov=nesterov).train
        ends.append(descend(model, build_optimizer(model, train), [0.1, 0.1], set_rate))

    assert not same(*ends)


def test_the_last_layers_bias_has_both_scales_as_in_tsms_policy():
    config = run_of(optimizer="sgd", head_lr_scale=5.0, bias_lr_scale=2.0)
    model = built(config)
    optimizer = build_optimizer(model, config.train)

    set_rate(optimizer, 0.01)

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {
        names[id(parameter)]: (group["lr"], group["weight_decay"] > 0)
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert rates["head.1.weight"] == (0.01 * 5, True)
    assert rates["head.1.bias"] == (0.01 * 10, False)
    assert {rate for name, rate in rates.items() if not name.startswith("head")} == {
        (0.01, True),
        (0.01, False),
    }
    assert len(rates) == len(names)


def test_of_an_mlp_head_only_the_last_layer_is_scaled():
    vlf = {"name": "vlf", "width": 16, "heads": 2}
    config = run_of(vlf, optimizer="sgd", head_lr_scale=5.0)
    model = built(config)

    scaled = [
        parameter
        for group in build_optimizer(model, config.train).param_groups
        if group["lr_scale"] == 5
        for parameter in group["params"]
    ]

    assert {id(parameter) for parameter in scaled} == set(map(id, model.head[3].parameters()))


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_defaults_make_the_very_weights_that_they_made_before_there_were_options(name):
    config = run_of(optimizer=name, lr=0.01)
    ours = built(config)
    before = copy.deepcopy(ours)
    named = list(before.named_parameters())
    groups = [  # two groups, fused, Nesterov: as the recipe was
        {"params": [p for n, p in named if is_layer_weight(n, p)], "weight_decay": 0.05},
        {"params": [p for n, p in named if not is_layer_weight(n, p)], "weight_decay": 0.0},
    ]
    for group in groups:
        group["scale"] = 1
    if name == "adamw":
        optimizer = torch.optim.AdamW(groups, lr=0.01, fused=True)
    else:
        optimizer = torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True, fused=True)
    rates = [0.01, 0.003, 0.001]

    found = descend(ours, build_optimizer(ours, config.train), rates, set_rate)

    assert same(found, descend(before, optimizer, rates, set_by_hand))


def test_a_head_without_a_layer_has_no_rate_of_its_own():
    model = nn.Module()
    model.f, model.head = nn.Linear(2, 2), nn.Flatten()

    with pytest.raises(ConfigError, match=r"train\.head_lr_scale: the head of this model has no"):
        build_optimizer(model, TrainConfig(head_lr_scale=5.0))


def test_the_step_schedule_is_the_rate_times_gamma_to_the_milestones_passed():
    train = TrainConfig(
        epochs=50, lr=0.02, schedule="step", milestones=(0.4, 0.8), gamma=0.5, warmup_epochs=0
    )

    rates = [learning_rate(train, step, steps_per_epoch=3) for step in range(150)]

    # TSM's `--lr_steps 20 40 --epochs 50`, in steps of an epoch of 3
    assert rates == pytest.approx([0.02] * 60 + [0.01] * 60 + [0.005] * 30)


@pytest.mark.parametrize("schedule", ["cosine", "step", "constant"])
def test_a_warm_up_is_linear_whatever_follows_and_ends_at_the_rate(schedule):
    train = TrainConfig(epochs=10, lr=0.8, schedule=schedule, warmup_epochs=1.5)

    rates = [learning_rate(train, step, steps_per_epoch=4) for step in range(40)]

    assert rates[:6] == pytest.approx([0.8 * (step + 1) / 6 for step in range(6)])
    assert rates[6] == pytest.approx(0.8)
    at_30 = {"cosine": 0.4 * (1 + math.cos(math.pi * 24 / 34)), "step": 0.08, "constant": 0.8}
    assert rates[30] == pytest.approx(at_30[schedule])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gamma", 0.0),
        ("gamma", 1.5),
        ("milestones", (20, 40)),  # epochs, where shares are meant
        ("head_lr_scale", 0.0),
        ("bias_lr_scale", 101.0),
    ],
)
def test_values_out_of_bounds_are_refused(key, value):
    with pytest.raises(ValueError, match=key):
        TrainConfig(**{key: value})


@pytest.fixture
def pretrained(tmp_path):
    """A file of weights of `tiny` whose norms have statistics that are not those of a new one."""
    donor = built(run_of())
    tiny = donor.f[0]
    for seed, norm in enumerate(m for m in tiny.modules() if isinstance(m, nn.BatchNorm2d)):
        generator = torch.Generator().manual_seed(seed)
        for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            value.data.uniform_(0.5, 1.5, generator=generator)
    torch.save(tiny.state_dict(), tmp_path / "tiny.pt")
    return str(tmp_path / "tiny.pt")


NORM_VALUES = ("weight", "bias", "running_mean", "running_var")


@pytest.mark.parametrize(
    ("model", "prefix"),
    [({"name": "tsn"}, "f.0"), ({"name": "vlf", "width": 16, "heads": 2}, "f.0")],
)
def test_partial_batch_norm_trains_the_first_norm_of_the_backbone_alone(
    tmp_path, pretrained, model, prefix
):
    config = run_of(
        {**model, "pretrained": pretrained}, epochs=2, batch_size=4, lr=0.05, partial_bn=True
    )
    before = torch.load(pretrained, weights_only=True)
    trained = train_model(config, 0, CPU, checkpoint=tmp_path / "checkpoint.pt")
    after = {
        name.removeprefix(f"{prefix}."): value
        for name, value in trained.model.state_dict().items()
        if name.startswith(f"{prefix}.")
    }

    moved = {name for name in before if not torch.equal(before[name], after[name])}
    convolutions = {"0.weight", "3.weight", "6.weight"}
    first = {f"1.{name}" for name in (*NORM_VALUES, "num_batches_tracked")}
    assert moved == convolutions | first


def test_a_projection_behind_the_backbone_is_new_and_its_norm_is_trained(pretrained):
    config = run_of({"name": "vlf", "pretrained": pretrained}, partial_bn=True)
    model = built(config)

    kept = norms_to_keep(model)

    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 4  # three of tiny, one of the projection
    assert kept == norms[1:3]


def test_a_run_with_partial_batch_norm_goes_on_to_the_same_numbers(tmp_path, pretrained):
    model = {**TSN, "pretrained": pretrained}
    config = run_of(model, epochs=3, batch_size=4, lr=0.01, partial_bn=True, head_lr_scale=5.0)
    assert_resumes(config, tmp_path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"name": "timesformer"}, "train.partial_bn: timesformer has no CNN whose norms to keep"),
        ({"name": "tsn"}, "train.partial_bn: keeps the statistics that the backbone comes with"),
    ],
)
def test_partial_batch_norm_without_statistics_to_keep_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        run_of(model, partial_bn=True)


def test_a_backbone_without_batch_norm_is_refused():
    config = run_of({"name": "tsn", "backbone": "timm:vit_tiny_patch16_224"})
    with torch.device("meta"):
        model = build_model(config.model, config.data)

    with pytest.raises(ConfigError, match=r"train\.partial_bn: the backbone has no BatchNorm"):
        norms_to_keep(model)


@pytest.mark.parametrize("name", ["vlf", "timesformer", "vivit"])
def test_dropout_of_the_head_is_apart_from_that_of_the_blocks(name):
    def rates(**options):
        model = built(run_of({"name": name, "width": 16, "heads": 2, **options}))
        return [
            {m.p for m in part.modules() if isinstance(m, nn.Dropout)} - {0.0}
            for part in (model.head, model.h)
        ]

    assert rates(dropout=0.1) == [{0.1}, rates(dropout=0.1)[1]]
    assert rates(head_dropout=0.5)[0] == {0.5}
    assert rates(head_dropout=0.5)[1] == set()
