import pytest
import torch
from torch import nn

from study.measure.metrics.latency import measure_latency
from study.measure.metrics.modes import MODES, logit_difference, prepare
from study.measure.metrics.subject import Subject, Watch
from study.spec.settings import CostConfig

SLOW = ("compile", "freeze")  # a compiler runs


class Small(nn.Module):
    """Convolutions over frames, a norm, linear layers: (B, T, 3, H, W) -> (B, 5)."""

    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.volume = nn.Conv3d(3, 2, 3, padding=1)
        self.head = nn.Sequential(
            nn.LayerNorm(10), nn.Linear(10, 640), nn.GELU(), nn.Linear(640, 5)
        )

    def forward(self, clip):
        frames = self.f(clip.flatten(0, 1)).mean((2, 3)).unflatten(0, (clip.shape[0], -1))
        volume = self.volume(clip.transpose(1, 2)).mean((2, 3, 4))
        return self.head(torch.cat([frames.mean(1), volume], dim=1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = Small()
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            if value.is_floating_point():
                value.uniform_(0.1, 0.9)
    return model.eval()


CLIP = torch.randn(2, 4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.filterwarnings("default")  # of compilers and exporters
@pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=pytest.mark.slow if mode in SLOW else ()) for mode in MODES]
)
def test_every_mode_gives_the_models_answer_and_leaves_it_as_it_is(model, mode):
    if mode == "onnx":
        pytest.importorskip("onnxruntime")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    strides = [value.stride() for value in model.state_dict().values()]

    with torch.inference_mode():
        run = prepare(model, CLIP, mode, CostConfig()).run
        difference = logit_difference(run, model, CLIP)

    assert difference < (0.05 if mode in ("bf16", "fp16") else 1e-5)
    assert [value.stride() for value in model.state_dict().values()] == strides
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_difference_is_told_as_a_share_of_the_largest_logit(model):
    with torch.inference_mode():
        largest = float(model(CLIP).abs().max())
        difference = logit_difference(lambda clip: model(clip) + 0.5 * largest, model, CLIP)

    assert difference == pytest.approx(0.5)


def test_modes_are_timed_in_the_same_rounds_and_say_how_they_differ(model):
    subjects = [Subject(name, model, CLIP[:1]) for name in "ab"]
    protocol = CostConfig(batch_sizes=[1], rounds=6, modes=["eager", "channels_last", "bf16"])

    readings = measure_latency(subjects, protocol, Watch())

    for name in "ab":
        found = {(one.metric, one.conditions["mode"]): one for one in readings[name].measurements}
        for mode in protocol.modes:
            assert found["latency", mode].rounds == tuple(range(6))
        assert set(found) - {("latency", mode) for mode in protocol.modes} == {
            ("logit_difference", "channels_last"),
            ("logit_difference", "bf16"),
        }
        assert found["latency", "bf16"].conditions["precision"] == "bf16"


class Untraceable(nn.Module):
    def forward(self, clip):
        if float(clip.sum()) > 1e9:
            raise ValueError
        return clip.flatten(1)[:, :5]


@pytest.mark.filterwarnings("default")
def test_a_mode_that_a_model_does_not_have_is_a_note_and_the_others_are_timed():
    pytest.importorskip("onnxruntime")
    subject = Subject("a", Untraceable().eval(), CLIP[:1])
    protocol = CostConfig(batch_sizes=[1], rounds=5, modes=["eager", "onnx"])

    reading = measure_latency([subject], protocol, Watch())["a"]

    assert [one.conditions["mode"] for one in reading.measurements] == ["eager"]
    (note,) = reading.notes
    assert note.startswith("onnx: not measured: ")


def test_a_quoted_mode_that_fails_is_a_failure():
    subject = Subject("a", Untraceable(), CLIP[:1])
    protocol = CostConfig(batch_sizes=[1], rounds=5, modes=["onnx"], precision="bf16")

    with pytest.raises(RuntimeError, match="fp32 alone"):
        measure_latency([subject], protocol, Watch())
