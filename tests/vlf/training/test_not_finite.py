"""NaN and infinity in scores, features and weights end a run; no number is made of them."""

import pytest
import torch
from torch import nn
from training import CPU, fit

from vlf.checkpoint import read_checkpoint, write_checkpoint
from vlf.config import ConfigError, RunConfig
from vlf.data import open_clips
from vlf.evaluate import Predictions, evaluate
from vlf.features import Frozen, Store
from vlf.finite import DivergedError, broken_weights, require_finite
from vlf.models import build_model

NAN, INF = float("nan"), float("inf")
CLASSES = ("a", "b", "c")


def small_run(data=None, **train):
    data = {"name": "motion", "frames": 2, "size": 16, "limit": 10, **(data or {})}
    model = {"name": "vlf", "backbone": "tiny", "width": 16, "heads": 2}
    train = {"epochs": 3, "batch_size": 10, "warmup_epochs": 0, "schedule": "constant", **train}
    return RunConfig.model_validate({"data": data, "model": model, "train": train})


class Answering(nn.Module):
    """Gives fixed logits (N, K), a batch after the other."""

    def __init__(self, logits):
        super().__init__()
        self.logits, self.at = logits, 0

    def forward(self, clips):
        self.at += len(clips)
        return self.logits[self.at - len(clips) : self.at]


def answer(logits):
    config = RunConfig.model_validate({"data": {"name": "motion", "frames": 2, "size": 16}})
    clips = open_clips(config.data.model_copy(update={"limit": len(logits)}), "test")
    return evaluate(Answering(logits), clips, CPU, "fp32")


def scores(clips=4):
    return torch.full((clips, 3), 1 / 3).cumsum(dim=1).softmax(dim=1)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({(0, 1): NAN}, r"NaN in 1 of 12 test scores \(1 of 4 clips\)"),
        ({(0, 1): NAN, (0, 2): INF, (3, 0): NAN}, r"NaN in 3 of 12 test scores \(2 of 4 clips\)"),
        ({(2, 2): -INF}, r"infinity in 1 of 12 test scores \(1 of 4 clips\)"),
    ],
)
def test_no_predictions_can_be_made_of_scores_that_are_not_finite(broken, message):
    values = scores()
    for at, value in broken.items():
        values[at] = value

    with pytest.raises(DivergedError, match=f"^diverged: {message}$"):
        Predictions(values, torch.zeros(4, dtype=torch.int64), CLASSES, 1)


def test_a_noun_that_is_nan_is_told_whatever_the_verb():
    values = scores()
    values[1, 2] = NAN
    labels = torch.tensor([[0, 2]] * 4)

    with pytest.raises(DivergedError, match="NaN in 1 of 12 validation scores"):
        Predictions(values, labels, CLASSES, 1, {"verb": 2, "noun": 1}, "validation")


def test_no_predictions_can_be_made_of_no_clips():
    with pytest.raises(ValueError, match="no validation clips"):
        Predictions(scores(0), torch.zeros(0, dtype=torch.int64), CLASSES, 1, split="validation")


@pytest.mark.parametrize("logit", [NAN, INF, -INF])
def test_a_logit_that_overflows_in_evaluation_is_no_answer(logit):
    logits = torch.randn(20, 10, generator=torch.Generator().manual_seed(0))
    logits[7, 3] = logit  # of -inf alone softmax would make a 0, and finite scores

    with pytest.raises(DivergedError, match=r"NaN in 10 of 200 test scores \(1 of 20 clips\)"):
        answer(logits)


def test_logits_that_are_large_and_finite_are_answers():
    logits = torch.eye(10).repeat(2, 1) * 3e38

    assert answer(logits).scores.sum() == 20


def test_equal_scores_are_told_and_distinct_ones_are_not():
    labels = torch.tensor([0, 1, 2, 0])
    dead = Predictions(torch.full((4, 3), 1 / 3), labels, CLASSES, 1)
    tied = scores()
    tied[0] = torch.tensor([0.4, 0.4, 0.2])
    tied[1] = torch.tensor([0.4, 0.2, 0.4])  # the label is not among the tied ones

    assert dead.notes() == ("all 4 test clips have the same scores",)
    assert Predictions(tied, labels, CLASSES, 1).notes() == (
        "top-1 of 1 of 4 test clips depends on the order of classes with equal scores",
    )
    distinct = torch.tensor([[0.1, 0.2, 0.7], [0.7, 0.2, 0.1]])
    assert Predictions(distinct, labels[:2], CLASSES, 1).notes() == ()


@pytest.mark.parametrize("select", ["last", "best"])
def test_a_last_step_that_overflows_is_seen_in_validation(tmp_path, select):
    # The losses of all three epochs are finite: what the last step made of the weights is not.
    config = small_run(optimizer="sgd", lr=100.0, clip_norm=0, select=select)

    with pytest.raises(
        DivergedError, match=r"^diverged: NaN in 100 of 100 validation scores .*100$"
    ):
        fit(config, tmp_path)


def test_weights_that_a_checkpoint_holds_are_looked_at(tmp_path):
    config = small_run()
    fit(config, tmp_path)
    state = read_checkpoint(tmp_path / "checkpoint.pt")
    name = next(iter(state["model"]))
    state["model"][name].view(-1)[0] = NAN
    write_checkpoint(tmp_path / "broken.pt", state)

    with pytest.raises(DivergedError, match=f"NaN in 1 weights \\({name}\\)"):
        fit(config, tmp_path, resume_from=tmp_path / "broken.pt")


def test_running_statistics_that_overflowed_count_as_broken_weights():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    assert broken_weights(model) == ""
    model[1].running_var[1] = INF  # an evaluation would be constant, and finite
    assert broken_weights(model) == "infinity in 1 weights (1.running_var)"


def test_weights_that_are_not_finite_before_the_first_step_are_a_mistake(tmp_path):
    path = tmp_path / "tiny.pt"
    config = small_run()
    backbone = build_model(config.model, config.data).f[0]
    with torch.no_grad():
        next(backbone.parameters()).view(-1)[0] = NAN
    torch.save(backbone.state_dict(), path)
    values = config.model_dump(mode="json")
    values["model"]["pretrained"] = str(path)

    with pytest.raises(ConfigError, match=r"NaN in 1 weights \(f"):
        fit(RunConfig.model_validate(values), tmp_path)


def test_features_that_are_not_finite_are_neither_kept_nor_read(tmp_path):
    config = small_run()
    model = build_model(config.model, config.data)
    with torch.no_grad():
        next(model.f[0].parameters()).fill_(INF)
    frozen = Frozen(model, config, CPU, tmp_path)
    read = frozen.read(open_clips(config.data, "test"), "test")

    with pytest.raises(DivergedError, match="of the frozen backbone"):
        read.load_views(0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    store = Store(tmp_path / "of an older version")
    store.write("a", 0, (1, torch.tensor([1.0, NAN])))
    store.write("b", 0, (1, torch.tensor([1.0, 2.0])))
    assert store.read("a", 0) is None
    assert store.read("b", 0)[1].tolist() == [1.0, 2.0]


def test_whatever_is_finite_passes():
    require_finite(torch.tensor([1e38, -1e38, 0.0]), "scores")
    require_finite(torch.zeros(0), "scores")
    require_finite(torch.tensor([1, 2]), "labels")


@pytest.mark.slow
def test_one_process_of_several_ends_them_all(tmp_path):
    config = small_run(optimizer="sgd", lr=100.0, clip_norm=0, processes=2)

    with pytest.raises(DivergedError, match="NaN in 100 of 100 validation scores"):
        fit(config, tmp_path)
