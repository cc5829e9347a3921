"""Networks written here in each repository's layout, key by key, and randomised; ours must agree.

Shapes: B clips, T frames, C channels, K classes.
"""

import pytest
import torch
from torch import nn

from vlf.config import MotionConfig, TSMConfig, TSNConfig
from vlf.models import build_model
from vlf.weights.resnet import from_authors, from_mmaction2

T, K = 3, 10
DATA = MotionConfig(frames=T, size=32)
MOBILE = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
MOBILE += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]  # expansion, channels, blocks, stride


class Wrapped(nn.Module):
    """A layer behind a shift, under the name `net`, as both repositories have it."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, frames):
        x = frames.unflatten(0, (-1, T))
        fold = x.shape[2] // 8
        out = torch.zeros_like(x)
        out[:, :-1, :fold] = x[:, 1:, :fold]
        out[:, 1:, fold : 2 * fold] = x[:, :-1, fold : 2 * fold]
        out[:, :, 2 * fold :] = x[:, :, 2 * fold :]
        return self.net(out.flatten(0, 1))


def convert(state):
    found = [one for layout in (from_mmaction2, from_authors) if (one := layout(state)) is not None]
    assert len(found) <= 1  # no file is of both layouts
    return found[0] if found else None


def conv(wide, out, kernel, stride=1, groups=1):
    return nn.Conv2d(wide, out, kernel, stride, kernel // 2, groups=groups, bias=False)


class Pair(nn.Module):
    """mmaction2's (mmcv's) ConvModule."""

    def __init__(self, layer, act=None):
        super().__init__()
        self.conv, self.bn, self.act = layer, nn.BatchNorm2d(layer.out_channels), act

    def forward(self, x):
        x = self.bn(self.conv(x))
        return self.act(x) if self.act else x


class Bottleneck(nn.Module):
    def __init__(self, wide, narrow, stride):
        super().__init__()
        out, relu = narrow * 4, nn.ReLU()
        self.conv1 = Pair(conv(wide, narrow, 1), relu)
        self.conv2 = Pair(conv(narrow, narrow, 3, stride), relu)
        self.conv3 = Pair(conv(narrow, out, 1))
        changes = stride > 1 or wide != out
        self.downsample = Pair(conv(wide, out, 1, stride)) if changes else nn.Identity()

    def forward(self, x):
        return torch.relu(self.conv3(self.conv2(self.conv1(x))) + self.downsample(x))


class PairedResNet50(nn.Module):
    """mmaction2's ResNet-50, with its head."""

    def __init__(self, shift):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.conv1 = Pair(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.ReLU())
        wide = 64
        for stage, blocks in enumerate((3, 4, 6, 3)):
            narrow, layer = 64 * 2**stage, nn.Sequential()
            for index in range(blocks):
                block = Bottleneck(wide, narrow, 2 if stage and not index else 1)
                if shift:
                    block.conv1.conv = Wrapped(block.conv1.conv)
                layer.append(block)
                wide = narrow * 4
            self.backbone.add_module(f"layer{stage + 1}", layer)
        self.cls_head = nn.Module()
        self.cls_head.fc_cls = nn.Linear(2048, K)

    def forward(self, clips):
        net = self.backbone
        x = nn.functional.max_pool2d(net.conv1(clips.flatten(0, 1)), 3, 2, 1)
        x = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return mean_logits(x, self.cls_head.fc_cls)


class Residual(nn.Module):
    """An inverted residual whose layers are under `conv`, as both repositories have it."""

    def __init__(self, layers, skips):
        super().__init__()
        self.conv, self.skips = nn.Sequential(*layers), skips

    def forward(self, x):
        return x + self.conv(x) if self.skips else self.conv(x)


def inverted_residual(wide, out, stride, expansion, make):
    hidden, act = wide * expansion, nn.ReLU6()
    layers = [make(conv(wide, hidden, 1), act)] if expansion > 1 else []
    layers += [make(conv(hidden, hidden, 3, stride, hidden), act), make(conv(hidden, out, 1), None)]
    return layers, stride == 1 and wide == out


class PairedMobileNetV2(nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.backbone, wide = nn.Module(), 32
        self.backbone.conv1 = Pair(conv(3, 32, 3, 2), nn.ReLU6())
        for stage, (expansion, out, blocks, stride) in enumerate(MOBILE):
            layer = nn.Sequential()
            for index in range(blocks):
                step = 1 if index else stride
                layers, skips = inverted_residual(wide, out, step, expansion, Pair)
                if shift and skips:
                    layers[0] = Wrapped(layers[0])
                layer.append(Residual(layers, skips))
                wide = out
            self.backbone.add_module(f"layer{stage + 1}", layer)
        self.backbone.conv2 = Pair(conv(320, 1280, 1), nn.ReLU6())
        self.cls_head = nn.Module()
        self.cls_head.fc_cls = nn.Linear(1280, K)

    def forward(self, clips):
        x = self.backbone.conv1(clips.flatten(0, 1))
        for stage in range(1, 8):
            x = getattr(self.backbone, f"layer{stage}")(x)
        return mean_logits(self.backbone.conv2(x), self.cls_head.fc_cls)


def listed(layer, act):
    return [layer, nn.BatchNorm2d(layer.out_channels), *([act] if act else [])]


class AuthorsMobileNetV2(nn.Module):
    def __init__(self, shift):
        super().__init__()
        features, wide = [nn.Sequential(*listed(conv(3, 32, 3, 2), nn.ReLU6()))], 32
        for expansion, out, blocks, stride in MOBILE:
            for index in range(blocks):
                step = 1 if index else stride
                nested, skips = inverted_residual(wide, out, step, expansion, listed)
                layers = [layer for three in nested for layer in three]
                if shift and skips:
                    layers[0] = Wrapped(layers[0])
                features.append(Residual(layers, skips))
                wide = out
        features.append(nn.Sequential(*listed(conv(320, 1280, 1), nn.ReLU6())))
        self.base_model = nn.Module()
        self.base_model.features = nn.Sequential(*features)
        self.new_fc = nn.Linear(1280, K)

    def forward(self, clips):
        return mean_logits(self.base_model.features(clips.flatten(0, 1)), self.new_fc)


class AuthorsResNet50(nn.Module):
    """torchvision's, which the authors build on."""

    def __init__(self, shift):
        super().__init__()
        from torchvision.models import resnet50

        self.base_model = resnet50()
        self.base_model.fc = nn.Identity()
        for stage in (1, 2, 3, 4) if shift else ():
            for block in getattr(self.base_model, f"layer{stage}"):
                block.conv1 = Wrapped(block.conv1)
        self.new_fc = nn.Linear(2048, K)

    def forward(self, clips):
        return self.new_fc(self.base_model(clips.flatten(0, 1))).unflatten(0, (-1, T)).mean(1)


def mean_logits(maps, layer):
    return layer(maps.mean(dim=(2, 3))).unflatten(0, (-1, T)).mean(1)


def randomised(model):
    """Every parameter and running statistic away from its start, at a scale that keeps logits."""
    draw = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        noise = torch.rand(tensor.shape, generator=draw)
        if tensor.ndim > 1:
            tensor.copy_((noise - 0.5) * (12 / tensor[0].numel()) ** 0.5)
        elif name.endswith(("weight", "running_var")):
            tensor.copy_(0.5 + noise)
        elif tensor.ndim:
            tensor.copy_((noise - 0.5) / 2)
    return model.eval()


PAIRS = {  # label -> (their network, our backbone)
    "mmaction2 ResNet-50": (PairedResNet50, "timm:resnet50"),
    "mmaction2 MobileNetV2": (PairedMobileNetV2, "timm:mobilenetv2_100"),
    "authors' ResNet-50": (AuthorsResNet50, "timm:resnet50"),
    "authors' MobileNetV2": (AuthorsMobileNetV2, "timm:mobilenetv2_100"),
}
each_pair = pytest.mark.parametrize(("network", "backbone"), PAIRS.values(), ids=PAIRS)


@each_pair
@pytest.mark.parametrize("config", [TSNConfig, TSMConfig])
def test_weights_of_another_repository_give_its_logits(network, backbone, config):
    theirs = randomised(network(shift=config is TSMConfig))
    ours = build_model(config(backbone=backbone), DATA).eval()
    clips = torch.randn(2, T, 3, 32, 32, generator=torch.Generator().manual_seed(1))

    ours.load_state_dict(convert(theirs.state_dict()))  # strict: no key too many or too few
    with torch.no_grad():
        wanted, given = theirs(clips), ours(clips)

    assert wanted.std() > 0.1
    torch.testing.assert_close(given, wanted, rtol=1e-5, atol=1e-5)


KEYS = [  # (theirs, ours), from the two repositories
    ("backbone.conv1.conv.weight", "f.net.conv1.weight"),
    ("backbone.layer1.0.conv1.conv.weight", "f.net.layer1.0.conv1.weight"),
    ("backbone.layer1.0.conv1.conv.net.weight", "f.net.layer1.0.conv1.1.weight"),
    ("backbone.layer4.2.conv3.bn.running_var", "f.net.layer4.2.bn3.running_var"),
    ("backbone.layer1.0.downsample.bn.bias", "f.net.layer1.0.downsample.1.bias"),
    ("cls_head.fc_cls.weight", "head.1.weight"),
]
AUTHORS_KEYS = [
    ("base_model.conv1.weight", "f.net.conv1.weight"),
    ("base_model.layer1.0.conv1.net.weight", "f.net.layer1.0.conv1.1.weight"),
    ("base_model.layer1.0.downsample.1.bias", "f.net.layer1.0.downsample.1.bias"),
    ("new_fc.weight", "head.1.weight"),
]


@pytest.mark.parametrize(
    "keys", [KEYS, AUTHORS_KEYS, [(f"module.{a}", b) for a, b in AUTHORS_KEYS]]
)
def test_the_keys_that_the_repositories_are_known_for_find_their_place(keys):
    state = {theirs: torch.full((1,), at) for at, (theirs, _) in enumerate(keys)}

    converted = convert(state)

    assert {name: int(tensor) for name, tensor in converted.items()} == {
        ours: at for at, (_, ours) in enumerate(keys)
    }


@pytest.mark.parametrize("head", ["new_fc", "base_model.fc", "base_model.classifier"])
def test_the_authors_classifier_is_found_under_each_of_its_names(head):
    state = {"module.base_model.conv1.weight": torch.zeros(1), f"module.{head}.bias": torch.ones(1)}

    assert convert(state)["head.1.bias"] == 1


@pytest.mark.parametrize("key", ["backbone.layer1.0.non_local.g.weight", "cls_head.more.weight"])
def test_a_key_that_no_layout_has_is_kept_to_be_told(key):
    state = dict.fromkeys(["backbone.conv1.conv.weight", "cls_head.fc_cls.weight"], torch.zeros(1))

    kept = [name for name in convert({**state, key: torch.zeros(1)}) if name.endswith(key[9:])]

    assert len(kept) == 1


@pytest.mark.parametrize(
    "keys",
    [
        [],
        ["conv1.weight", "layer1.0.conv1.weight", "fc.weight"],  # torchvision's and timm's own
        ["f.net.conv1.weight", "head.1.weight"],  # ours
        ["backbone.conv1.conv.weight", "head.projection.weight"],  # half of mmaction2's
        ["timesformer.embeddings.cls_token", "classifier.weight"],
    ],
)
def test_a_file_of_neither_layout_is_left_to_others(keys):
    assert convert(dict.fromkeys(keys, torch.zeros(1))) is None
