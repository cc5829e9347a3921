import torch
from torch import nn

from study.measure.metrics.parameters import count_parameters, measure_parameters
from study.measure.metrics.subject import Subject


class Parted(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(3, 5)  # 15 + 5
        self.g = nn.Identity()
        self.head = nn.Linear(5, 2, bias=False)  # 10


def test_parts_are_counted_apart_and_a_part_without_weights_is_zero():
    assert count_parameters(Parted()) == {"f": 20, "g": 0, "head": 10}


def test_the_total_is_the_sum_of_the_parts():
    model = Parted()
    model.scale = nn.Parameter(torch.ones(7))

    total, *parts = measure_parameters(Subject("cell", model, torch.zeros(1, 3))).measurements

    assert (total.part, total.samples, total.unit) == (None, (37.0,), "1")
    by_part = {m.part: m.samples[0] for m in parts}
    assert by_part == {"f": 20, "g": 0, "head": 10, "other": 7}


def test_a_shared_tensor_counts_once_in_the_part_that_names_it_first():
    model = Parted()
    model.head = nn.Linear(3, 5, bias=False)
    model.head.weight = model.f.weight

    assert count_parameters(model) == {"f": 20, "g": 0, "head": 0}


def test_frozen_tensors_and_buffers_are_not_counted():
    model = Parted()
    model.f.requires_grad_(False)
    model.f.register_buffer("mean", torch.zeros(100))

    assert count_parameters(model) == {"f": 0, "g": 0, "head": 10}


def test_a_model_without_parts_is_other():
    assert count_parameters(nn.Linear(3, 5)) == {"other": 20}


def test_a_parameter_that_is_named_like_a_part_but_is_no_module_is_other():
    model = nn.Module()
    model.head = nn.Parameter(torch.ones(4))

    assert count_parameters(model) == {"other": 4}


def test_parameters_that_no_clip_reaches_are_counted_and_told():
    class Partly(nn.Module):
        def __init__(self):
            super().__init__()
            self.f = nn.Linear(3, 5)
            self.unused = nn.Linear(30, 50)

        def forward(self, x):
            return self.f(x)

    reading = measure_parameters(Subject("cell", Partly(), torch.zeros(1, 3)))

    assert reading.measurements[0].samples == (3 * 5 + 5 + 1550,)
    assert reading.notes == ("parameters: 1,550 of them take no part in a forward pass",)


def test_parameters_that_a_clip_reaches_need_no_note_and_keep_their_gradients():
    model = Parted()
    model.forward = lambda x: model.head(model.g(model.f(x)))

    reading = measure_parameters(Subject("cell", model, torch.zeros(1, 3)))

    assert reading.notes == ()
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
