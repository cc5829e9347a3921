import subprocess
import sys

import pytest

from study.plan.identity import train_identity
from study.spec.grid import expand
from study.spec.study import load_study

CELLS = {"factorization": 7, "depth": 9, "frames": 12, "tokens": 5, "choices": 6, "costs": 15}
CELLS |= {"costs_large": 18, "matched": 4, "tuned": 3, "matched_latency": 4}


@pytest.fixture
def cells(root):
    return {
        name: {cell.name: cell for cell in expand(load_study(root / f"ablations/{name}.yaml"))}
        for name in CELLS
    }


def test_the_shipped_studies_have_the_cells_that_they_are_meant_to(cells):
    assert {name: len(found) for name, found in cells.items()} == CELLS


def test_studies_of_the_same_run_share_its_records(cells):
    def identity(study, name):
        return train_identity(cells[study][name].config, 0, "cpu", {})

    full = identity("factorization", "variant=VLF")
    assert identity("depth", "model.spatial_depth=1, model.spatiotemporal_depth=2") == full
    assert identity("frames", "variant=VLF, data.frames=8") == full
    assert identity("tokens", "map=4x4") == full
    assert identity("choices", "choice=ours") == full
    assert identity("choices", "choice=3x3 projection") == identity("tokens", "map=2x2 projected")
    no_g = identity("factorization", "variant=no g")
    assert identity("depth", "model.spatial_depth=0, model.spatiotemporal_depth=2") == no_g
    former = identity("factorization", "variant=TimeSformer-like")
    assert identity("frames", "variant=TimeSformer-like, data.frames=8") == former


def test_factorization_holds_the_number_of_frames_fixed(cells):
    assert {cell.config.data.frames for cell in cells["factorization"].values()} == {8}


def test_reading_planning_and_naming_a_study_loads_no_torch(root):
    code = (
        "import sys; from pathlib import Path; from study.spec.study import load_study; "
        "from study.spec.grid import expand; from study.plan.fingerprint import fingerprint_of; "
        "cells = expand(load_study(Path('ablations/factorization.yaml'))); "
        "[fingerprint_of(cell.config, 'cost') for cell in cells]; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'timm', 'pandas', 'numpy')))"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
