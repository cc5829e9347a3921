"""requirements.lock is complete, with the versions of constraints.txt and pyproject.toml."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIN = re.compile(r"^([\w.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)
LOCKS = ("requirements.lock", "tools/build.lock", "tools/requirements.lock")


def pins(path):
    """Canonical name -> (version, number of digests)."""
    return {
        canonicalize_name(name): (version, hashes.count("sha256:"))
        for name, version, hashes in PIN.findall(path.read_text("utf-8"))
    }


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_of_a_lock_has_a_version_and_digests_and_no_line_more(root, name):
    lines = (root / name).read_text("utf-8").splitlines()
    requirements = [line for line in lines if line and line[0] not in "# "]

    assert len(requirements) == len(pins(root / name)) > 0


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_of_the_machine_that_made_it(root, name):
    text = (root / name).read_text("utf-8")

    assert not re.search(r"file://|https?:|--find-links|--index-url|--extra-index-url", text)


def test_the_lock_has_the_versions_of_the_constraints(root):
    lines = (root / "constraints.txt").read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    constraints = {canonicalize_name(name): version for name, version in pairs}
    locked = {name: version for name, (version, _) in pins(root / "requirements.lock").items()}

    assert locked.items() <= constraints.items()  # `make lock` fixes it


@pytest.mark.parametrize("extra", ["", "dev"])
def test_what_the_project_asks_for_is_in_the_lock(root, extra):
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    asked = project["optional-dependencies"][extra] if extra else project["dependencies"]
    locked = pins(root / "requirements.lock")

    for requirement in map(Requirement, asked):
        version, digests = locked.get(canonicalize_name(requirement.name), ("", 0))
        assert version, f"{requirement.name} is not in requirements.lock: make lock"
        assert requirement.specifier.contains(version), f"{requirement.name}: make lock"
        assert digests


def test_what_builds_the_project_is_the_same_in_both_locks(root):
    built = pins(root / "tools" / "build.lock")

    assert built["setuptools"] == pins(root / "requirements.lock")["setuptools"]
