"""Records of every schema there was are read; those of a later one are left as they are."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from test_store import KEY, record

from study.records.record import Record, RecordError
from study.records.schema import RECORD, NewerSchemaError, Schema
from study.records.store import Store

GOLDEN = Path(__file__).with_name("golden")  # written by the first version that wrote each schema
NEXT = RECORD.present + 1
PRESENT = sorted(GOLDEN.glob(f"record-{RECORD.present}-*.json"))


def sealed(values):
    """The text of a record with these values, its checksum computed apart from record.py."""
    content = {name: value for name, value in values.items() if name != "checksum"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps({**content, "checksum": digest})


def of_schema(number, text):
    return sealed({**json.loads(text), "schema": number})


@pytest.mark.parametrize("number", range(1, RECORD.present + 1))
def test_every_schema_there_was_has_golden_files_of_every_kind(number):
    kinds = {path.stem.split("-")[2] for path in GOLDEN.glob(f"record-{number}-*.json")}

    assert kinds >= {"train", "tune", "cost", "failed"}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("record-*.json")), ids=lambda path: path.stem)
def test_a_golden_record_is_read_with_the_numbers_that_stand_in_it(path):
    text = path.read_text("utf-8")
    values = json.loads(text)

    found = Record.from_json(text)

    assert sealed(values) == json.dumps(values)  # the checksum, by a second implementation
    told = [m["samples"] for m in values["measurements"]]
    assert [list(m.samples) for m in found.measurements] == told
    assert (found.identity, found.status) == (values["identity"], values["status"])


@pytest.mark.parametrize("path", PRESENT, ids=lambda path: path.stem)
def test_what_is_written_has_the_shape_of_its_schema(path):
    """If this fails, the shape has changed: append a step to RECORD, and golden files."""
    text = path.read_text("utf-8")

    assert json.loads(Record.from_json(text).to_json()) == json.loads(text)


@pytest.mark.parametrize("default", [None, 0, ""])
def test_a_new_field_changes_the_shape_even_if_it_has_a_default(default):
    wider = dataclasses.make_dataclass(
        "Wider", [("colour", object, default)], bases=(Record,), frozen=True
    )
    text = PRESENT[0].read_text("utf-8")

    assert json.loads(wider.from_json(text).to_json()) != json.loads(text)


def in_old_words(text):
    """A golden record as a version might have written it that called the device its place."""
    values = json.loads(text)
    return sealed({("place" if name == "device" else name): v for name, v in values.items()})


def to_new_words(values):
    return {("device" if name == "place" else name): value for name, value in values.items()}


@pytest.fixture
def second(monkeypatch):
    """As if schema 1 had been the old words, and today's were schema 2."""
    monkeypatch.setattr("study.records.record.RECORD", Schema((to_new_words,)))


@pytest.mark.parametrize("path", PRESENT, ids=lambda path: path.stem)
def test_an_older_record_comes_up_to_the_present_schema(path, second):
    text = path.read_text("utf-8")

    found = Record.from_json(in_old_words(text))

    assert found == Record.from_json(of_schema(2, text))
    assert json.loads(found.to_json())["schema"] == 2


def test_a_store_reads_an_older_record_and_leaves_its_file_as_it_is(tmp_path, second):
    store = Store(tmp_path)
    store.records.mkdir()
    path = store.records / f"{KEY.name}.json"
    path.write_text(in_old_words(of_schema(1, record().to_json())), "utf-8")
    before = path.read_bytes()

    assert store.done(KEY) == [record()]
    assert store.add(KEY, record("later")).attempt == "one"
    assert path.read_bytes() == before
    assert store.damaged == []


def test_an_older_record_that_was_altered_is_damaged(second):
    text = in_old_words(PRESENT[0].read_text("utf-8"))
    altered = text.replace('"place": "cpu"', '"place": "cuda"')

    assert altered != text
    with pytest.raises(RecordError, match="checksum"):
        Record.from_json(altered)


def test_an_older_record_that_its_step_cannot_read_is_damaged(monkeypatch):
    def step(values):
        return {**values, "colour": values["color"]}

    monkeypatch.setattr("study.records.record.RECORD", Schema((step,)))

    with pytest.raises(RecordError, match="not a whole record"):
        Record.from_json(PRESENT[0].read_text("utf-8"))


def test_steps_are_taken_in_order_from_the_schema_of_the_file():
    def step(letter):
        return lambda values: {"said": values["said"] + letter}

    schema = Schema((step("a"), step("b"), step("c")))

    assert schema.present == 4
    found = [schema.upgrade({"schema": number, "said": ""})["said"] for number in (1, 2, 3, 4)]
    assert found == ["abc", "bc", "c", ""]


STEPS = [(to_new_words, in_old_words(PRESENT[0].read_text("utf-8")))] + [
    (step, path.read_text("utf-8"))
    for number, step in enumerate(RECORD.steps, start=1)
    for path in GOLDEN.glob(f"record-{number}-*.json")
]


@pytest.mark.parametrize(("step", "text"), STEPS)
def test_a_step_leaves_what_it_is_given_as_it_is(step, text):
    values = json.loads(text)

    assert step(values) != values
    assert values == json.loads(text)


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "1", None, [1]])
def test_a_schema_that_is_no_number_of_one_is_damage(number):
    with pytest.raises(RecordError):
        Record.from_json(of_schema(number, record().to_json()))


@pytest.fixture
def newer(tmp_path):
    """A store whose only record of KEY a later version wrote."""
    store = Store(tmp_path)
    store.records.mkdir()
    text = of_schema(NEXT, record(environment={"commit": "0123456789abcdef"}).to_json())
    (store.records / f"{KEY.name}.json").write_text(text, "utf-8")
    return store


OTHER_CODE = dataclasses.replace(KEY, fingerprint="e" * 64)
ASKED = [
    lambda store: store.done(KEY),
    lambda store: store.find(KEY),
    lambda store: store.others(OTHER_CODE),
    lambda store: store.all_done(),
    lambda store: store.add(KEY, record("later")),
]


@pytest.mark.parametrize("ask", ASKED)
def test_a_newer_record_of_a_job_is_refused_in_a_line_and_left_alone(newer, ask):
    (path,) = newer.records.iterdir()
    before = path.read_bytes()

    with pytest.raises(NewerSchemaError) as error:
        ask(newer)

    said = "use the version that wrote it (commit 0123456789ab), or a later one"
    assert str(error.value) == (
        f"{path}: has schema {NEXT}, and this version of the project reads up to {RECORD.present}: "
        f"{said}; nothing of it was changed"
    )
    assert [one.read_bytes() for one in newer.records.iterdir()] == [before]
    assert newer.damaged == []


def test_a_newer_record_that_was_altered_is_damaged(newer):
    (path,) = newer.records.iterdir()
    path.write_text(path.read_text("utf-8").replace("50.0", "90.0"), "utf-8")

    assert newer.done(KEY) == []
    assert (newer.records / "damaged" / path.name).exists()


def test_a_newer_record_of_another_job_is_passed_over_and_named_once(newer):
    assert newer.sample("train", 9) == []
    assert newer.sample("train", 9) == []

    (line,) = newer.newer
    assert line.startswith(f"{KEY.name}.json: passed over: has schema {NEXT},")
