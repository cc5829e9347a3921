"""Fingerprints of code: a hash over the syntax trees of the modules that a run imports.

Modules are read, never imported, so this loads no torch. Comments, docstrings, layout and where a
module lies do not count; every first-party module that is imported directly or not does. Of an
import only the names that it binds count, since what it imports is hashed itself: moving a module
changes no fingerprint. Left out are

- `vlf.config`: the resolved values of a run are stored and compared in full instead;
- entries of registries ("name": "module:Class"): a line for a new architecture changes no other.
  What such a string names is followed for the run's own architecture and dataset only, and for
  the layouts of weight files where it starts from one.

ast.dump differs between Python versions, and so does the fingerprint.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from study.records.record import Kind
from vlf.config import RunConfig

ROOT = Path(__file__).parents[2]
LEFT_OUT = ("vlf.config",)
LIBRARIES = ("torch", "timm")
PEERS = ("torchvision", "transformers")  # their versions count where a module imports them
TRAINING = ("vlf.train", "vlf.evaluate")
FEATURES = ("vlf.features", "vlf.models.backbones", "vlf.models.tsm")  # TSM changes backbones
METRICS = "study.measure.metrics"
TIMING = "study.measure.timed_process"  # the loop around the metrics


def fingerprint_of(config: RunConfig, kind: Kind, root: Path = ROOT) -> str:
    """The fingerprint of a run's records: of training, or of its architecture's cost.

    Raises:
        FileNotFoundError: If a module that the run needs has no file.
        KeyError: If the architecture or dataset is in no registry.
    """
    weights = config.model.weights is not None
    return _fingerprint_of(config.model.name, config.data.name, weights, kind, root)


@cache
def _fingerprint_of(model: str, data: str, weights: bool, kind: Kind, root: Path) -> str:
    architecture = registered("vlf.models", "MODELS", root)[model]
    if kind == "cost":
        return code_fingerprint((architecture, TIMING, *_package(METRICS, root)), root)
    dataset = registered("vlf.data", "DATASETS", root)[data]
    converters = registered("vlf.weights", "CONVERTERS", root) if weights else {}
    converter = (converters[model],) if model in converters else ()
    return code_fingerprint((architecture, dataset, *TRAINING, *converter), root)


def views_fingerprint(data: str, root: Path = ROOT) -> str:
    """Fingerprint of the features of a dataset's clips: their loading, and every backbone.

    Raises:
        KeyError: If the dataset is in no registry.
    """
    dataset = registered("vlf.data", "DATASETS", root)[data]
    return code_fingerprint((dataset, *FEATURES), root)


@cache
def code_fingerprint(modules: Sequence[str], root: Path = ROOT) -> str:
    """Hash of modules, of what they import from `vlf` and the measuring code, and of versions.

    Args:
        modules: Dotted names, as a tuple.
        root: Folder that the packages are in.

    Raises:
        FileNotFoundError: If one of `modules` has no file.
    """
    found: dict[str, str] = {}
    peers: set[str] = set()
    waiting = list(modules)
    for name in modules:
        if _path(name, root) is None:
            raise FileNotFoundError(f"no module {name} under {root}")
    while waiting:
        name = waiting.pop()
        if name in found or not _counts(name):
            continue
        path = _path(name, root)
        if path is None:
            continue  # `from vlf.models.blocks import Block`: Block is no module
        found[name], imported = _read(path, name)
        waiting += [*imported, *_parents(name)]
        peers |= {*PEERS} & {*imported}
    lines = sorted(filter(None, found.values()))  # a package of remarks alone has no digest
    lines += [f"{library} {_version(library)}" for library in (*LIBRARIES, *sorted(peers))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def registered(package: str, registry: str, root: Path = ROOT) -> dict[str, str]:
    """Name -> module, of a registry of "module:Class" strings in a package's `__init__.py`.

    Raises:
        KeyError: If there is no such registry.
    """
    tree = ast.parse((root / package.replace(".", "/") / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        target, value = _assigned(node)
        if target == registry and value is not None:
            entries: dict[str, str] = ast.literal_eval(value)
            return {name: entry.partition(":")[0] for name, entry in entries.items()}
    raise KeyError(f"{package} has no {registry}")


def _package(package: str, root: Path) -> tuple[str, ...]:
    files = sorted((root / package.replace(".", "/")).glob("*.py"))
    return tuple(f"{package}.{file.stem}".removesuffix(".__init__") for file in files)


def _counts(name: str) -> bool:
    first_party = name in ("vlf", METRICS, TIMING) or name.startswith(("vlf.", f"{METRICS}."))
    return first_party and not any(f"{name}.".startswith(f"{one}.") for one in LEFT_OUT)


def _parents(name: str) -> Iterator[str]:
    """Packages around a module: importing it runs their `__init__.py` first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _path(name: str, root: Path) -> Path | None:
    stem = root.joinpath(*name.split("."))
    for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _read(path: Path, name: str) -> tuple[str, tuple[str, ...]]:
    """Digest of a module's code, "" if it has none, and the names that it imports."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(ast.walk(tree))
    imported = tuple(_imports(nodes, name, path.name == "__init__.py"))
    bound = sorted(
        f"{alias.name if isinstance(node, ast.ImportFrom) else ''} {alias.asname}"
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )
    for node in nodes:
        for block in ("body", "orelse", "finalbody"):
            if isinstance(kept := getattr(node, block, None), list):
                setattr(node, block, [child for child in kept if not _is_left_out(child)])
    if not tree.body:
        return "", imported
    return hashlib.sha256("\n".join([ast.dump(tree), *bound]).encode()).hexdigest(), imported


def _is_left_out(node: ast.stmt) -> bool:
    """An import, a docstring, or a registry of "module:Class" strings."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    value = _assigned(node)[1]
    if not isinstance(value, ast.Dict) or not value.values:
        return False
    entries = [one.value if isinstance(one, ast.Constant) else None for one in value.values]
    return all(isinstance(one, str) and ":" in one for one in entries)


def _assigned(node: ast.stmt) -> tuple[str, ast.expr | None]:
    """(name, value) of `name = value` and `name: type = value`."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name):
        return target.id, node.value
    return "", None


def _imports(nodes: Iterable[ast.AST], name: str, is_package: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parts = name.split(".")
                above = parts[: len(parts) - node.level + is_package]
                module = ".".join([*above, module] if module else above)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
