"""Build a model with its authors' code, save it as they save it, and keep what it computes.

    python build_theirs.py MODEL CHECKOUT OUT

Runs in a process of its own, since it puts stand-ins of old APIs and of packages that take no part
in the model into `sys.modules`. OUT gets `weights` (the file, as the authors' training writes it)
and `theirs.pt`: clip (B, T, 3, S, S), its frames' indices, logits (B, K), and the gradients of one
number with respect to clip and parameters. Their code is imported from the checkout and copied
nowhere.
"""

import collections.abc
import importlib
import importlib.util
import inspect
import sys
import types
from pathlib import Path

import torch
from torch import nn

T, S, K = 4, 32, 7


def stand_in(name, path=None, **values):
    """A module of the given content in the place of one that is old, absent or not wanted."""
    module = types.ModuleType(name)
    vars(module).update(values)
    if path is not None:
        module.__path__ = [str(path)]
    sys.modules[name] = module
    return module


def randomise(model):
    """Every parameter and buffer away from its start, at a scale that keeps activations."""
    draw = torch.Generator().manual_seed(0)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if not tensor.is_floating_point():
            continue
        noise = torch.rand(tensor.shape, generator=draw)
        with torch.no_grad():
            if tensor.ndim > 1 and "token" not in name and "pos" not in name:
                tensor.copy_((noise - 0.5) * (12 / tensor[0].numel()) ** 0.5)
            elif name.endswith(("weight", "running_var", "a_2")):
                tensor.copy_(0.5 + noise)
            else:
                tensor.copy_((noise - 0.5) / 2)
    return model.eval()


def timesformer(checkout, attention):
    sys.path.insert(0, str(checkout))
    stand_in("torch._six", container_abcs=collections.abc, int_classes=int, string_classes=str)
    torch.nn.modules.linear._LinearWithBias = nn.Linear
    config = importlib.import_module("timesformer.config.defaults").get_cfg()
    vit = importlib.import_module("timesformer.models.vit")
    checkpoint = importlib.import_module("timesformer.utils.checkpoint")
    norm = {"norm_layer": lambda width: nn.LayerNorm(width, eps=1e-6), "num_frames": T}
    model = nn.Module()
    model.model = vit.VisionTransformer(
        img_size=S,
        patch_size=8,
        num_classes=K,
        embed_dim=48,
        depth=3,
        num_heads=3,
        qkv_bias=True,
        attention_type=attention,
        **norm,
    )
    model.forward = model.model.forward
    config.NUM_GPUS = 0

    def save(path):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        return checkpoint.save_checkpoint(str(path.parent), model, optimizer, 3, config)

    return model, lambda clip: model(clip.transpose(1, 2)), save


def authors_tsm(checkout, base, shift):
    sys.path.insert(0, str(checkout))
    models = importlib.import_module("ops.models")
    models.TSN.print_spec = False  # is looked up for MobileNetV2 and never set
    options = {"base_model": base, "is_shift": shift, "pretrain": None, "print_spec": False}
    model = models.TSN(K, T, "RGB", dropout=0.5, partial_bn=False, **options)

    def save(path):
        state = nn.DataParallel(model).state_dict()
        entries = {"epoch": 3, "arch": base, "best_prec1": torch.tensor(51.5)}
        torch.save({**entries, "state_dict": state}, path.with_suffix(".pth.tar"))
        return path.with_suffix(".pth.tar")

    return model, lambda clip: model(clip.flatten(1, 2)), save


def mmaction2(checkout, backbone, shift):
    sys.path.insert(0, str(checkout))
    root = checkout / "mmaction/models"
    for part in ("", ".backbones", ".heads", ".recognizers", ".data_preprocessors", ".losses"):
        stand_in(f"mmaction.models{part}", root / part.removeprefix("."))
    stand_in("mmaction.evaluation", top_k_accuracy=None)
    for part in (
        "backbones.resnet",
        "backbones.resnet_tsm",
        "backbones.mobilenet_v2",
        "backbones.mobilenet_v2_tsm",
        "losses.cross_entropy_loss",
        "heads.tsn_head",
        "heads.tsm_head",
        "recognizers.recognizer2d",
        "data_preprocessors.data_preprocessor",
    ):
        importlib.import_module(f"mmaction.models.{part}")
    registry = importlib.import_module("mmaction.registry").MODELS
    mobile = backbone == "MobileNetV2"
    frames = {"num_segments": T} if shift else {}
    base = {"type": backbone + "TSM" * shift, "pretrained": None, **frames}
    if not mobile:
        base |= {"depth": 50, "norm_eval": False}
    head = {"type": "TSMHead" if shift else "TSNHead", "num_classes": K, **frames}
    if shift:
        head["is_shift"] = True
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    config = {
        "type": "Recognizer2D",
        "backbone": base,
        "cls_head": {**head, "in_channels": 1280 if mobile else 2048},
        "data_preprocessor": {"type": "ActionDataPreprocessor", "mean": mean, "std": std},
    }
    scope = importlib.import_module("mmengine.registry").DefaultScope
    scope.get_instance("authors", scope_name="mmaction")
    model = registry.build(config)

    def run(clip):
        features = model.backbone(clip.flatten(0, 1))
        return model.cls_head(features, T)

    def save(path):
        mmengine = importlib.import_module("mmengine")
        runner = importlib.import_module("mmengine.runner").Runner(
            model,
            str(path.parent / "work"),
            default_scope="mmaction",
            cfg=mmengine.Config({"model": config}),
            experiment_name="authors",
            train_dataloader=torch.utils.data.DataLoader([0]),
            train_cfg={"by_epoch": True, "max_epochs": 1},
            optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        )
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.message_hub.update_scalar("train/loss", 1.5)
        runner.save_checkpoint(str(path.parent), path.with_suffix(".pth").name, by_epoch=False)
        return path.with_suffix(".pth")

    return model, run, save


def neimark(checkout):
    sys.path.insert(0, str(checkout))
    timm = importlib.import_module("timm")
    stand_in("detectron2.layers", ROIAlign=None)
    stand_in("slowfast.models", checkout / "slowfast/models")
    builder = importlib.import_module("slowfast.models.video_model_builder")
    stand_in("slowfast.utils.c2_model_loading", get_name_convert_func=None)
    checkpoint = importlib.import_module("slowfast.utils.checkpoint")
    config = importlib.import_module("slowfast.config.defaults").get_cfg()
    config.merge_from_file(str(checkout / "configs/Kinetics/VIT_B_VTN.yaml"))
    config.MODEL.NUM_CLASSES, config.NUM_GPUS = K, 0
    config.VTN.HIDDEN_DIM = config.VTN.MLP_DIM = 192
    config.VTN.INTERMEDIATE_SIZE, config.VTN.NUM_ATTENTION_HEADS = 768, 3

    def small_vit(pretrained, **options):
        return timm.create_model("vit_tiny_patch16_224", img_size=S, **options)

    builder.vit_base_patch16_224 = small_vit
    model = builder.VTN(config)
    indices = torch.arange(T)[None].expand(2, -1) * 8

    def save(path):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        return checkpoint.save_checkpoint(str(path.parent), model, optimizer, 3, config)

    return model, lambda clip: model([clip.transpose(1, 2), indices]), save


def kozlov(checkout, width):
    root = checkout / "pytorch_toolkit/action_recognition/action_recognition"
    torchvision = importlib.import_module("torchvision")
    stand_in("theirs", root)
    stand_in("theirs.utils", get_fine_tuning_parameters=None, load_state=None)
    stand_in("theirs.models", root / "models")
    modules = stand_in("theirs.models.modules", root / "models/modules")
    stand_in("theirs.models.modules.modules", Identity=nn.Identity)
    functional = importlib.import_module("theirs.models.modules.functional")
    vars(modules).update(Identity=nn.Identity, squash_dims=functional.squash_dims)
    modules.unsquash_dim = functional.unsquash_dim

    def make_encoder(name, **options):
        layers = list(getattr(torchvision.models, name)().children())[:-2]
        return types.SimpleNamespace(features=nn.Sequential(*layers), features_shape=(512, 7, 7))

    stand_in("theirs.models.backbone", make_encoder=make_encoder)
    video = importlib.import_module("theirs.models.video_transformer")
    model = video.VideoTransformer(width, T, n_classes=K, pretrained=False, num_layers=3)

    def save(path):
        state = {f"module.{key}": value for key, value in model.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": state, "optimizer": {}}, path.with_suffix(".pth"))
        return path.with_suffix(".pth")

    return model, model, save


MODELS = {  # name -> (folder of the checkout, build, its arguments)
    **{
        f"timesformer-{kind}": ("TimeSformer", timesformer, (kind,))
        for kind in ("divided_space_time", "joint_space_time", "space_only")
    },
    **{
        f"{'tsm' if shift else 'tsn'}-{base}": ("temporal-shift-module", authors_tsm, (base, shift))
        for base in ("resnet50", "mobilenetv2")
        for shift in (False, True)
    },
    **{
        f"mmaction2-{'tsm' if shift else 'tsn'}-{base}": ("mmaction2", mmaction2, (base, shift))
        for base in ("ResNet", "MobileNetV2")
        for shift in (False, True)
    },
    "neimark": ("SlowFast", neimark, ()),
    "kozlov": ("training_extensions", kozlov, (512,)),
    "kozlov-narrow": ("training_extensions", kozlov, (64,)),
}


def main():
    """Build, save and run the model that the command line names."""
    name, checkout, out = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
    _, build, arguments = MODELS[name]
    torch.manual_seed(0)
    model, run, save = build(checkout, *arguments)
    randomise(model)
    if "kozlov" in name:
        model.self_attention_decoder.position_encoding.enc.weight.data[0] = 0  # it is padding
    side = 224 if "kozlov" in name else S  # their pooling is of 7x7 places
    clip = torch.randn(2, T, 3, side, side, generator=torch.Generator().manual_seed(1))
    clip = clip.double().requires_grad_()
    path = save(out / "weights")
    model.double()  # so that a difference in what is computed stands out from rounding
    logits = run(clip)
    weights = torch.linspace(-1, 1, logits.numel()).view_as(logits)
    (logits * weights).sum().backward()
    grads = {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
    found = {"clip": clip.detach(), "logits": logits.detach(), "clip_grad": clip.grad}
    torch.save({**found, "grads": grads, "path": str(path)}, out / "theirs.pt")


if __name__ == "__main__":
    # Some of their code looks at the source of its callers.
    assert inspect.getmodule(main) is not None
    main()
