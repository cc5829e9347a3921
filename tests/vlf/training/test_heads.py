"""Several heads: a verb and a noun of one clip. Truth is made by hand."""

import pytest
import torch
from torch.nn import functional as F

from vlf.config import EpicKitchensConfig, RunConfig, TSNConfig
from vlf.evaluate import Predictions
from vlf.heads import are_right, loss_of, split_targets
from vlf.models import MODELS, build_model

ONE, TWO = {"": 5}, {"verb": 2, "noun": 3}
# Five clips; the verb is 0 or 1, the noun 2, 3 or 4. Both right, verb alone, noun alone, neither,
# both right.
SCORES = torch.tensor(
    [
        [0.9, 0.1, 0.2, 0.7, 0.1],
        [0.8, 0.2, 0.5, 0.3, 0.2],
        [0.3, 0.7, 0.1, 0.1, 0.8],
        [0.6, 0.4, 0.4, 0.5, 0.1],
        [0.1, 0.9, 0.6, 0.3, 0.1],
    ]
)
LABELS = torch.tensor([[0, 3], [0, 4], [0, 4], [1, 2], [1, 2]])


def answers(scores=SCORES, labels=LABELS, heads=TWO):
    return Predictions(scores, labels, ("take", "put", "tap", "pan", "lid"), 1, heads)


def test_an_action_is_right_where_verb_and_noun_both_are():
    assert are_right(SCORES, LABELS, TWO).tolist() == [True, False, False, False, True]
    assert answers().top(1) == pytest.approx(40.0)
    heads = answers().by_head()
    assert heads["verb"].top(1) == pytest.approx(60.0)
    assert heads["noun"].top(1) == pytest.approx(60.0)
    assert heads["noun"].classes == ("tap", "pan", "lid")
    assert heads["noun"].labels.tolist() == [1, 2, 2, 0, 0]


def test_the_best_actions_are_those_of_the_highest_products():
    # Ranks of the true pair among the six products, by hand: 1, 3 (0.16 behind 0.40 and 0.24),
    # 2 (0.24 behind 0.56), 4 (0.16 behind 0.30, 0.24 and 0.20), 1.
    found = [answers().top(k) for k in (1, 2, 3, 4, 6)]
    assert found == pytest.approx([40.0, 60.0, 80.0, 100.0, 100.0])


def test_the_loss_is_the_sum_of_both_cross_entropies():
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    verbs = F.cross_entropy(logits[:, :2], LABELS[:, 0], label_smoothing=0.1)
    nouns = F.cross_entropy(logits[:, 2:], LABELS[:, 1] - 2, label_smoothing=0.1)
    assert torch.equal(loss_of(logits, LABELS, TWO, 0.1), verbs + nouns)
    shares = F.one_hot(LABELS, 5).float().sum(dim=1)
    assert torch.allclose(loss_of(logits, shares, TWO, 0.1), verbs + nouns)
    assert split_targets(shares, TWO)[0][3].tolist() == [0.0, 1.0]
    hand = -(SCORES.gather(1, LABELS).double().log()).sum() / 5
    assert answers().loss() == pytest.approx(float(hand))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_one_head_has_the_loss_and_gradient_that_it_had_to_the_bit(smoothing):
    drawn = torch.Generator().manual_seed(1)
    given = torch.randn(64, 5, generator=drawn)
    labels = torch.randint(5, (64,), generator=drawn)
    for targets in (labels, torch.rand(64, 5, generator=drawn).softmax(dim=1)):
        before, now = (given.clone().requires_grad_() for _ in range(2))
        losses = (
            F.cross_entropy(before, targets, label_smoothing=smoothing),
            loss_of(now, targets, ONE, smoothing),
        )
        for loss in losses:
            loss.backward()
        assert torch.equal(*losses)
        assert torch.equal(before.grad, now.grad)
    assert torch.equal(are_right(given, labels, ONE), given.argmax(dim=1) == labels)
    one = Predictions(given.softmax(dim=1), labels, tuple("abcde"), 1)
    best = one.scores.topk(3, dim=1).indices
    assert one.top(3) == float((best == labels[:, None]).any(dim=1).double().mean() * 100)
    own = one.scores.gather(1, labels[:, None]).double()
    assert one.loss() == float(-own.log().mean())


def test_every_architecture_of_ours_has_logits_of_both_heads():
    data = EpicKitchensConfig(root="x", frames=4, size=32)
    ours = [name for name in MODELS if name not in ("torchvision", "transformers")]
    for name in ours:
        config = RunConfig.model_validate({"model": {"name": name}}).model
        with torch.device("meta"):
            logits = build_model(config, data).eval()(torch.zeros(2, 4, 3, 32, 32))
        assert logits.shape == (2, 97 + 300)


def test_parameters_count_both_heads():
    def head(verbs, nouns):
        data = EpicKitchensConfig(root="x", num_verbs=verbs, num_nouns=nouns)
        return sum(p.numel() for p in build_model(TSNConfig(), data).head.parameters())

    per_class = head(3, 300) - head(2, 300)
    assert head(2, 301) - head(2, 300) == per_class
    assert head(97, 300) == 397 * per_class


def test_a_verb_head_learns_nothing_from_nouns():
    logits = torch.zeros(5, 5, requires_grad=True)
    other = torch.zeros(5, 5, requires_grad=True)
    loss_of(logits, LABELS, TWO, 0.0).backward()
    nouns = LABELS.clone()
    nouns[:, 1] = 2
    loss_of(other, nouns, TWO, 0.0).backward()
    assert torch.equal(logits.grad[:, :2], other.grad[:, :2])
    assert not torch.equal(logits.grad[:, 2:], other.grad[:, 2:])
