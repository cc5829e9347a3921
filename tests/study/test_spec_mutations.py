"""Whatever a study file says, the answer is a study or one line."""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from study.grid import expand
from study.spec import StudyError, load_study

YAML = """\
question: Which part pays?
base:
  data: {name: motion, frames: 8}
  model: &model {name: vlf, width: 64, heads: 4, pretrained: false}
  train: {lr: 2e-3, milestones: [0.5, 0.9]}
factors:
  variant:
    VLF: {}
    no g: {model.spatial_depth: 0, run.slurm.mem_gb: 4}
    TSN: {model: {name: tsn}}
  data.frames: [4, 8]
  data.seed: [0, 1]
paired: [[data.frames, data.seed]]
exclude: [{variant: TSN, data.frames: 4}]
include: [{variant: TSN}]
seeds: [0, 1]
claims:
  - top1[VLF] > top1[no g]
cost: {batch_sizes: [1, 8], budget_s: 2.0}
run: {executor: process, slurm: {partition: gpu}}
report: {baseline: {variant: VLF}, tables: [main]}
"""
WORDS = (
    "0", "-1", "1e999", ".nan", "null", "true", "''", "[]", "{}", "[[]]", "{a: b}", "*model", "<<",
    "name", "model", "model.name", "model.width", "run.slurm.mem_gb", "variant", "video_list",
    "timesformer", ": ", "- ", ", ", "\n", "\t", "!!int ", "---\n", "# ", "\x00", "é", '"',
    "extends",
)  # fmt: skip
TOKENS = ["", *YAML.replace("\n", " ").split(" "), *WORDS]


def answer(path):
    try:
        cells = expand(load_study(path))
    except StudyError as error:
        told = str(error)
        if "\n" in told or not told.startswith(str(path)):
            pytest.fail(f"not one line about the file: {told!r}")
        return None
    return cells


def check(folder, text):
    path = folder / "mutated.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    cells = answer(path)
    assert cells is None or len({cell.name for cell in cells}) == len(cells) > 0


def test_the_file_that_is_mutated_is_a_study(tmp_path):
    path = tmp_path / "whole.yaml"
    path.write_text(YAML, "utf-8")

    assert len(answer(path) or ()) == 6


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(start=st.integers(0, len(YAML)), length=st.integers(0, 30), put=st.sampled_from(TOKENS))
def test_a_span_put_in_the_place_of_another_never_breaks_the_reader(tmp_path, start, length, put):
    check(tmp_path, YAML[:start] + put + YAML[start + length :])


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_word_put_in_the_place_of_another_never_breaks_the_reader(tmp_path, data):
    words = YAML.split(" ")
    place = data.draw(st.integers(0, len(words) - 1))
    words[place] = data.draw(st.sampled_from(TOKENS) | st.text(max_size=8))
    check(tmp_path, " ".join(words))
