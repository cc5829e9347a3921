import pytest
import timm
import torch
import torch.nn.functional as F
from modules import Applied
from torch import nn

from study.measure.metrics.macs import count, count_macs, count_modules, measure_macs
from study.measure.metrics.subject import Subject


def total(model, shape):
    macs, notes = count_macs(model, shape)
    assert notes == ()
    return sum(macs.values())


def test_a_linear_layer_multiplies_every_input_with_every_output():
    assert total(nn.Linear(3, 5), (7, 3)) == 7 * 3 * 5


def test_a_convolution_does_its_kernel_at_every_place_that_it_gives_out():
    convolution = nn.Conv2d(4, 6, kernel_size=3, stride=2, padding=1, groups=2)

    assert total(convolution, (1, 4, 8, 8)) == (4 // 2) * 3 * 3 * 6 * (4 * 4)


def test_attention_is_two_products_of_all_pairs_of_tokens():
    heads, tokens, width = 4, 16, 8
    attention = Applied(lambda x: F.scaled_dot_product_attention(x, x, x))

    assert total(attention, (2, heads, tokens, width)) == 2 * heads * 2 * tokens * tokens * width


def test_products_with_a_vector_are_counted():
    assert total(Applied(lambda x: x @ torch.ones(6, device=x.device)), (5, 6)) == 5 * 6


def test_real_weights_and_meta_weights_give_the_same_count():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    on_real = total(layer, (1, 4, 8))
    projections, attention, mlp = 4 * 8 * 8 * 4, 2 * 4 * 4 * 8, 2 * 8 * 16 * 4

    assert on_real == projections + attention + mlp
    assert total(layer.to("meta"), (1, 4, 8)) == on_real


def test_counting_leaves_real_weights_where_and_what_they_were():
    layer = nn.Linear(3, 5)
    before = layer.weight

    count_macs(layer, (1, 3))

    assert layer.weight is before
    assert layer.weight.device.type == "cpu"


class Parted(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 5))
        self.g = nn.Identity()
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        x = self.g(self.f(x))
        return self.head(x @ x.transpose(1, 2) @ x)


def test_macs_are_split_by_part_and_what_runs_between_parts_is_other():
    counts = count(Parted(), (4, 3))

    other = 4 * 5 * 4 + 4 * 4 * 5
    assert counts.macs == {"f": 4 * (15 + 25), "g": 0, "head": 4 * 10, "other": other}
    assert counts.parameters == {"f": 15 + 5 + 25 + 5, "g": 0, "head": 10 + 2}


def test_a_measurement_holds_the_clip_and_the_parts_sum_to_the_total():
    reading = measure_macs(Subject("cell", Parted().eval(), torch.zeros(1, 4, 3)))

    whole, *parts = reading.measurements
    assert (whole.unit, whole.part, whole.conditions) == ("MAC", None, {"clip": "4x3", "views": 1})
    assert whole.samples[0] == sum(part.samples[0] for part in parts) == 4 * 50 + 160
    assert reading.notes == ()


def test_modules_are_counted_down_to_a_depth_and_know_what_they_do_themselves():
    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Sequential(nn.Linear(3, 5), nn.ReLU())
            self.h = Attend()
            self.head = nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.h(self.f(x)))

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.steps = nn.ModuleList([nn.Linear(5, 5, bias=False), nn.Linear(5, 5, bias=False)])

        def forward(self, x):
            for step in self.steps:  # the list itself is never called
                x = step(x)
            return x @ x.transpose(1, 2) @ x

    rows = count_modules(Mixing(), (4, 3), depth=2)

    scores, mixed = 4 * 5 * 4, 4 * 4 * 5
    assert [(row.name, row.kind, row.parameters, row.macs) for row in rows] == [
        ("f", "Sequential", 20, 4 * 15),
        ("f.0", "Linear", 20, 4 * 15),
        ("f.1", "ReLU", 0, 0),
        ("h", "Attend", 50, 2 * 4 * 25 + scores + mixed),
        ("h.steps", "ModuleList", 50, 2 * 4 * 25),
        ("head", "Linear", 12, 4 * 10),
    ]
    deeper = {row.name: row.macs for row in count_modules(Mixing(), (4, 3), depth=3)}
    assert deeper["h.steps.0"] == deeper["h.steps.1"] == 4 * 25


def test_a_module_that_is_called_with_a_parameter_is_counted():
    class Pool(nn.Module):
        def __init__(self):
            super().__init__()
            self.query = nn.Parameter(torch.ones(1, 3))
            self.f = nn.Linear(3, 5)

        def forward(self, x):
            return self.f(self.query) + x.sum()

    assert total(Pool(), (1, 4, 3)) == 15


def test_an_operator_without_a_formula_is_named_and_not_silently_zero():
    macs, notes = count_macs(Applied(lambda x: torch.cdist(x, x)), (1, 4, 3))

    assert sum(macs.values()) == 0
    assert notes == ("MACs leave out operators without a formula: _cdist_forward (1x)",)


def test_a_model_whose_course_depends_on_values_is_counted_on_real_tensors():
    class Picky(nn.Linear):
        def forward(self, x):
            x = F.scaled_dot_product_attention(x, x, x)
            return super().forward(x) if x.isfinite().all().item() else x

    macs, (note,) = count_macs(Picky(3, 5), (1, 4, 3))

    assert macs == {"other": 2 * 4 * 4 * 3 + 4 * 3 * 5}
    assert note.startswith("MACs counted on real tensors, the meta device refused")


def test_a_clip_that_does_not_fit_is_an_error_and_counting_works_afterwards():
    model = Parted().to("meta")

    with pytest.raises(RuntimeError, match="4, 7"):
        count_macs(model, (1, 4, 7))

    assert total(model, (1, 4, 3)) == 4 * 50 + 160


def test_published_counts_are_met():
    layer = nn.TransformerEncoderLayer(768, 12, batch_first=True)
    with torch.device("meta"):
        resnet, vit = timm.create_model("resnet18"), timm.create_model("vit_base_patch16_224")

    assert round(total(layer.eval(), (1, 197, 768)) / 1e9, 4) == 1.1441
    assert round(total(resnet, (1, 3, 224, 224)) / 1e9, 4) == 1.8141
    assert round(total(vit, (1, 3, 224, 224)) / 1e9, 4) == 17.5638
