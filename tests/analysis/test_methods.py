"""The methods paragraph, held to records that are made by hand."""

import dataclasses
import json
import re
import shutil
import subprocess

import pytest
from outcomes import with_record

from analysis.prose.methods import ARCHITECTURES, methods, write_methods
from analysis.prose.recipe import DATASETS
from analysis.prose.settings import settings_of
from analysis.results.results import Results, Variant
from study.records.record import Elsewhere
from study.spec.factors import kinds
from vlf.config import (
    EpicKitchensConfig,
    MotionConfig,
    RunConfig,
    TimeSformerConfig,
    TrainConfig,
    VLFConfig,
)

LABELS = ("VLF", "no g", "TimeSformer-like")
MODELS = {
    "VLF": VLFConfig(width=48, heads=3),
    "no g": VLFConfig(width=48, heads=3, spatial_depth=0),
    "TimeSformer-like": TimeSformerConfig(width=56, heads=7, patch=16),
}
PROTOCOL = {"batch_sizes": [1, 8], "threads": 1, "precision": "fp32", "modes": ["eager"]}
HOSTILE = r"a_b & 50% #1 $x$ {y} ^~ \input{/etc/passwd} <b>|*`[z] é Δ 日"


def changed(outcome, config=None, environment=(), **record):
    values = {"config": outcome.record.config if config is None else config, **record}
    values["environment"] = {**outcome.record.environment, **dict(environment)}
    return with_record(outcome, **values)


def outcomes_of(maker, seeds=(3, 5), train=None, data=None, models=MODELS, **surroundings):
    """Two seeds of three cells, with configs as a run stores them."""
    train, data = train or TrainConfig(epochs=11, lr=0.0123), data or MotionConfig(train_clips=710)
    found = []
    for number, label in enumerate(LABELS):
        run = RunConfig(data=data, model=models[label], train=train).model_dump(mode="json")
        for seed in seeds:
            outcome = maker.train({"variant": label}, seed, 70.0 + 3 * number + seed % 3)
            found.append(changed(outcome, run, **surroundings))
        cost = maker.cost({"variant": label}, 123_456 + number, 7.89e6, 5.0 + number)
        clip = {"frames": data.frames, "size": data.size, "classes": 10}
        model = models[label].untrained().model_dump(mode="json")  # as cost records have it
        config = {"model": model, "clip": clip, "protocol": PROTOCOL}
        found.append(changed(cost, config, **surroundings))
    return found


def results_of(maker, outcomes, **study):
    planned = maker.study({"variant": list(LABELS)}, **{"seeds": (3, 5), **study})
    return Results(planned, outcomes, maker.root)


def text_of(maker, outcomes, **study):
    sections = methods(results_of(maker, outcomes, **study))
    return "\n".join(line for one in sections for line in (*one.sentences, *one.items))


def test_every_number_in_it_is_of_the_records_the_study_or_counted_by_hand(maker):
    outcomes = outcomes_of(maker)
    results = results_of(maker, outcomes)

    text = text_of(maker, outcomes)

    stored = json.dumps([[one.record.config, one.record.environment] for one in outcomes])
    known = {float(one) for one in re.findall(r"\d+(?:\.\d+)?", stored)}
    by_hand = {
        "seeds": {3, 5},
        "runs, cells, comparisons": {6, 3, 2},
        "thousands of parameters, millions of MACs, rounds": {123, 7.89, 40},
        "percent of intervals and of the level": {95, 5},
        "minutes of 6 and of 3 records of 42 s": {4, 2},
        "preprints of AdamW and of the models": {1711.05101, 2107.00451, 2102.05095},
        "to which the rate falls": {0},
    }
    text = text.replace("0123456789ab", "").replace("top-1", "")  # the commit
    found = {float(one) for one in re.findall(r"\d+(?:\.\d+)?", text)}
    assert found - known == set().union(*by_hand.values()) - known
    assert results.differences  # so that the sentence on tests is among what was checked


@pytest.mark.parametrize(
    ("train", "told", "untold"),
    [
        ({"lr": 0.0321}, "peak learning rate of 0.0321", "momentum"),
        ({"optimizer": "sgd", "momentum": 0.77}, "SGD with Nesterov momentum 0.77", "AdamW"),
        ({"optimizer": "sgd", "momentum": 0.0}, "SGD with a peak", "omentum"),
        ({"schedule": "cosine"}, "falls to 0 along a cosine", "0.6"),
        ({"schedule": "step", "milestones": (0.3, 0.8)}, "0.1 after 0.3 and 0.8 of all", "cosine"),
        ({"warmup_epochs": 0.0}, "The learning rate falls to 0", "rises"),
        ({"warmup_epochs": 2.5}, "rises linearly over 2.5 epochs", "stays"),
        ({"clip_norm": 0.0}, "The loss is the cross entropy.", "clipped"),
        ({"clip_norm": 4.5}, "clipped to a norm of 4.5", "smoothing"),
        ({"label_smoothing": 0.13}, "cross entropy with label smoothing 0.13", "mixup"),
        ({"mixup": 0.4, "cutmix": 0.9}, "mixup with Beta parameters of 0.4 and cutmix", "smooth"),
        ({"precision": "bf16"}, "Training is in bf16 mixed precision", "fp32 (matrix"),
        ({"select": "best"}, "the epoch that was best on the validation clips", "last epoch"),
        ({"weight_decay": 0.0}, "no weight decay", "decay of"),
        ({"threads": 6}, "A process computes on 6 threads.", "1 thread."),
        ({"processes": 4}, "which 4 processes share", "momentum"),
    ],
)
def test_the_recipe_is_what_the_records_say_and_no_default_beside_it(maker, train, told, untold):
    outcomes = [
        one for one in outcomes_of(maker, train=TrainConfig(**train)) if one.kind == "train"
    ]

    text = text_of(maker, outcomes)

    assert told in text
    assert untold not in text


def test_settings_that_differ_between_cells_are_told_with_their_cells(maker):
    outcomes = outcomes_of(maker)
    slow = TrainConfig(epochs=11, lr=0.5)
    others = outcomes_of(maker, train=slow)
    pairs = zip(outcomes, others, strict=True)
    mixed = [slower if one.levels["variant"] == "no g" else one for one, slower in pairs]

    text = text_of(maker, mixed)

    assert "peak learning rate of 0.0123 or 0.5" in text
    assert "lr: 0.0123 (VLF and TimeSformer-like); 0.5 (no g)" in text


def test_a_setting_of_many_values_is_told_by_some_of_them(maker):
    variants = [Variant(f"variant={n}", {"variant": str(n)}, {}, str(n)) for n in range(40)]
    settings = settings_of((one, {"lr": n / 8}) for n, one in enumerate(variants))
    results = results_of(maker, [])

    (line,) = settings.differing(results)

    assert settings.say("lr") == "0, 0.125, 0.25 and so on to 4.875 (40 values)"
    assert line.startswith("lr: 0 (0); 0.125 (1); ")
    assert line.endswith("; 1.375 (11); and 28 more")


def test_models_are_told_as_they_were_run_a_depth_of_none_too(maker):
    weights = VLFConfig(width=48, heads=3, weights="/home/someone/secret/best.pt")
    outcomes = outcomes_of(maker, models={**MODELS, "VLF": weights})

    text = text_of(maker, outcomes)

    (no_g,) = [line for line in text.splitlines() if line.startswith("no g: ")]
    assert "VideoLightFormer (arXiv:2107.00451), " in no_g
    assert "spatial depth 0" in no_g
    assert "123 k parameters, 7.89 M MACs a clip" in no_g
    assert "weights best.pt" in text
    assert "someone" not in text


def test_devices_and_versions_are_told_apart(maker):
    here = outcomes_of(maker, environment={"commit": "a" * 40})
    there = outcomes_of(
        maker, environment={"device_model": "Other CPU", "commit": "b" * 40, "dirty": "yes"}
    )
    mixed = [b if one.seed == 5 else one for one, b in zip(here, there, strict=True)]

    text = text_of(maker, mixed)

    assert (
        "3 training runs on Some CPU @ 2.1 GHz, threads: 1, torch 2.14.1, commit aaaaaaaaaaaa;"
        in (text)
    )
    assert (
        "3 training runs on Other CPU, threads: 1, torch 2.14.1, commit bbbbbbbbbbbb with" in text
    )
    assert "3 cost records on Some CPU" in text
    assert "cost records on Other CPU" not in text


def test_costs_of_other_devices_are_told_with_theirs(maker):
    outcomes = outcomes_of(maker)
    board = changed(outcomes[-1], environment={"device_model": "Board", "device_name": "nano"})
    there = Elsewhere(board.record, board.record, is_other_code=False)
    outcomes[-1] = dataclasses.replace(outcomes[-1], elsewhere=(there,))

    text = text_of(maker, outcomes)

    assert "3 cost records on Some CPU" in text
    assert "1 cost record on nano (Board)" in text


def test_what_failed_or_is_missing_is_told_and_described_by_nothing(maker):
    outcomes = outcomes_of(maker)
    failed = maker.train({"variant": "no g"}, 5, 0.0, status="failed", reason="diverged")
    gone = maker.train({"variant": "TimeSformer-like"}, 3, 0.0, status="not run")
    kept = [
        one for one in outcomes
        if (one.levels["variant"], one.seed) not in {("no g", 5), ("TimeSformer-like", 3)}
    ]  # fmt: skip
    kept[-1] = changed(kept[-1], notes=("MACs: odd_op is not counted",))

    text = text_of(maker, [*kept, failed, gone])

    assert "4 of 6 planned training runs are finished, with the seeds 3 and 5." in text
    assert "2 planned jobs have no result." in text
    assert "variant=no g, seed=5: failed (diverged)" in text
    assert "variant=TimeSformer-like, seed=3: not run" in text
    assert "TimeSformer-like: MACs: odd_op is not counted" in text


def test_one_seed_and_no_records_are_told_as_what_they_are(maker):
    assert "One seed: accuracies have no interval." in text_of(maker, outcomes_of(maker, (3,)))

    nothing = [maker.train({"variant": one}, 3, 0.0, status="not run") for one in LABELS]
    sections = methods(results_of(maker, nothing))

    assert [one.title for one in sections] == ["Design", "Missing, and remarks"]
    assert "0 of 3 planned training runs are finished." in sections[0].sentences


def test_a_study_of_costs_tells_its_clip_and_nothing_of_training(maker):
    costs = [one for one in outcomes_of(maker) if one.kind == "cost"]

    titles = {one.title: one for one in methods(results_of(maker, costs, seeds=()))}

    assert titles.keys() == {
        "Design", "Models", "Costs", "Statistics", "Hardware and software"
    }  # fmt: skip
    shape = "8 frames of 32 \N{MULTIPLICATION SIGN} 32 pixels"
    assert f"A clip has {shape}." in titles["Costs"].sentences


def test_timings_of_two_runs_are_told_as_two(maker):
    outcomes = outcomes_of(maker)
    outcomes[-1] = changed(outcomes[-1], timing_run="run-2")

    assert "in 2 such timing runs, between which nothing is compared" in text_of(maker, outcomes)


def test_every_architecture_and_dataset_has_a_name_for_a_paper():
    assert kinds("model").keys() == {*ARCHITECTURES, "torchvision", "transformers"}
    assert kinds("data").keys() == DATASETS.keys()


def test_segments_are_told_by_where_their_frames_come_from(maker):
    data = EpicKitchensConfig(root="x", source="packed")
    assert "packed from its videos, cut by time, as JPEG frames." in text_of(
        maker, outcomes_of(maker, data=data)
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_compiles_with_a_stock_latex_whatever_stands_in_it(maker, tmp_path):
    outcomes = outcomes_of(maker, environment={"device_model": HOSTILE})
    outcomes[0] = changed(outcomes[0], notes=(HOSTILE,))
    results = results_of(maker, outcomes, question=HOSTILE)

    paths = write_methods(results, tmp_path)

    assert [path.name for path in paths] == ["methods.md", "methods.tex"]
    main = tmp_path / "main.tex"
    main.write_text(
        "\\documentclass{article}\n\\begin{document}\n\\input{methods.tex}\n\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "main.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "\\input{/etc" not in paths[1].read_text("utf-8")
    assert "<b>" not in paths[0].read_text("utf-8")
