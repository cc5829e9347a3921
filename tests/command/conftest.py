import pytest
from study_runs import STUDY


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(STUDY, "utf-8")
    return path
