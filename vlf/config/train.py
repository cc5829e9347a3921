"""Training options."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vlf.config.base import Config

Shares = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(strict=False, max_length=100)
]


class TrainConfig(Config):
    """The recipe. Everything here can change the accuracy and is part of the identity.

    Attributes:
        epochs: Passes over the training clips.
        batch_size: Clips a step; a last smaller batch is kept.
        optimizer: "adamw", "sgd" (with `momentum` and `nesterov`), or "muon": Muon for the weights
            of linear layers outside of the head, AdamW for all else.
        lr: Peak learning rate.
        muon_lr: Peak learning rate of what Muon takes; `lr` is that of the rest.
        head_lr_scale: Times `lr` for weight and bias of the last layer.
        bias_lr_scale: Times `lr` for the biases of layers, that of the last one too.
        weight_decay: Decoupled for AdamW; not applied to biases, norms and position embeddings.
        momentum: Of SGD.
        nesterov: Whether SGD's momentum is Nesterov's.
        schedule: After the warm-up: "cosine" to 0, "step" (times `gamma` at each of `milestones`),
            "constant".
        milestones: Shares of all epochs at which "step" lowers the rate.
        gamma: What "step" multiplies the rate by.
        warmup_epochs: Linear warm-up, in epochs; may be a fraction.
        label_smoothing: Of the cross entropy.
        mixup: Both parameters of the Beta distribution that two clips of a batch, and their labels,
            are blended by; 0 blends none.
        cutmix: The same for a box of one clip that is put into another; with `mixup` too, each
            batch draws one of them.
        clip_norm: Largest norm of the gradient; 0 does not clip.
        partial_bn: Keep every BatchNorm of f's backbone but the first as it came with `pretrained`
            or `weights`: statistics, scale and shift.
        precision: "fp32", or "bf16" mixed precision.
        matmul_precision: As torch.set_float32_matmul_precision takes it.
        threads: Threads of one training process; summation order, and so the weights, depend on it.
        processes: Processes that share each batch, on a GPU each or several on CPU (data parallel).
        select: Which epoch is reported: the last, or the best on the validation clips.
        freeze: What of the backbone of f keeps the weights it starts from: "none", "f" (all of
            it; a projection behind it is trained), or a number: its first stages, counted as
            `model.stage` counts. Its BatchNorm keeps its statistics, too.
        stored_views: With 0 every epoch draws its training clips anew. With n each clip has n
            random views, the same for every cell and seed, and goes through them in n epochs;
            then what a frozen f makes of them is computed once and kept (docs/clips.md).
    """

    epochs: int = Field(16, ge=1, le=100_000)
    batch_size: int = Field(32, ge=1)
    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    lr: float = Field(2e-3, gt=0, le=100)
    muon_lr: float = Field(1e-2, gt=0, le=100)
    head_lr_scale: float = Field(1.0, gt=0, le=100)
    bias_lr_scale: float = Field(1.0, gt=0, le=100)
    weight_decay: float = Field(0.05, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    milestones: Shares = (0.6, 0.9)
    gamma: float = Field(0.1, gt=0, le=1)
    warmup_epochs: float = Field(1.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    mixup: float = Field(0.0, ge=0, le=100)
    cutmix: float = Field(0.0, ge=0, le=100)
    clip_norm: float = Field(1.0, ge=0)
    partial_bn: bool = False
    precision: Literal["fp32", "bf16"] = "fp32"
    matmul_precision: Literal["highest", "high", "medium"] = "highest"
    threads: int = Field(1, ge=1, le=1024)
    processes: int = Field(1, ge=1, le=64)
    select: Literal["last", "best"] = "last"
    freeze: Literal["none", "f"] | Annotated[int, Field(ge=1, le=64)] = "none"
    stored_views: int = Field(0, ge=0, le=1000)

    @model_validator(mode="after")
    def _stored_views_hold_all_that_varies(self) -> Self:
        if not self.stored_views:
            return self
        if self.freeze != "f":
            raise ValueError(
                "stored_views: need train.freeze: f, since features of an f that is trained change "
                f"with every step; got freeze {self.freeze}"
            )
        for name in ("mixup", "cutmix"):
            if getattr(self, name):
                raise ValueError(
                    f"{name}: blends clips anew in every batch, which no finite set of stored "
                    f"views holds; say {name}: 0, or stored_views: 0"
                )
        return self
