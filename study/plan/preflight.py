"""Checks before a run: build every cell on the meta device, count it, check its inputs."""

import dataclasses
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import torch
from torch import nn

from study.executors import executor_class
from study.measure.counts import CellCounts, FrozenCounts
from study.measure.metrics.macs import count, count_modules
from study.plan.data_check import inspect_data
from study.plan.identity import file_digests, section_text
from study.plan.planner import Plan, Planned
from study.spec.grid import Cell
from study.spec.study import Study, locate
from vlf.config import BackboneOptions, ConfigError, DataConfig, ModelConfig, RunConfig
from vlf.data import open_clips
from vlf.models import build_model
from vlf.models.backbones import check_pretrained
from vlf.models.freeze import find_backbone, freeze, norms_to_keep
from vlf.weights import fit_weights


def build_for_cost(model: ModelConfig, data: DataConfig) -> tuple[nn.Module, tuple[int, ...]]:
    """An architecture and the shape of its clip (T, 3, H, W), for counting and timing.

    Weights are not read: they change no cost.
    """
    shape = (data.frames, 3, data.size, data.size)
    return build_model(model.untrained(), data).eval(), shape


def inspect(
    plan: Plan, known: Mapping[str, CellCounts], to_run: bool, depth: int = 0
) -> dict[str, CellCounts]:
    """Check everything that a run needs; counts by cell name, with notes on data.

    Args:
        plan: Of which every cell that has no counts is built.
        known: Counts that are in records of the same code (study/estimate/estimate.py).
        to_run: All must be there; a plan can be made of data that are on another machine.
        depth: Count every module too, so many levels of names deep.

    Raises:
        StudyError: If a cell cannot be built, its data cannot be read, or its batches not trained.
    """
    cells = [job.cell for job in plan.cost if job.cell.name not in known]
    counts = {**known, **count_cells(plan.study, cells, depth)}
    if to_run:
        check_device(plan)
        check_events(plan)
    for name, data in inspect_data(plan, to_run).items():
        counts[name] = dataclasses.replace(counts[name], data=data.notes, missing=data.missing)
    if to_run:
        check_inputs(plan)
    return counts


def count_cells(study: Study, cells: Sequence[Cell], depth: int = 0) -> dict[str, CellCounts]:
    """Build and count every distinct architecture of the cells, by cell name.

    Raises:
        StudyError: Naming the line of the level or key that cannot be built.
    """
    seen: dict[tuple[object, ...], CellCounts] = {}
    counts = {}
    for cell in cells:
        data, model = cell.config.data, cell.config.model
        shape = (data.frames, data.size, data.classes)
        keeps, is_frozen = cell.config.train.partial_bn, cell.config.train.freeze == "f"
        architecture = (section_text(model), shape, keeps, is_frozen)
        if architecture not in seen:
            try:
                seen[architecture] = count_model(model, data, depth, keeps, is_frozen)
            except ConfigError as error:
                raise locate(study, cell, error) from None
        counts[cell.name] = seen[architecture]
    return counts


def count_model(
    model: ModelConfig,
    data: DataConfig,
    depth: int = 0,
    keeps: bool = False,
    is_frozen: bool = False,
) -> CellCounts:
    """Build an architecture on the meta device and count it, and its modules `depth` names deep.

    `keeps`: `train.partial_bn`, which needs normalisation that it can find.
    `is_frozen`: `train.freeze: f`, whose backbone is counted by itself too.

    Raises:
        ConfigError: If it cannot be built.
    """
    with torch.device("meta"):
        module, shape = build_for_cost(model, data)
    if keeps:
        norms_to_keep(module)  # what would fail in training fails now
    counted = count(module, shape)
    modules = count_modules(module, shape, depth) if depth else []
    return CellCounts(
        int(sum(counted.parameters.values())),
        float(sum(counted.macs.values())),
        counted.notes,
        tuple((one.name, one.kind, one.parameters, one.macs) for one in modules),
        _count_frozen(module, shape) if is_frozen else None,
    )


def _count_frozen(model: nn.Module, shape: tuple[int, ...]) -> FrozenCounts:
    """The backbone of a model on the meta device, for a clip of (T, 3, S, S)."""
    name, backbone = find_backbone(model)
    rows = {one.name: one for one in count_modules(model, shape, name.count(".") + 1)}
    with torch.no_grad():
        features = backbone(torch.empty(shape, device="meta"))
    parameters = sum(one.numel() for one in backbone.parameters())
    return FrozenCounts(parameters, float(rows[name].macs), features.numel())


def check_device(plan: Plan) -> None:
    """A job never falls back on the CPU in silence.

    Raises:
        StudyError: If the study is to run on a GPU that torch cannot use.
    """
    if executor_class(plan.study.run.executor).is_remote:
        return  # the job checks the node that it runs on
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise plan.study.error(
            ("run", "device"),
            f"torch {torch.__version__} finds no usable GPU here; "
            "say device: cpu (or --device cpu) to run on the CPU",
        )


def check_events(plan: Plan) -> None:
    """Event files are wanted where they can be written.

    Raises:
        StudyError: If tensorboard is not installed here; of a cluster's nodes the record tells.
    """
    if plan.study.run.tensorboard and find_spec("tensorboard") is None:
        raise plan.study.error(
            ("run", "tensorboard"), "needs the package tensorboard: pip install '.[tensorboard]'"
        )


def check_inputs(plan: Plan) -> None:
    """Read weight files of what is to run, so that a bad one stops us now.

    Published weights of backbones are fetched, once for all jobs.

    Raises:
        StudyError: Naming the key of the study file, and the line of the list or the layers.
    """
    weights_seen, tuned, backbones_seen = set(), set(), set()
    for job in plan.training:
        model, data = job.cell.config.model, job.cell.config.data
        if not job.is_to_run:
            continue
        try:
            if job.kind == "tune" and data not in tuned:
                _check_validation(plan, job, data)
                tuned.add(data)
            backbone = _backbone_of(job.cell.config)
            if backbone not in backbones_seen:
                _check_backbone(job.cell.config)
            if (model.model_dump_json(), data) not in weights_seen:
                file_digests(job.cell.config)
                if model.weights is not None:
                    with torch.device("meta"):
                        module = build_model(model, data)
                    fit_weights(module, model, data, model.weights)
        except ConfigError as error:
            raise locate(plan.study, job.cell, error) from None
        backbones_seen.add(backbone)
        weights_seen.add((model.model_dump_json(), data))


def _check_validation(plan: Plan, job: Planned, data: DataConfig) -> None:
    """Refuse to tune without validation clips.

    Raises:
        StudyError: If there is no clip of it.
    """
    if data.files() and not len(open_clips(data, "val")):  # what is made from a seed has some
        say = f"chooses on validation clips, and the {data.name} data have none (data.val)"
        raise plan.study.error(("tune",), f"{say} (cell {job.cell.name})")


def _backbone_of(config: RunConfig) -> tuple[object, ...]:
    """The options that `_check_backbone` depends on."""
    model = config.model
    if not isinstance(model, BackboneOptions):
        return ()
    frozen = (model.name, config.data.size, config.train.freeze)
    return (model.backbone, model.stage, model.pretrained, *frozen)


def _check_backbone(config: RunConfig) -> None:
    model = config.model
    if isinstance(model, BackboneOptions) and model.pretrained:
        check_pretrained(model, config.data.size)
    if config.train.freeze != "none":
        with torch.device("meta"):
            freeze(build_model(model.untrained(), config.data), config.train.freeze)
