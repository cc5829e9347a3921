"""Files of the two VTNs in their authors' layouts, which networks written here have too."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from vlf.config import ConfigError, MotionConfig, VTNConfig, VTNLongformerConfig
from vlf.models import build_model

T, K, HEADS, DEPTH = 3, 10, 4, 2
DATA = MotionConfig(frames=T)


def randomised(model):
    draw = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            spread = (12 / tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else 1.0
            tensor.copy_((torch.rand(tensor.shape, generator=draw) - 0.5) * spread)
            if name.endswith(("running_var", "a_2")):
                tensor.abs_().add_(0.5)
    return model.eval()


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a_2, self.b_2 = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x):
        deviation = x.std(dim=-1, keepdim=True) + 1e-3
        return (x - x.mean(dim=-1, keepdim=True)) / deviation * self.a_2 + self.b_2


class Layer(nn.Module):
    """Heads one by one; an MLP of convolutions over frames."""

    def __init__(self, width):
        super().__init__()
        self.slf_attn, self.pos_ffn = nn.Module(), nn.Module()
        for name in ("w_qs", "w_ks", "w_vs"):
            value = nn.Parameter(torch.zeros(HEADS, width, width // HEADS))
            self.slf_attn.register_parameter(name, value)
        self.slf_attn.layer_norm, self.pos_ffn.layer_norm = Norm(width), Norm(width)
        self.pos_ffn.w_1 = nn.Conv1d(width, 2 * width, 1)
        self.pos_ffn.w_2 = nn.Conv1d(2 * width, width, 1)

    def forward(self, x):
        part, width = self.slf_attn, x.shape[2]
        joined = []
        for head in range(HEADS):
            q, k, v = (x @ w[head] for w in (part.w_qs, part.w_ks, part.w_vs))
            joined.append(torch.softmax(q @ k.transpose(1, 2) / width**0.5, dim=2) @ v)
        x = part.layer_norm(torch.cat(joined, dim=2) + x)
        y = self.pos_ffn.w_2(torch.relu(self.pos_ffn.w_1(x.transpose(1, 2)))).transpose(1, 2)
        return self.pos_ffn.layer_norm(y + x)


class Kozlov(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.resnet = nn.Sequential(*list(resnet18().children())[:-2])
        if width != 512:
            self.reduce_conv = nn.Conv2d(512, width, 1)
        self.self_attention_decoder = nn.Module()
        self.self_attention_decoder.layers = nn.ModuleList(Layer(width) for _ in range(DEPTH))
        encoding = self.self_attention_decoder.position_encoding = nn.Module()
        encoding.enc = nn.Embedding(T, width, padding_idx=0)
        self.fc = nn.Linear(width, K)

    def forward(self, clips):
        x = self.resnet(clips.flatten(0, 1))
        x = self.reduce_conv(x) if hasattr(self, "reduce_conv") else x
        x = x.mean(dim=(2, 3)).unflatten(0, (-1, T))
        x = x + self.self_attention_decoder.position_encoding.enc.weight
        for layer in self.self_attention_decoder.layers:
            x = layer(x)
        return self.fc(x).mean(dim=1)


@pytest.fixture(params=[64, 512])
def kozlov(request):
    theirs = randomised(Kozlov(request.param))
    theirs.self_attention_decoder.position_encoding.enc.weight.data[0] = 0  # padding
    options = {"width": request.param, "heads": HEADS, "depth": DEPTH}
    return theirs, VTNConfig(backbone="timm:resnet18", **options)


def stored(theirs, path):
    state = {f"module.{key}": value for key, value in theirs.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {}}, path)
    return str(path)


def test_a_file_of_kozlov_gives_the_logits_of_their_formula(kozlov, tmp_path):
    theirs, config = kozlov
    path = stored(theirs, tmp_path / "vtn.pth")
    ours = build_model(config.model_copy(update={"weights": path}), DATA).eval().double()
    clips = torch.randn(2, T, 3, 32, 32, generator=torch.Generator().manual_seed(1)).double()

    with torch.no_grad():
        wanted, given = theirs.double()(clips), ours(clips)

    assert wanted.std() > 0.01
    torch.testing.assert_close(given, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kozlov", [64], indirect=True)
@pytest.mark.parametrize(
    ("heads", "first_position", "frames", "message"),
    [
        (8, 0.0, T, "with 4 heads: say model.heads: 4, not 8"),
        (HEADS, 0.1, T, "has a position for the first frame .* zero in vtn"),
        (HEADS, 0.0, T + 1, "data.frames and data.size must be those of the file"),
    ],
)
def test_a_file_of_kozlov_that_does_not_fit_says_what_does_not(
    kozlov, tmp_path, heads, first_position, frames, message
):
    theirs, config = kozlov
    theirs.self_attention_decoder.position_encoding.enc.weight.data[0, 5] = first_position
    path = stored(theirs, tmp_path / "vtn.pth")

    with pytest.raises(ConfigError, match=message):
        build_model(
            config.model_copy(update={"weights": path, "heads": heads}), MotionConfig(frames=frames)
        )


RENAMED = {  # ours -> Neimark's
    "f.net.": "backbone.",
    "h.class_token": "cls_token",
    "h.position.": "temporal_encoder.embeddings.position_embeddings.",
    "h.kind.": "temporal_encoder.embeddings.token_type_embeddings.",
    "h.norm.": "temporal_encoder.embeddings.LayerNorm.",
    "h.layers.": "temporal_encoder.encoder.layer.",
    "head.": "mlp_head.",
}


def test_a_file_of_neimark_fills_all_of_the_model(tmp_path):
    config = VTNLongformerConfig(backbone="timm:vit_tiny_patch16_224", heads=3, depth=2)
    donor = randomised(build_model(config, DATA))
    state = {
        next(key.replace(ours, theirs, 1) for ours, theirs in RENAMED.items() if ours in key): value
        for key, value in donor.state_dict().items()
    }
    state["temporal_encoder.embeddings.position_ids"] = torch.arange(288)[None]
    said = {"cfg": "VTN:\n  NUM_ATTENTION_HEADS: 3\n"}
    torch.save({"model_state": state, **said}, tmp_path / "v.pyth")

    model = build_model(config.model_copy(update={"weights": str(tmp_path / "v.pyth")}), DATA)

    wanted = donor.state_dict()
    assert {"cls_token", "backbone.cls_token", "mlp_head.4.bias"} <= state.keys()
    assert all(torch.equal(value, wanted[key]) for key, value in model.state_dict().items())
