"""Synthetic outcomes: seven variants with three seeds, and a grid of two numbers."""

import dataclasses
import hashlib
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from outcomes import with_record
from pages import CHROMIUM, EVIL, FRAMES, PAGE_VARIANTS, WINDOW

from analysis.report.report import write_report
from analysis.results.results import Results
from study.records.record import Artifact, Elsewhere, Measurement, Outcome, Record
from study.spec.claims import read_claims
from study.spec.sections import complete_baseline
from study.spec.settings import CostConfig, ReportConfig, RunSettings, ViewConfig
from study.spec.study import Level, Study
from study.spec.yaml_nodes import Node

# label -> top-1 in percent, parameters, MACs of one clip, latency in ms at batch 1
VARIANTS = {
    "VLF": (80.0, 212_000, 61.2e6, 6.1),
    "no g": (78.5, 179_000, 57.0e6, 5.4),
    "VTN-like": (76.0, 179_000, 41.3e6, 3.9),
    "TimeSformer-like": (84.5, 190_000, 30.1e6, 5.0),
    "ViViT-like": (70.0, 160_000, 16.4e6, 2.6),
    "TSN": (10.2, 96_000, 38.9e6, 2.9),
    "TSM": (62.0, 96_000, 38.9e6, 3.3),
}
CLASSES = ("right", "left", "up", "down", "grow", "shrink", "toward", "away", "cw", "ccw")
SHARES = {"f": 0.6, "g": 0.15, "h": 0.24, "head": 0.01}
ENVIRONMENT = {
    "device_model": "Some CPU @ 2.1 GHz",
    "torch": "2.14.1",
    "threads": "1",
    "commit": "0123456789abcdef",
    "dirty": "False",
}


class Maker:
    """Makes studies, and records with artifacts under one results folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rng = np.random.default_rng(7)

    def study(self, factors, **changes) -> Study:
        numbered = {
            name: tuple(
                Level(str(label), {}, float(label) if isinstance(label, int | float) else None)
                for label in labels
            )
            for name, labels in factors.items()
        }
        values = {
            "path": Path("ablations/example.yaml"),
            "digest": "d" * 64,
            "question": "Which part pays for its cost?",
            "base": {},
            "factors": numbered,
            "design": "grid",
            "paired": (),
            "exclude": (),
            "include": (),
            "seeds": (0, 1, 2),
            "cost": CostConfig(),
            "run": RunSettings(),
        }
        texts = changes.pop("claims", ())
        nodes = [Node(text, text, ("claims", i), "") for i, text in enumerate(texts)]
        values["claims"] = read_claims(nodes, numbered, changes.get("cost", CostConfig()))
        # As `load_study` leaves it: with the baseline's labels.
        baseline = complete_baseline({}, numbered, changes.get("design", "grid"))
        report = ReportConfig(baseline=baseline)
        return Study(**{**values, "report": report, **changes})

    def train(
        self, levels, seed, top1, *, status="done", reason="", detail="", numbers=None, views=1
    ):
        record = None
        if status in ("done", "reused"):
            record = self._record("train", levels, seed, self._accuracy(top1, views))
            record = self._with_artifacts(record, top1)
        elif status == "failed":
            record = self._record(
                "train", levels, seed, (), status="failed", reason=reason, detail=detail
            )
        return Outcome(
            "train", cell_name(levels), levels, numbers or {}, seed, status, reason, record
        )

    def runs(self, tops) -> list[Outcome]:
        """Runs of variants: `tops` is label -> top-1 of the seeds 0, 1 and so on."""
        return [
            self.train({"variant": label}, seed, top1)
            for label, values in tops.items()
            for seed, top1 in enumerate(values)
        ]

    def answered(self, label, seed, answers, labels, classes) -> Outcome:
        """A run that gives these answers, one a clip of the test split."""
        made = self.train({"variant": label}, seed, 100 * np.equal(answers, labels).mean())
        scores = np.eye(len(classes))[answers]
        arrays = {"scores": scores, "labels": labels, "classes": np.array(classes)}
        return with_record(
            made, artifacts={"predictions": self.save(f"{label}-{seed}.npz", arrays)}
        )

    def cost(self, levels, parameters, macs, latency_ms, *, run="run-1", notes=(), numbers=None):
        measurements = [*self._counts(parameters, macs)]
        for batch in (1, 8):
            drift = 1 + 0.01 * np.sin(np.arange(40) / 6)
            noise = np.exp(0.02 * self.rng.standard_normal(40))
            ms = latency_ms * batch**0.9 * drift * noise
            at = {"conditions": {"batch_size": batch}, "rounds": tuple(range(40))}
            measurements += [
                Measurement("latency", "ms", "lower", tuple(map(float, ms)), **at),
                Measurement(
                    "throughput", "clips/s", "higher", tuple(float(1e3 * batch / x) for x in ms),
                    **at,
                ),
                Measurement(
                    "peak_memory", "MiB", "lower", (200.0 + macs / 1e6 * batch / 8,),
                    conditions={"batch_size": batch},
                ),
            ]  # fmt: skip
        record = self._record(
            "cost", levels, None, tuple(measurements), timing_run=run, notes=tuple(notes)
        )
        return Outcome("cost", cell_name(levels), levels, numbers or {}, None, "done", "", record)

    def seven(self, seeds=(0, 1, 2)) -> list[Outcome]:
        outcomes = []
        for label, (top1, parameters, macs, ms) in VARIANTS.items():
            levels = {"variant": label}
            for seed in seeds:
                value = round(top1 + 1.2 * self.rng.standard_normal() + 0.8 * (seed - 1), 1)
                outcomes.append(self.train(levels, seed, value))
            outcomes.append(self.cost(levels, parameters, macs, ms))
        return outcomes

    def depths(self, seeds=(0, 1, 2)) -> list[Outcome]:
        outcomes = []
        for g, h in itertools.product((0, 1, 2), (1, 2, 4)):
            levels = {"model.spatial_depth": str(g), "model.spatiotemporal_depth": str(h)}
            numbers = {name: float(label) for name, label in levels.items()}
            for seed in seeds:
                top1 = round(60 + 4 * g + 5 * h - h * h / 3 + self.rng.standard_normal(), 1)
                outcomes.append(self.train(levels, seed, top1, numbers=numbers))
            size, macs = 100_000 + 33_000 * (g + h), 40e6 + 4e6 * g + 9e6 * h
            outcomes.append(self.cost(levels, size, macs, 3 + g / 2 + h, numbers=numbers))
        return outcomes

    def frames(self, seeds=(0, 1, 2)) -> list[Outcome]:
        outcomes = []
        labels = ("VLF", "VTN-like", "TimeSformer-like")
        for label, k in itertools.product(labels, (2, 4, 8, 16)):
            top1, parameters, macs, ms = VARIANTS[label]
            levels, numbers = {"variant": label, "data.frames": str(k)}, {"data.frames": float(k)}
            for seed in seeds:
                value = round(top1 - 30 / k + self.rng.standard_normal(), 1)
                outcomes.append(self.train(levels, seed, value, numbers=numbers))
            outcomes.append(
                self.cost(levels, parameters, macs * k / 8, ms * k / 8, numbers=numbers)
            )
        return outcomes

    def sharing(self, cells, seeds=(0, 1, 2)) -> list[Outcome]:
        """Outcomes of cells (levels, model); those of one model share a cost record."""
        outcomes, costs = [], {}
        for levels, model in cells:
            top1 = VARIANTS[model][0]
            for seed in seeds:
                value = round(top1 + self.rng.standard_normal(), 1)
                outcomes.append(self.train(levels, seed, value))
            costs.setdefault(model, self.cost({"model": model}, *VARIANTS[model][1:]).record)
            cost = Outcome("cost", cell_name(levels), levels, {}, None, "done", "", costs[model])
            outcomes.append(cost)
        return outcomes

    def learning_rates(self, seeds=(0, 1, 2)) -> tuple[Study, list[Outcome]]:
        """A sweep of the learning rate alone: four cells of one model."""
        rates = ("0.0005", "0.001", "0.002", "0.004")
        cells = [({"train.lr": rate}, "VLF") for rate in rates]
        return self.study({"train.lr": list(rates)}), self.sharing(cells, seeds)

    def rates_of_two(self, seeds=(0, 1, 2)) -> tuple[Study, list[Outcome]]:
        """Two architectures at two learning rates: cells share a model in pairs."""
        models, rates = ("VLF", "TSN"), ("0.001", "0.002")
        cells = [({"variant": m, "train.lr": r}, m) for m in models for r in rates]
        study = self.study({"variant": list(models), "train.lr": list(rates)})
        baseline = ReportConfig(baseline={"train.lr": "0.001"})
        return dataclasses.replace(study, report=baseline), self.sharing(cells, seeds)

    def _accuracy(self, top1, views=1):
        test = {"split": "test", "views": views}
        return (
            Measurement("top1", "%", "higher", (float(top1),), conditions=test),
            Measurement("top5", "%", "higher", (min(100.0, top1 + 15.0),), conditions=test),
            Measurement("val_top1", "%", "higher", (top1 + 1.0,), conditions={"split": "val"}),
            Measurement("training_time", "s", "lower", (40.0,)),
        )

    def _counts(self, parameters, macs):
        for metric, unit, total in (("parameters", "1", parameters), ("macs", "MAC", macs)):
            yield Measurement(metric, unit, "lower", (float(total),))
            for part, share in SHARES.items():
                yield Measurement(metric, unit, "lower", (float(total * share),), part=part)

    def _record(self, kind, levels, seed, measurements, **changes) -> Record:
        text = f"{kind} {cell_name(levels)} {seed}"
        values = {
            "kind": kind,
            "identity": hashlib.sha256(text.encode()).hexdigest(),
            "status": "done",
            "config": {"clip": {"frames": 8, "size": 32, "classes": 10}},
            "seed": seed,
            "device": "cpu",
            "fingerprint": "f" * 64,
            "measurements": measurements,
            "environment": ENVIRONMENT,
            "attempt": "a1",
            "started": "2026-01-02T03:04:05+00:00",
            "seconds": 42.0,
        }
        return Record(**{**values, **changes})

    def _with_artifacts(self, record: Record, top1: float) -> Record:
        epochs = np.arange(1, 17)
        grown = top1 - (top1 - 10) * np.exp(-epochs / 4) + self.rng.standard_normal(16)
        curves = {
            "epoch": epochs,
            "train_loss": 2.3 * np.exp(-epochs / 8 * top1 / 80),
            "train_top1": grown,
            "val_loss": 2.3 * np.exp(-epochs / 10 * top1 / 80),
            "val_top1": grown,
            "lr": np.linspace(2e-3, 0, 16),
            "seconds": np.full(16, 2.5),
        }
        labels = np.arange(400) % 10
        right = self.rng.random(400) < top1 / 100
        answers = np.where(right, labels, labels ^ 1)  # errors fall on the mirrored class
        logits = np.eye(10, dtype=np.float32)[answers]
        predictions = {"logits": logits, "labels": labels, "classes": np.array(CLASSES)}
        artifacts = {
            "curves": self.save(f"{record.identity}/curves.npz", curves),
            "predictions": self.save(f"{record.identity}/predictions.npz", predictions),
        }
        return Record(**{**record.__dict__, "artifacts": artifacts})

    def save(self, path: str, arrays) -> Artifact:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(buffer.getvalue())
        return Artifact(path, hashlib.sha256(buffer.getvalue()).hexdigest())


def cell_name(levels) -> str:
    return ", ".join(f"{name}={label}" for name, label in levels.items()) or "base"


@pytest.fixture
def maker(tmp_path) -> Maker:
    return Maker(tmp_path / "results")


@pytest.fixture(scope="session")
def maker_at():
    """Makers in a folder of the caller's choice, for reports that several tests share."""
    return Maker


@pytest.fixture
def seven_study(maker) -> Study:
    return maker.study({"variant": list(VARIANTS)})


@pytest.fixture
def seven(maker, seven_study):
    return Results(seven_study, maker.seven(), maker.root)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def frames(maker_at, tmp_path_factory):
    """Results of twelve cells, each timed on two devices, and the folder of their report."""
    folder = tmp_path_factory.mktemp("frames")
    maker = maker_at(folder / "results")
    views = [ViewConfig(name='fast "ones"', figure="bars", y="latency@8",
                        variants=["data.frames=8"])]  # fmt: skip
    report = ReportConfig(
        baseline={"variant": "VLF"}, views=views, figures=["accuracy_macs", "cost_parts"]
    )
    study = maker.study(
        {"variant": PAGE_VARIANTS, "data.frames": FRAMES}, report=report, claims=("top1[VLF] > 10",)
    )
    outcomes = [prepared(maker, one) for one in maker.frames()]
    write_report(study, outcomes, folder / "report", maker.root)
    return Results(study, outcomes, maker.root), folder / "report"


def prepared(maker, outcome):
    """Of an architecture that has published numbers; a cost is known of a second device, too."""
    names = {"model": {"name": "tsm"}, "data": {"name": "motion"}}
    outcome = with_record(outcome, config={**outcome.record.config, **names})
    if outcome.kind == "train":
        return outcome
    latency = 100.0 + int(outcome.levels["data.frames"])
    there = maker.cost(outcome.levels, 9, 1e6, latency, run="run-2").record
    there = dataclasses.replace(there, environment={"device_model": "A board"})
    return dataclasses.replace(outcome, elsewhere=(Elsewhere(there, None, True),))


@pytest.fixture(scope="module")
def hostile(maker_at, tmp_path_factory):
    """A report of labels, reasons and names that would like to run."""
    folder = tmp_path_factory.mktemp("hostile")
    maker = maker_at(folder / "results")
    report = ReportConfig(
        figures=["accuracy_macs"], baseline={EVIL: EVIL}, views=[ViewConfig(name=EVIL[:80])]
    )
    study = maker.study({EVIL: [EVIL, "tame"]}, question=EVIL, report=report)
    outcomes = [
        maker.train({EVIL: EVIL}, 0, 50.0),
        maker.train({EVIL: EVIL}, 1, 0, status="failed", reason=EVIL, detail=EVIL),
        maker.cost({EVIL: EVIL}, 9, 1e6, 1.0, notes=(EVIL,)),
    ]
    write_report(study, outcomes, folder / "report", maker.root)
    return folder / "report"


@pytest.fixture
def open_page(browser):
    """Opens a report's page; in the end nothing may have been complained of, or asked for."""
    complaints, requests, opened = [], [], []

    def open_one(folder, fragment="", **options):
        page = browser.new_page(**{"viewport": WINDOW, **options})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"file://{folder}/report.html{fragment}")
        opened.append((page, page.url.partition("#")[0]))
        return page

    yield open_one
    for page, _ in opened:
        page.close()
    own = {address for _, address in opened}
    assert complaints == []
    assert [url for url in requests if url not in own and not url.startswith("data:")] == []


@pytest.fixture
def page(open_page, frames):
    return open_page(frames[1])
