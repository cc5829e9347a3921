"""The state of a training run, and how it goes on by an epoch or inside of one.

Every epoch draws its randomness anew from (seed, purpose, epoch), so the order of clips and their
augmentation do not depend on the model, and only a run stopped inside an epoch needs the state of
a generator: dropout's.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vlf.config import BackboneOptions, ConfigError, RunConfig
from vlf.data import Clips, Views, open_clips
from vlf.data.augment import Augment, Label, mix_clips
from vlf.data.prefetch import load_ahead
from vlf.data.seeds import derive, rng
from vlf.evaluate import autocast, evaluate, normalize
from vlf.features import Frozen
from vlf.finite import DivergedError, broken_weights
from vlf.heads import are_right, loss_of
from vlf.models import build_model
from vlf.models.freeze import find_backbone, freeze, hold, norms_to_keep, weights_digest
from vlf.models.pixels import pixels_of
from vlf.parallel import Group
from vlf.recipe import build_optimizer, learning_rate, set_rate

Curves = dict[str, list[float]]

COLUMNS = ("epoch", "train_loss", "train_top1", "val_loss", "val_top1", "lr", "seconds")


def set_determinism(config: RunConfig) -> None:
    """Make this process compute the same numbers each time; threads and precision included."""
    torch.set_num_threads(config.train.threads)
    torch.set_float32_matmul_precision(config.train.matmul_precision)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


@dataclass
class Part:
    """An epoch that has begun: what its numbers are made of so far."""

    step: int
    loss_sum: Tensor
    right: Tensor
    seconds: float = 0.0


@dataclass(frozen=True)
class Batch:
    """One process's share of a step.

    Clips (B, T, 3, H, W) uint8, or features; labels (B,), or (B, H) of several heads.
    """

    step: int
    clips: Tensor
    labels: Tensor
    weight: float
    rate: float
    is_last: bool


class Run:
    """The state of a run between epochs; with a group, one process's."""

    def __init__(
        self,
        config: RunConfig,
        seed: int,
        device: torch.device,
        group: Group,
        loaders: int,
        features: Path | None = None,
    ) -> None:
        set_determinism(config)
        self.config, self.seed, self.device, self.group = config, seed, device, group
        self.loaders = loaders
        self.clips: Clips = open_clips(config.data, "train")
        validation = open_clips(config.data, "val")
        self.validation: Views = validation
        self.augment = Augment(config.data, self.clips.classes)
        torch.manual_seed(derive("weights", seed))
        self.model = build_model(config.model, config.data).to(device)
        if broken := broken_weights(self.model):
            raise ConfigError("model", f"{broken} before the first step")
        self.notes = self._published()
        self.held = freeze(self.model, config.train.freeze)
        if config.train.partial_bn:
            norms = norms_to_keep(self.model)
            self.held += [norm.requires_grad_(False) for norm in norms]
        self.pixels = pixels_of(self.model)
        self.answering: nn.Module = self.model
        self.frozen: Frozen | None = None
        if config.train.stored_views:
            self.frozen = Frozen(self.model, config, device, features)
            self.answering = self.frozen.model
            self.stored = self.frozen.read(self.clips, "train")
            self.validation = self.frozen.read(validation, "val")
        self.trained = group.wrap(self.answering, device)
        self.optimizer = build_optimizer(self.model, config.train)
        self.epoch = 0
        self.part = self._begin()
        self._generators: list[dict[str, Tensor]] = []  # of a run that goes on inside an epoch
        self.curves: Curves = {name: [] for name in COLUMNS}
        self.best: dict[str, Any] = {"epoch": 0, "val_top1": -1.0, "model": {}}

    def _published(self) -> tuple[str, ...]:
        """Note on the weights of a hub, whose name alone is in the run's identity."""
        model = self.config.model
        if not (isinstance(model, BackboneOptions) and model.pretrained is True):
            return ()
        digest = weights_digest(find_backbone(self.model)[1])
        return (f"the backbone starts from timm's weights of sha256 {digest[:16]}",)

    def _begin(self) -> Part:
        loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        return Part(0, loss_sum, torch.zeros((), dtype=torch.int64, device=self.device))

    def train_epoch(self, should_stop: Callable[[], bool]) -> bool:
        """One pass over the training clips, then the validation clips; False if stopped inside."""
        start = time.perf_counter()
        self._seed_dropout()
        self.model.train()
        hold(self.held)
        part, rate = self.part, 0.0
        with closing(self._batches(part.step)) as batches:
            for batch in batches:
                rate = batch.rate
                set_rate(self.optimizer, rate)
                clips, targets = self._mix(batch)
                loss, logits = self._step(clips, targets, batch.weight)
                if batch.weight:
                    part.loss_sum += loss.double() * len(targets)
                    part.right += are_right(logits, targets, self.clips.heads).sum()
                part.step += 1
                if not batch.is_last and self.group.agree(should_stop, self.device):
                    part.seconds += time.perf_counter() - start
                    return False
        self._end_epoch(rate, start)
        return True

    def _end_epoch(self, rate: float, start: float) -> None:
        part, self.part = self.part, self._begin()
        loss_sum, right = self.group.sum(part.loss_sum), self.group.sum(part.right)
        mean_loss = float(loss_sum) / len(self.clips)
        self.epoch += 1
        if not math.isfinite(mean_loss):
            raise self._diverged(f"diverged: the training loss is {mean_loss}")
        try:
            val_loss, val_top1 = self._validate()
        except DivergedError as error:
            raise self._diverged(f"{error}: the validation loss is nan") from None
        self._check_weights()
        values = (
            self.epoch, mean_loss, 100 * int(right) / len(self.clips), val_loss, val_top1, rate,
            part.seconds + time.perf_counter() - start,
        )  # fmt: skip
        for name, value in zip(COLUMNS, values, strict=True):
            self.curves[name].append(float(value))

    def _check_weights(self) -> None:
        """Refuse weights that the last step, a checkpoint or running statistics have broken."""
        if self.group.rank:  # those of rank 0 are kept
            return
        if broken := broken_weights(self.model):
            raise self._diverged(f"diverged: {broken}")

    def _diverged(self, what: str) -> DivergedError:
        lower = f"try a train.lr below {self.config.train.lr:g}"
        return DivergedError(f"{what} in epoch {self.epoch}; {lower}")

    def _batches(self, first: int) -> Generator[Batch]:
        """From step `first` on; this process's share of each."""
        size = self.config.train.batch_size
        order = rng("order", self.seed, self.epoch).permutation(len(self.clips)).tolist()
        steps = -(-len(order) // size)
        shares = [self.group.share(order[at * size : (at + 1) * size]) for at in range(steps)]
        waiting = chain.from_iterable(items for items, _ in shares[first:])
        # Two batches ahead: one that is slow to decode has the time of the other.
        load = partial(self._load, self.epoch)
        with closing(load_ahead(load, waiting, self.loaders, 2 * size)) as loaded:
            for step, (items, weight) in enumerate(shares[first:], start=first):
                clips, labels = zip(*islice(loaded, len(items)), strict=True)
                rate = learning_rate(self.config.train, self.epoch * steps + step, steps)
                batch = torch.stack(clips), torch.tensor(labels)
                yield Batch(step, *batch, weight, rate, step == steps - 1)

    def _load(self, epoch: int, index: int) -> tuple[Tensor, Label]:
        if views := self.config.train.stored_views:
            view = (epoch + derive("view", self.seed, index)) % views
            return self.stored.load_stored(index, view, self.augment)
        clip = self.clips.load(index, rng("clip", self.seed, epoch, index))
        label: Label = self.clips.labels[index].tolist()
        return self.augment(clip, label, rng("augment", self.seed, epoch, index))

    def _mix(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Normalized clips on the device, and their labels, or shares of classes (B, K)."""
        train = self.config.train
        clips = normalize(batch.clips, self.device, self.pixels)
        labels = batch.labels.to(self.device)
        if not (train.mixup or train.cutmix):
            return clips, labels
        draws = rng("mix", self.seed, self.epoch, batch.step)
        classes = len(self.clips.classes)
        return mix_clips(clips, labels, classes, train.mixup, train.cutmix, draws)

    def _step(self, clips: Tensor, targets: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        train = self.config.train
        with autocast(train.precision, self.device):
            logits = self.trained(clips)
        loss = loss_of(logits.float(), targets, self.clips.heads, train.label_smoothing)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss if weight == 1 else loss * weight)
        if train.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), train.clip_norm)
        self.optimizer.step()
        return loss.detach(), logits.detach()

    def _validate(self) -> tuple[float, float]:
        if not len(self.validation) or self.group.rank:  # rank 0 answers for all
            return float("nan"), float("nan")
        precision = self.config.train.precision
        given = self.validation, self.device, precision, self.loaders
        answers = evaluate(self.answering, *given, "validation")
        top1 = answers.top(1)
        if self.config.train.select == "best" and top1 > self.best["val_top1"]:
            weights = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            self.best = {"epoch": self.epoch, "val_top1": top1, "model": weights}
        return answers.loss(), top1

    def state(self) -> dict[str, Any]:
        """State that `restore` needs to continue with the same numbers."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curves": self.curves,
            "best": self.best,
            "part": self._gather_part(),
            "generators": self.group.gather(self._read_generator()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.curves, self.best = state["epoch"], state["curves"], state["best"]
        part = Part(**state["part"])
        if self.group.rank:  # rank 0 has the sums of all
            part.loss_sum, part.right = part.loss_sum * 0, part.right * 0
        part.loss_sum, part.right = part.loss_sum.to(self.device), part.right.to(self.device)
        self.part = part
        self._generators = state["generators"] if part.step else []

    def _gather_part(self) -> dict[str, Any]:
        part = dataclasses.asdict(self.part)
        return {**part, **{name: self.group.sum(part[name]) for name in ("loss_sum", "right")}}

    def _read_generator(self) -> dict[str, Tensor]:
        state = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        return state

    def _seed_dropout(self) -> None:
        """Anew for every epoch; as it was, in an epoch that goes on."""
        names = (self.group.rank,) if self.group.rank else ()
        torch.manual_seed(derive("dropout", self.seed, self.epoch, *names))
        if not self._generators:
            return
        state, self._generators = self._generators[self.group.rank], []
        torch.set_rng_state(state["cpu"])
        if "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], self.device)

    def choose(self) -> int:
        """Take the reported weights, as `train.select` says; their epoch, counted from 1.

        Raises:
            DivergedError: If they are not finite, as a checkpoint may hold them.
        """
        epoch = self.epoch
        if self.config.train.select == "best" and self.best["epoch"]:
            self.model.load_state_dict(self.best["model"])
            epoch = int(self.best["epoch"])
        self._check_weights()
        return epoch
