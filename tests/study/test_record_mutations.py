"""Whatever became of a record's file: it is the record that was written, or it is set aside."""

import contextlib
import json
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from test_store import KEY, record

from study.records import record as record_module
from study.records.record import Record, RecordError
from study.records.store import Store

TEXT = record(notes=("a note",), reason="").to_json()
VALUES = (
    None,
    True,
    0,
    -1.5,
    "",
    "x",
    [],
    {},
    [1],
    {"a": 1},
    [[]],
    [{"metric": "top1"}],
    "1" * 999,
)


def read(content):
    """What a store makes of a file with this content: its records, and what it set aside."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.records.mkdir()
        path = store.records / f"{KEY.name}.json"
        path.write_bytes(content)
        found = store.done(KEY)
        assert path.exists() == bool(found)
        assert (store.records / "damaged" / path.name).exists() == (not found)
        assert len(store.damaged) == 1 - len(found)
    return found


def options(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


def check_bytes(start, length, put):
    content = TEXT.encode()
    changed = content[:start] + put + content[start + length :]
    found = read(changed)
    assert found in ([], [Record.from_json(TEXT)])  # never another number
    assert found or changed != content


SPANS = given(
    start=st.integers(0, len(TEXT)), length=st.integers(0, 40), put=st.binary(max_size=12)
)


@options(200)
@SPANS
def test_a_span_of_bytes_put_in_the_place_of_another_is_noticed(start, length, put):
    check_bytes(start, length, put)


@pytest.mark.slow
@options(10_000)
@SPANS
def test_ten_thousand_spans_of_bytes_are_noticed(start, length, put):
    check_bytes(start, length, put)


@given(place=st.integers(0, len(TEXT) - 1), bit=st.integers(0, 7))
@options(200)
def test_a_flipped_bit_is_noticed(place, bit):
    content = bytearray(TEXT.encode())
    content[place] ^= 1 << bit
    found = read(bytes(content))

    # In the white space between values a bit may change nothing that is said.
    assert found in ([], [Record.from_json(TEXT)])


@given(data=st.data())
@options(200)
def test_a_record_of_another_shape_with_a_right_checksum_is_refused(data):
    """As an older or a foreign program might write it."""
    values = json.loads(TEXT)
    del values["checksum"]
    key = data.draw(st.sampled_from(sorted(values)))
    if data.draw(st.booleans()):
        del values[key]
    else:
        values[key] = data.draw(st.sampled_from(VALUES))
    checksum = record_module._checksum(values)

    with contextlib.suppress(RecordError):  # and nothing else
        found = Record.from_json(json.dumps({**values, "checksum": checksum}))
        assert isinstance(found.measurements, tuple)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "3", "[" * 100_000, '{"a":' * 100_000, "NaN", '{"checksum": NaN}']
)
def test_text_that_is_no_record_is_refused(text):
    with pytest.raises(RecordError):
        Record.from_json(text)
