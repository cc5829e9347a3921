"""Time and disk of studies with a frozen backbone, by hand; nothing is trained."""

import dataclasses

import pytest
import torch
from test_estimate import find, planned, write

from study.cli.plan_view import needs_as_values, needs_in_words
from study.estimate.disk import checkpoint_bytes
from study.estimate.estimate import OVERHEAD_S, estimate, recorded_counts
from study.estimate.frozen import step_macs, views_to_make
from study.measure.counts import CellCounts, FrozenCounts
from study.plan.preflight import count_cells, count_model
from study.records.record import Measurement
from vlf.config import RunConfig
from vlf.models import build_model

STUDY = """\
question: Does order matter to features that are not trained?
base:
  data: {name: motion, frames: 4, train_clips: 1000, test_clips: 500}
  model: {name: vlf, width: 16, heads: 2, pretrained: tiny.pt}
  train: {epochs: 10, freeze: f, stored_views: 2}
factors:
  variant: {VLF: {}, TSN: {model: {name: tsn, pretrained: tiny.pt}}}
seeds: [0, 1]
run: {workers: 1}
report: {baseline: {variant: VLF}}
"""
FROZEN = FrozenCounts(parameters=600, macs=9e7, values=1024)
COUNTS = {
    "variant=VLF": CellCounts(1000, 2e8, frozen=FROZEN),
    "variant=TSN": CellCounts(700, 1e8, frozen=FROZEN),
}
RATE = 1e10  # guessed
VIEW_BYTES = 1024 * 4 + 168


def seconds(plan, store):
    found = estimate(plan, COUNTS, store).seconds
    return {name.removeprefix("variant="): took - OVERHEAD_S for name, took in found.items()}


def test_the_backbone_answers_once_for_a_view_and_every_step_is_of_the_rest(tmp_path, store):
    found = seconds(planned(tmp_path, store, STUDY), store)

    behind = {"VLF": 3 * 1.1e8 * 1000 * 10 / RATE, "TSN": 3 * 1e7 * 1000 * 10 / RATE}
    made = (2 * 1000 + 500) * 9e7 / RATE  # two views of a training clip, one of a test clip
    assert found == {
        "VLF, seed=0": pytest.approx(behind["VLF"] + made),
        "VLF, seed=1": pytest.approx(behind["VLF"]),
        "TSN, seed=0": pytest.approx(behind["TSN"]),
        "TSN, seed=1": pytest.approx(behind["TSN"]),
    }


def test_without_kept_features_the_backbone_answers_in_every_step_and_learns_in_none(
    tmp_path, store
):
    found = seconds(planned(tmp_path, store, STUDY.replace(", stored_views: 2", "")), store)

    assert found["VLF, seed=0"] == pytest.approx((3 * 1.1e8 + 9e7) * 1000 * 10 / RATE)
    assert step_macs(RunConfig(), CellCounts(1000, 2e8)) == 3 * 2e8


def test_other_weights_or_data_have_features_of_their_own(tmp_path, store):
    text = STUDY.replace("name: tsn, pretrained: tiny.pt", "name: tsn, pretrained: other.pt")
    making = views_to_make(planned(tmp_path, store, text), COUNTS)

    assert {name for name, one in making.items() if one.views} == {
        "variant=VLF, seed=0",
        "variant=TSN, seed=0",
    }


def test_a_backbone_that_gives_vectors_shares_nothing_with_one_that_gives_maps(tmp_path, store):
    vectors = dataclasses.replace(COUNTS["variant=TSN"], frozen=FrozenCounts(600, 9.5e7, 256))
    plan = planned(tmp_path, store, STUDY)
    making = views_to_make(plan, {**COUNTS, "variant=TSN": vectors})

    assert {name: one.views for name, one in making.items()} == {
        "variant=VLF, seed=0": 2500,
        "variant=VLF, seed=1": 0,
        "variant=TSN, seed=0": 2500,
        "variant=TSN, seed=1": 0,
    }


def test_in_fewer_epochs_than_views_each_seed_meets_other_ones(tmp_path, store):
    text = STUDY.replace("stored_views: 2", "stored_views: 15").replace("[0, 1]", "[0, 1, 2]")
    making = views_to_make(planned(tmp_path, store, text), COUNTS)

    assert [making[f"variant=VLF, seed={seed}"].train for seed in (0, 1, 2)] == [10_000, 5_000, 0]
    assert [making[f"variant=VLF, seed={seed}"].test for seed in (0, 1, 2)] == [500, 0, 0]


def test_what_a_finished_run_has_made_is_not_made_again(tmp_path, store):
    write(store, find(planned(tmp_path, store, STUDY), "train", "variant=TSN", 1))

    plan = planned(tmp_path, store, STUDY)

    making = views_to_make(plan, COUNTS)
    assert not any(making[job.name].views for job in plan.train if job.status == "to run")
    assert estimate(plan, COUNTS, store).disk.features == 0


def test_features_are_on_the_disk_when_it_is_done_and_the_plan_says_so(tmp_path, store):
    plan = planned(tmp_path, store, STUDY)
    expected = estimate(plan, COUNTS, store)

    assert expected.disk.features == 2500 * VIEW_BYTES
    assert expected.disk.stays == sum(
        (expected.disk.records, expected.disk.artifacts, expected.disk.features)
    )
    (line,) = [line for line in needs_in_words(plan, expected) if line.startswith("disk")]
    assert "features of frozen backbones 10.7 MB" in line
    assert needs_as_values(plan, expected)["disk_bytes"]["features"] == 2500 * VIEW_BYTES
    plain = dataclasses.replace(expected, disk=dataclasses.replace(expected.disk, features=0))
    assert "frozen" not in " ".join(needs_in_words(plan, plain))


def test_what_is_not_trained_has_no_moments_in_a_checkpoint(tmp_path, store):
    disk = estimate(planned(tmp_path, store, STUDY), COUNTS, store).disk

    assert disk.checkpoints == 2 * 4 * (1000 + 2 * (1000 - 600))  # of one worker, the larger model


@pytest.mark.parametrize("recipe", [{}, {"optimizer": "sgd"}, {"select": "best"}])
def test_a_checkpoint_behind_a_frozen_backbone_is_as_large_as_is_said(tmp_path, recipe):
    from vlf.train import train_model

    config = frozen_run(tmp_path, **recipe)
    path = tmp_path / "checkpoint.pt"
    trained = train_model(config, 0, torch.device("cpu"), checkpoint=path)
    every = list(trained.model.parameters())
    kept = sum(one.numel() for one in every if not one.requires_grad)

    said = checkpoint_bytes(config.train, sum(one.numel() for one in every), kept)

    assert kept > 0
    assert said < path.stat().st_size < 1.5 * said


def frozen_run(folder, **recipe):
    model = {"name": "vlf", "width": 64, "heads": 4, "spatiotemporal_depth": 2}
    config = RunConfig.model_validate({"model": model})
    torch.save(build_model(config.model, config.data).f[0].state_dict(), folder / "tiny.pt")
    return RunConfig.model_validate(
        {
            "data": {"name": "motion", "frames": 2, "limit": 10},
            "model": {**model, "pretrained": str(folder / "tiny.pt")},
            "train": {"epochs": 1, "batch_size": 10, "freeze": "f", **recipe},
        }
    )


def test_rates_of_runs_on_features_are_told_apart_and_others_are_no_rate_of_them(tmp_path, store):
    text = STUDY.replace("variant: {", "train.stored_views: [0, 2]\n  variant: {").replace(
        ", stored_views: 2", ""
    )
    counts = {
        f"{cell}": count
        for views in (0, 2)
        for name, count in COUNTS.items()
        for cell in (f"train.stored_views={views}, {name}", f"{name}, train.stored_views={views}")
    }
    plan = planned(tmp_path, store, text)
    cell = next(job.cell.name for job in plan.train if "views=2" in job.cell.name)
    whole = next(job.cell.name for job in plan.train if "views=0" in job.cell.name)
    write(store, find(plan, "train", cell, 0), took=33.0)
    write(store, find(plan, "train", whole, 0), took=420.0)

    found = estimate(planned(tmp_path, store, text), counts, store)

    assert found.seconds[f"{cell}, seed=1"] == pytest.approx(OVERHEAD_S + 33)
    assert found.seconds[f"{whole}, seed=1"] == pytest.approx(OVERHEAD_S + 420)


def test_another_studys_frozen_run_is_no_rate(tmp_path, store, monkeypatch):
    monkeypatch.setattr("study.executors.executor.device_model", lambda device: "this CPU")
    other = planned(tmp_path, store, STUDY, name="other")
    macs = Measurement("macs", "1", "lower", (2e8,))
    write(store, find(other, "cost", "variant=VLF"), measurements=(macs,))
    job = find(other, "train", "variant=VLF", 0)
    write(store, job, took=1.0, environment={"device_model": "this CPU"})
    plain = STUDY.replace(", freeze: f, stored_views: 2", "").replace(", pretrained: tiny.pt", "")

    found = estimate(planned(tmp_path, store, plain), COUNTS, store)

    assert found.basis.startswith("a rough guess")


def test_the_backbone_is_counted_by_itself_where_it_is_frozen():
    config = RunConfig.model_validate(
        {
            "data": {"name": "motion", "frames": 4, "size": 32},
            "model": {"name": "vlf", "width": 16, "heads": 2},
        }
    )
    counted = count_model(config.model, config.data, is_frozen=True)
    model = build_model(config.model, config.data)
    backbone = model.f[0]
    features = backbone(torch.zeros(4, 3, 32, 32))

    assert counted.frozen.values == features.numel()
    assert counted.frozen.parameters == sum(one.numel() for one in backbone.parameters())
    # Convolutions of stride 2 with 3 x 3 kernels, four frames.
    by_hand, side, channels = 0, 32, 3
    for module in backbone.modules():
        if isinstance(module, torch.nn.Conv2d):
            side //= 2
            by_hand += 4 * side * side * 9 * channels * module.out_channels
            channels = module.out_channels
    assert counted.frozen.macs == by_hand
    assert counted.macs > counted.frozen.macs
    assert count_model(config.model, config.data).frozen is None


def test_cells_that_still_train_behind_a_frozen_backbone_are_counted_anew(tmp_path, store):
    plan = planned(tmp_path, store, STUDY)
    both = tuple(Measurement(name, "1", "lower", (5.0,)) for name in ("parameters", "macs"))
    for job in plan.cost:
        write(store, job, measurements=both)

    assert recorded_counts(planned(tmp_path, store, STUDY)) == {}
    plain = planned(tmp_path, store, STUDY.replace(", freeze: f, stored_views: 2", ""))
    assert recorded_counts(plain).keys() == COUNTS.keys()
    cells = [job.cell for job in plan.cost]
    assert all(one.frozen is not None for one in count_cells(plan.study, cells).values())
