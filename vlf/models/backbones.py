"""The networks that f is made of: `tiny`, and timm's models whole or at a chosen stage.

Shapes: B frames, C channels, S side of a frame, H and W of the feature map.
"""

import sys
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vlf.config import BackboneOptions, ConfigError, nearest
from vlf.config.extras import EXTRAS
from vlf.models.pixels import IMAGENET, Pixels, set_pixels
from vlf.weights.backbone import fit_backbone, is_counter
from vlf.weights.convert import name_keys, one_line
from vlf.weights.files import read_weights
from vlf.weights.normalisation import check_normalisation

TINY_CHANNELS = (16, 32, 64, 128)
TINY_STAGES = (2, 3)


class FeatureMap(NamedTuple):
    """Shape of what a backbone gives for one frame."""

    channels: int
    height: int
    width: int


class Tiny(nn.Sequential):
    """Stride-2 3x3 convolutions, each with BatchNorm and ReLU: (B, 3, S, S) -> (B, C, H, W).

    Stage 2 (the default) has three of them and gives 64 channels at an eighth of the side;
    stage 3 has four and gives 128 channels at a sixteenth.
    """

    def __init__(self, stage: int) -> None:
        layers: list[nn.Module] = []
        channels = 3
        for wider in TINY_CHANNELS[: stage + 1]:
            layers += [
                # No bias: the norm that follows would take it out again.
                nn.Conv2d(channels, wider, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(inplace=True),
            ]
            channels = wider
        super().__init__(*layers)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, frames: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C, H, W), channels last in memory: a third faster on CPUs."""
        x = frames.contiguous(memory_format=torch.channels_last)
        for layer in self:
            x = layer(x)
        return x


class TimmVectors(nn.Module):
    """A whole timm model up to its classifier: (B, 3, S, S) -> (B, C), pooled as it pools.

    So MobileNetV2 keeps its last 1x1 convolution, and a ViT is read at its class token.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, frames: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C)."""
        vectors: Tensor = self.net(frames)
        return vectors


class TimmFeatures(TimmVectors):
    """One feature map of a timm model, without the layers behind it: (B, 3, S, S) -> (B, C, H, W).

    timm's HRNet keeps some layers that its feature maps do not need; they are counted with it.
    """

    def forward(self, frames: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C, H, W)."""
        return super().forward(frames)[-1]


def build_backbone(config: BackboneOptions, size: int) -> tuple[nn.Module, FeatureMap]:
    """Build a backbone and learn the shape of its feature map for frames of size x size pixels.

    On the meta device no weights are read or fetched.

    Raises:
        ConfigError: If there is no such model, stage or weights, or it cannot take such frames.
    """
    _check_file(config)
    backbone = _build_tiny(config) if config.backbone == "tiny" else _build_timm(config, size)
    shape = _probe(backbone, config.backbone, size)
    if len(shape) != 4 or 0 in shape:
        message = f'"{config.backbone}" gives no feature map for frames of {size}x{size}'
        raise ConfigError("model.backbone", f"{message}, but a tensor of shape {tuple(shape)}")
    return backbone, FeatureMap(*shape[1:])


def build_vectors(config: BackboneOptions, size: int) -> tuple[nn.Module, int]:
    """Build an f that makes one vector of a frame, (B, 3, S, S) -> (B, C), and tell its width C.

    A timm model without a `stage` is taken whole (`TimmVectors`). `tiny`, and a model cut at a
    stage, give the mean over the places of their feature map.

    Raises:
        ConfigError: As `build_backbone`.
    """
    if config.backbone == "tiny" or config.stage is not None:
        backbone, (channels, _, _) = build_backbone(config, size)
        return nn.Sequential(backbone, nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels
    _check_file(config)
    whole = TimmVectors(_timm_net(config, size, {"num_classes": 0}))
    shape = _probe(whole, config.backbone, size)
    if len(shape) != 2:
        message = f'"{config.backbone}" gives no vector for a frame'
        raise ConfigError("model.backbone", f"{message}, but a tensor of shape {tuple(shape)}")
    return whole, shape[1]


def check_pretrained(config: BackboneOptions, size: int) -> None:
    """Read the backbone's weights, or fetch them, so that a run that cannot does not begin.

    Raises:
        ConfigError: As `build_backbone`.
    """
    _check_file(config)
    if config.backbone == "tiny":
        _build_tiny(config)
    else:
        _timm_net(config, size, {"num_classes": 0})


def _check_file(config: BackboneOptions) -> None:
    path = config.backbone_file()
    if path is None or path.is_file():
        return
    message = f'no such file: "{config.pretrained}"'
    if extra := EXTRAS.get(str(config.pretrained)):
        fix = f"pip install 'vlf-ablations[{extra.extra}]'"
        message = f"{config.pretrained} is not installed: {fix}"
    raise ConfigError("model.pretrained", message)


def _probe(backbone: nn.Module, name: str, size: int) -> torch.Size:
    frame = torch.zeros(1, 3, size, size, device=next(backbone.parameters()).device)
    training = backbone.training
    try:
        with torch.no_grad():
            # eval: the probe must not move the running statistics of BatchNorm
            shape: torch.Size = backbone.eval()(frame).shape
    except (RuntimeError, AssertionError, ValueError) as error:
        message = f'"{name}" cannot take frames of {size}x{size}: {one_line(error)}'
        raise ConfigError("model.backbone", message) from error
    finally:
        backbone.train(training)
    return shape


def _build_tiny(config: BackboneOptions) -> nn.Module:
    stage = TINY_STAGES[0] if config.stage is None else config.stage
    if stage not in TINY_STAGES:
        raise ConfigError("model.stage", f'must be 2 or 3 for backbone "tiny", got {stage}')
    if config.pretrained is True:
        message = '"tiny" has no published weights; allowed: false or the path of a weight file'
        raise ConfigError("model.pretrained", message)
    backbone = Tiny(stage)
    if isinstance(config.pretrained, str) and not on_meta():
        backbone.load_state_dict(_read(config, backbone, "tiny", (), IMAGENET), strict=False)
    return backbone


def _build_timm(config: BackboneOptions, size: int) -> nn.Module:
    # timm's "getter" drops the layers behind the stage for all models; its default does not for
    # EfficientNet and MobileNet, whose parameters would be counted and never trained.
    last = -1 if config.stage is None else config.stage
    options = {"features_only": True, "feature_cls": "getter", "out_indices": (last,)}
    return TimmFeatures(_timm_net(config, size, options))


def _timm_net(config: BackboneOptions, size: int, options: dict[str, Any]) -> nn.Module:
    import timm  # takes a second; `tiny` does without

    name = config.backbone.removeprefix("timm:")
    published = _published(name)
    pixels = Pixels(tuple(published.mean), tuple(published.std))
    if published.fixed_input_size:
        options["img_size"] = size  # of models with position embeddings: ViT, Swin
    if config.pretrained is True and not published.has_weights:
        message = f'timm has no weights of "{name}"; allowed: false or the path of a weight file'
        raise ConfigError("model.pretrained", message)
    fetch = config.pretrained is True and not on_meta()
    try:
        net: nn.Module = timm.create_model(name, pretrained=fetch, **options)
    except Exception as error:  # whatever timm, its hub client or a model's own code raise
        raise _why_not_built(config, name, options, error) from error
    if isinstance(config.pretrained, str) and not on_meta():
        _load_file(net, config, name, pixels)
    if config.pretrained:
        set_pixels(net, pixels)
    return net


def _load_file(net: nn.Module, config: BackboneOptions, name: str, pixels: Pixels) -> None:
    """Load what a net that may be cut at a stage has of the whole network's file."""
    import timm

    with torch.device("meta"):
        whole = timm.create_model(name)
    cfg: dict[str, Any] = getattr(whole, "pretrained_cfg", {})
    heads = cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    state = _read(config, whole, name.partition(".")[0], heads, pixels)
    inner: nn.Module = getattr(net, "model", net)  # a net that is cut wraps what is left
    # What brings position embeddings to another size, of networks that have some.
    resize = getattr(sys.modules[type(inner).__module__], "checkpoint_filter_fn", None)
    if cfg.get("fixed_input_size") and resize is not None:
        state = resize(state, inner)
    kept = {key: state[key] for key in inner.state_dict() if key in state}
    left = inner.load_state_dict(kept, strict=False)
    if lost := [key for key in left.missing_keys if not is_counter(key)]:
        message = f'"{config.pretrained}" lacks {name_keys(lost)}, which "{config.backbone}" adds'
        raise ConfigError("model.pretrained", message)


def _read(
    config: BackboneOptions, whole: nn.Module, arch: str, heads: tuple[str, ...], pixels: Pixels
) -> dict[str, Tensor]:
    path = config.backbone_file()
    assert path is not None
    try:
        stored = read_weights(path)
        check_normalisation(config, stored, pixels)
        return fit_backbone(whole.state_dict(), arch, heads, stored)
    except ValueError as error:
        raise ConfigError("model.pretrained", f'"{config.pretrained}" {error}') from error


def _published(name: str) -> Any:
    """Settings of a model and its weights in timm (`timm.models.PretrainedCfg`)."""
    import timm

    arch, _, tag = name.partition(".")
    if not timm.is_model(arch):
        hint = nearest(arch, timm.list_models())
        raise ConfigError("model.backbone", f'timm has no model "{arch}"{hint}')
    tags = [model.partition(".")[2] for model in timm.list_pretrained(f"{arch}.*")]
    if tag and tag not in tags:
        allowed = ", ".join(tags) or "none"
        message = f'timm\'s {arch} has no weights "{tag}"{nearest(tag, tags)} (allowed: {allowed})'
        raise ConfigError("model.backbone", message)
    return timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()


def _why_not_built(
    config: BackboneOptions, name: str, options: dict[str, Any], error: Exception
) -> ConfigError:
    """Find the key at fault: the last stage without weights builds if the backbone is sound."""
    import timm

    sound = {**options, "out_indices": (-1,)} if "out_indices" in options else options
    with torch.device("meta"):
        try:
            net = timm.create_model(name, **sound)
        except Exception as reason:
            wanted = "feature maps" if "out_indices" in options else "vector"
            message = f'timm\'s "{name}" gives no {wanted}: {one_line(reason)}'
            return ConfigError("model.backbone", message)
    known: Any = net.feature_info
    if config.stage is not None and config.stage >= len(known.info):
        allowed = f'must be 0 to {len(known.info) - 1} for "timm:{name}"'
        return ConfigError("model.stage", f"{allowed}, got {config.stage}")
    why = f"{type(error).__name__}: {one_line(error)}"
    fix = "go online once, or give model.pretrained the path of a weight file"
    return ConfigError(
        "model.pretrained", f'cannot fetch the weights of "timm:{name}" ({why}); {fix}'
    )


def on_meta() -> bool:
    """True if new tensors are on the meta device, where a model is planned and not built."""
    return torch.empty(0).device.type == "meta"
