"""A study that was run, and its archive: for the tests of archives."""

import json
import shutil

import pytest
from made_results import STUDY, fill, main, plan_of

from study.plan.known_studies import keep_study

CLAIMED = STUDY + "claims: ['top1[VLF] > top1[TSN]']\n"
LEDGER = {
    "schema": 1,
    "entries": [{"claim": "c", "text": "t", "written": "2030-01-01", "digest": "d"}],
    "looks": [{"date": "2030-01-02", "data": "x", "verdicts": {"c": ["holds", "2 seeds"]}}],
}


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A folder with a study that was run, and its archive."""
    folder = tmp_path_factory.mktemp("origin")
    base, path, root = folder / "base.yaml", folder / "order.yaml", folder / "results"
    base.write_text(CLAIMED, "utf-8")
    path.write_text("extends: base.yaml\n", "utf-8")
    keep_study(plan_of(path, root).study, "cpu", root)
    fill(path, root)
    (root / "order" / "tables").mkdir(parents=True)
    (root / "order" / "report.html").write_text("<script>", "utf-8")
    (root / "order" / "claims.json").write_text(json.dumps(LEDGER), "utf-8")
    (root / "order" / "tables" / "main.csv").write_text("a,b\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        code, out, err = main("order.yaml", "--archive", "order.zip")
    assert (code, err) == (0, ""), out + err
    return folder


@pytest.fixture
def here(origin, tmp_path, monkeypatch):
    """Another folder, with the archive and nothing else."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(origin / "order.zip", tmp_path)
    return tmp_path
