"""Whatever a study file says, the command's answer is a status or one line and exit code 2."""

import contextlib
import copy
import io
import signal

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

import run_study

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
VALUES = (
    None, True, 0, -1, 3, 2**63, 10**30, 0.5, 1e308, float("inf"), float("nan"), "", " ", "8",
    "1e3", "a" * 300, "../../x", "/etc/passwd", "/dev/zero", "<script>alert(1)</script>", "$x$",
    "%s {0}",
    "\u202e", "VLF", "tsn", "slurm", "model.width", [], {}, [[]], [0, 0], list(range(100)),
    {"a": {"b": {}}}, {"name": "tsn"}, {"": 1}, {"a,b": {}}, {"model.width": [8, 8]},
)  # fmt: skip
LIMIT_S = 30  # far beyond what an answer takes: more is a hang


def mutate_span(draw, text):
    start, length = draw(st.integers(0, len(text))), draw(st.integers(0, 30))
    return text[:start] + draw(st.sampled_from(TOKENS)) + text[start + length :]


def mutate_word(draw, text):
    words = text.split(" ")
    at = draw(st.integers(0, len(words) - 1))
    words[at] = draw(st.sampled_from(TOKENS) | st.text(max_size=8))
    return " ".join(words)


def mutate_character(draw, text):
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.characters()) + text[at + draw(st.integers(0, 1)) :]


def mutate_lines(draw, text):
    lines = text.split("\n")
    one, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    how = draw(st.sampled_from(("swap", "double", "delete", "indent")))
    if how == "swap":
        lines[one], lines[other] = lines[other], lines[one]
    elif how == "double":
        lines.insert(other, lines[one])
    elif how == "delete":
        del lines[one]
    else:
        lines[one] = " " * draw(st.integers(0, 8)) + lines[one].lstrip()
    return "\n".join(lines)


def places(tree, at=()):
    """Every key of a tree."""
    below = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in below if isinstance(tree, dict | list) else ():
        yield (*at, key)
        yield from places(value, (*at, key))


def mutate_tree(draw, text):
    """Put another value, or one that stands elsewhere, in a place; text that is no tree stays."""
    try:
        tree = yaml.safe_load(text)
        every = list(places(tree))
    except (yaml.YAMLError, ValueError, TypeError, IndexError, RecursionError):
        return text
    if not every:
        return text
    found = {key: value for key in every for value in [value_at(tree, key)]}
    *above, last = draw(st.sampled_from(every))
    value = draw(st.sampled_from(VALUES) | st.sampled_from(list(found.values())))
    value_at(tree, above)[last] = copy.deepcopy(value)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=draw(st.booleans()))


def value_at(tree, key):
    for part in key:
        tree = tree[part]
    return tree


MUTATIONS = (mutate_span, mutate_word, mutate_character, mutate_lines, mutate_tree)


@st.composite
def mutated(draw):
    """The study after one to four mutations."""
    text = YAML
    for mutate in draw(st.lists(st.sampled_from(MUTATIONS), min_size=1, max_size=4)):
        text = mutate(draw, text)
    return text


def raise_hang(number, frame):
    raise TimeoutError(f"no answer after {LIMIT_S} s")


def answer(path, results):
    """Exit code, what was printed, and what was complained about."""
    out, err = io.StringIO(), io.StringIO()
    before = [signal.signal(signal.SIGALRM, raise_hang), signal.getsignal(signal.SIGTERM)]
    signal.alarm(LIMIT_S)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_study.main([str(path), "--status", "--results", str(results)])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before[0])
        signal.signal(signal.SIGTERM, before[1])
    return code, out.getvalue(), err.getvalue()


def check(folder, text):
    path, results = folder / "mutated.yaml", folder / "results"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    code, out, err = answer(path, results)
    if code == 2:
        told = err.removesuffix("\n")
        if "\n" in told or not told.startswith(f"error: {path}"):
            pytest.fail(f"not one line about the file: {told!r}")
    else:
        assert code == 1  # nothing was run yet
        assert " planned = 0 done + 0 reused + 0 skipped + 0 failed + " in out.splitlines()[-1]
        assert err == ""
    assert not results.exists()
    return code


def options(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def test_the_file_that_is_mutated_is_a_study(tmp_path):
    assert check(tmp_path, YAML) == 1


@options(200)
@given(text=mutated())
def test_a_mutated_study_gets_a_status_or_one_line(tmp_path, text):
    check(tmp_path, text)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@options(10_000)
@given(text=mutated())
def test_ten_thousand_mutated_studies_get_a_status_or_one_line(tmp_path, text):
    check(tmp_path, text)
