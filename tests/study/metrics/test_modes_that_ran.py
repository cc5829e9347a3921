"""A mode has a number only if it ran: what shows it, and what is told where it did not."""

import pytest
import torch
from torch import nn

from study.measure.metrics.latency import measure_latency
from study.measure.metrics.modes import logit_difference, prepare
from study.measure.metrics.subject import Subject, Watch
from study.spec.settings import CostConfig

CLIP = torch.randn(2, 4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
PROTOCOL = CostConfig(batch_sizes=[1], rounds=5, modes=["eager", "compile"])
OPTION = "study.measure.metrics.compiled.BACKEND"  # dynamo is real; a C++ compiler takes minutes

pytestmark = pytest.mark.filterwarnings("default")  # of compilers


class Tiny(nn.Module):
    """One linear layer: (B, T, 3, H, W) -> (B, 5)."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 5)
        self.scale = 1.0

    def forward(self, clip):
        return self.head(clip.mean((1, 3, 4))) * self.scale


@pytest.fixture
def without_kernels(monkeypatch):
    """Dynamo compiles, and the graphs that it finds run without generated kernels."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    monkeypatch.setattr(OPTION, "eager")


def reading_of(model, protocol=PROTOCOL, watch=None):
    return measure_latency([Subject("a", model.eval(), CLIP[:1])], protocol, watch or Watch())["a"]


def modes_with_numbers(reading):
    timings = [one for one in reading.measurements if one.metric == "latency"]
    return [(one.conditions["mode"], one.conditions["batch_size"]) for one in timings]


def check_instances(instances, batch_sizes, modes):
    """Each instance is timed compiled at each batch size, and as many graphs were compiled."""
    protocol = CostConfig(batch_sizes=batch_sizes, rounds=5, modes=["eager", *modes])
    subjects = [Subject(str(at), Tiny().eval(), CLIP[:1]) for at in range(instances)]
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]

    readings = measure_latency(subjects, protocol, Watch())

    expected = [(mode, batch) for batch in batch_sizes for mode in protocol.modes]
    assert [modes_with_numbers(one) for one in readings.values()] == [expected] * instances
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"] - before
    assert graphs == instances * len(batch_sizes) * len(modes)


@pytest.mark.usefixtures("without_kernels")
def test_all_instances_of_a_class_are_compiled_at_all_batch_sizes():
    check_instances(12, [1, 2], ["compile"])


@pytest.mark.slow
def test_all_instances_of_a_class_are_compiled_and_frozen_at_all_batch_sizes():
    torch._dynamo.reset()
    check_instances(10, [1, 2], ["compile", "freeze"])


class LeftAlone(Tiny):
    @torch._dynamo.disable
    def forward(self, clip):
        return super().forward(clip)


@pytest.mark.usefixtures("without_kernels")
def test_a_model_that_is_not_compiled_has_no_number():
    reading = reading_of(LeftAlone())

    assert modes_with_numbers(reading) == [("eager", 1)]
    assert any("compile: not measured" in one and "nothing was compiled" in one
               for one in reading.notes)  # fmt: skip


@pytest.mark.usefixtures("without_kernels")
def test_a_compiler_that_is_switched_off_gives_no_number():
    with torch._dynamo.config.patch(disable=True):
        reading = reading_of(Tiny())

    assert modes_with_numbers(reading) == [("eager", 1)]


@pytest.mark.usefixtures("without_kernels")
def test_a_quoted_mode_that_did_not_run_fails_the_cell():
    with pytest.raises(RuntimeError, match="nothing was compiled"):
        reading_of(LeftAlone(), CostConfig(batch_sizes=[1], rounds=5, modes=["compile"]))


class Broken(Tiny):
    def forward(self, clip):
        mean = clip.mean((1, 3, 4))
        torch._dynamo.graph_break()
        return self.head(mean) * self.scale


@pytest.mark.usefixtures("without_kernels")
def test_graph_breaks_are_told_with_what_was_compiled():
    reading = reading_of(Broken())

    assert ("compile", 1) in modes_with_numbers(reading)
    (note,) = [one for one in reading.notes if "compiled in part" in one]
    assert note.startswith("compile at batch 1: compiled in part: 2 graphs a call with ")


class NeverSettles(Tiny):
    def forward(self, clip):
        self.scale += 1.0
        return super().forward(clip)


@pytest.mark.usefixtures("without_kernels")
def test_a_model_that_is_compiled_at_every_call_has_no_number():
    reading = reading_of(NeverSettles())

    assert modes_with_numbers(reading) == [("eager", 1)]
    assert any("compiled again at each of 8 calls" in note for note in reading.notes)


@pytest.mark.usefixtures("without_kernels")
def test_a_call_that_was_compiled_anew_or_ran_eagerly_is_told():
    model = Tiny().eval()
    with torch.inference_mode():
        prepared = prepare(model, CLIP, "compile", CostConfig())
        prepared.run(CLIP)
        assert prepared.why_not() == ""
        with torch.compiler.set_stance("force_eager"):
            prepared.run(CLIP)
        assert prepared.why_not() == "compiled graphs ran 1 times in 2 calls, not 2"
        model.scale = 2.0
        prepared.run(CLIP)
        assert prepared.why_not() == "compiled again 1 times while it was timed"


class Changer(Watch):
    """Changes a model when its timing begins."""

    def __init__(self, model):
        self.model = model

    def stage(self, text):
        if text.startswith("timing"):
            self.model.scale = 3.0


@pytest.mark.usefixtures("without_kernels")
def test_a_mode_that_stops_while_it_is_timed_has_no_number():
    model = Tiny()
    reading = reading_of(model, watch=Changer(model))

    assert modes_with_numbers(reading) == [("eager", 1)]
    note = "compile at batch 1: not measured: compiled again 1 times while it was timed"
    assert note in reading.notes


class Overflows(Tiny):
    def forward(self, clip):
        return super().forward(clip * 1e9)


def test_logits_that_are_not_finite_are_a_note_and_no_number():
    protocol = CostConfig(batch_sizes=[1], rounds=5, modes=["eager", "fp16"])
    reading = reading_of(Overflows(), protocol)

    assert modes_with_numbers(reading) == [("eager", 1)]
    (note,) = [one for one in reading.notes if one.startswith("fp16")]
    assert "NaN or infinite in " in note


def test_one_logit_that_is_not_finite_is_enough():
    model, bad = Tiny(), torch.tensor([0.0, torch.nan, 0.0, 0.0, 0.0])
    with torch.inference_mode(), pytest.raises(RuntimeError, match="NaN or infinite in 2 of 10"):
        logit_difference(lambda clip: model(clip) + bad, model, CLIP)


def test_a_model_whose_own_logits_are_not_finite_has_failed():
    model = Tiny()
    model.scale = float("nan")

    with pytest.raises(RuntimeError, match="NaN or infinite in 5 of 5 logits"):
        reading_of(model)


def test_logits_of_another_shape_are_not_compared_by_broadcasting():
    model = Tiny()
    with torch.inference_mode(), pytest.raises(RuntimeError, match="logits of shape"):
        logit_difference(lambda clip: model(clip)[:1], model, CLIP)


class InFullPrecision(Tiny):
    def forward(self, clip):
        with torch.autocast("cpu", enabled=False):
            return super().forward(clip)


@pytest.mark.parametrize(
    ("mode", "model", "why"),
    [
        ("channels_last", Tiny(), "no convolution gives another memory order"),
        ("bf16", InFullPrecision(), "no product runs in bf16"),
        ("fp16", InFullPrecision(), "no product runs in fp16"),
        ("medium", nn.Sequential(nn.Flatten(), nn.ReLU()), "to the last bit"),
    ],
)
def test_a_mode_that_changes_nothing_has_no_number(mode, model, why):
    reading = reading_of(model, CostConfig(batch_sizes=[1], rounds=5, modes=["eager", mode]))

    assert modes_with_numbers(reading) == [("eager", 1)]
    assert any(note.startswith(f"{mode}: not measured") and why in note for note in reading.notes)


def test_a_precision_that_changes_nothing_fails_the_cell():
    with pytest.raises(RuntimeError, match="no product runs in bf16"):
        reading_of(InFullPrecision(), CostConfig(batch_sizes=[1], rounds=5, precision="bf16"))


class Mixed(InFullPrecision):
    def __init__(self):
        super().__init__()
        self.tail = nn.Linear(5, 5)

    def forward(self, clip):
        return self.tail(super().forward(clip))


def test_a_precision_of_a_part_of_the_products_is_told():
    reading = reading_of(Mixed(), CostConfig(batch_sizes=[1], rounds=5, modes=["eager", "bf16"]))

    assert ("bf16", 1) in modes_with_numbers(reading)
    assert "bf16 at batch 1: 1 of 2 products run in bf16, the others do not" in reading.notes
