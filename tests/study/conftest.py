import pytest
from archived import here, origin  # noqa: F401 - fixtures
from plans import STUDY

from study.records.store import Store
from study.spec.study import load_study


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return load_study(path)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")
