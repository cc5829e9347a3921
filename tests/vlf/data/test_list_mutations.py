"""Whatever an annotation list says, the answer is its items or one line that names its line."""

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from vlf.config import ConfigError, VideoListConfig
from vlf.data import open_clips

LIST = """\
# path label

a.mp4 0
some clips/b 1 2.mp4 1
  some clips/b 1 2.mp4 4 12 2
a.mp4 8 16 1
"""
PIECES = (
    "", " ", "\n", "\r", "\t", "\x00", "\x0c", "\u2028", "\u0663", "\u00b2", "-1", "3", "1e3",
    "0x1", "9" * 5000, "a.mp4", "../", "/etc/passwd", "/dev/zero", "a" * 5000, "# ", "%s", "é",
    "0 0 0 0",
)  # fmt: skip


@pytest.fixture(scope="module")
def root():
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "some clips").mkdir()
        for name in ("a.mp4", "some clips/b 1 2.mp4"):
            (place / name).touch()
        yield place


def check(root, content):
    (root / "train.txt").write_bytes(content)
    config = VideoListConfig(root=str(root), train="train.txt", test="train.txt", num_classes=3)
    try:
        items = open_clips(config, "train").items
    except ConfigError as error:
        told, key = str(error), error.key
    else:
        check_items(items)
        return
    assert "\n" not in told
    assert str(root / "train.txt") in told
    assert key == "data.train"


def check_items(items):
    assert items
    assert all(0 <= item.label < 3 and item.start >= 0 for item in items)
    assert all(item.path.is_file() for item in items)
    assert all(item.end is None or item.start < item.end for item in items)


def options(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


SPANS = given(
    start=st.integers(0, len(LIST)),
    length=st.integers(0, 20),
    put=st.sampled_from(PIECES).map(str.encode) | st.binary(max_size=6),
    twice=st.sampled_from(PIECES),
)


def mutate(start, length, put, twice):
    content = LIST.encode()
    return content[:start] + put + content[start + length :] + twice.encode()


@options(300)
@SPANS
def test_a_mutated_list_gives_items_or_one_line(root, start, length, put, twice):
    check(root, mutate(start, length, put, twice))


@pytest.mark.slow
@options(10_000)
@SPANS
def test_ten_thousand_mutated_lists_give_items_or_one_line(root, start, length, put, twice):
    check(root, mutate(start, length, put, twice))
