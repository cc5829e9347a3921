import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analysis.results.ledger import Ledger, LedgerError, digest_of, read_ledger, register_claims
from study.records.schema import LEDGER, NewerSchemaError, Schema

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)


@pytest.fixture
def study(maker):
    return maker.study({"variant": ["VLF", "TSN"]}, claims=("top1[VLF] > top1[TSN]",))


def test_a_claim_keeps_the_date_and_the_file_that_it_was_first_seen_in(study, maker, tmp_path):
    register_claims(study, tmp_path, MONDAY)
    texts = ("top1[variant=VLF] > top1[TSN]", "top1[VLF] > 50")
    more = maker.study({"variant": ["VLF", "TSN"]}, claims=texts, digest="e" * 64)
    register_claims(more, tmp_path, TUESDAY)

    first, second = read_ledger(tmp_path).entries
    assert (first.written[:10], first.digest) == ("2026-01-05", "d" * 64)
    assert (second.written[:10], second.digest) == ("2026-01-06", "e" * 64)


def test_a_claim_that_was_taken_out_is_not_forgotten(study, tmp_path):
    register_claims(study, tmp_path, MONDAY)

    ledger = register_claims(dataclasses.replace(study, claims=()), tmp_path, TUESDAY)

    assert [one.text for one in ledger.withdrawn(())] == ["top1[VLF] > top1[TSN]"]


def test_a_study_without_claims_leaves_no_file(maker, tmp_path):
    register_claims(maker.study({"variant": ["VLF"]}), tmp_path / "report", MONDAY)

    assert not (tmp_path / "report").exists()


def test_only_data_that_was_not_judged_before_is_a_new_look():
    ledger = Ledger()

    numbers = []
    for data in ("three seeds", "three seeds", "six seeds", "three seeds"):
        numbers.append(ledger.number_of(data))
        ledger.add(data, {"claim": ("undecided", data)}, MONDAY)

    assert numbers == [1, 1, 2, 1]
    assert len(ledger.looks) == 2


def test_looks_survive_the_file(study, tmp_path):
    ledger = register_claims(study, tmp_path, MONDAY)
    ledger.add("abc", {"claim": ("supported", "3 seeds")}, TUESDAY)
    ledger.save(tmp_path)

    again = read_ledger(tmp_path)

    assert again.was_judged("claim")
    assert again.number_of("def") == 2


@pytest.mark.parametrize("text", ["", "{", '{"schema": 1}', '{"schema": 0}', "{}", "[]"])
def test_a_torn_ledger_is_never_started_anew_in_silence(study, tmp_path, text):
    (tmp_path / "claims.json").write_text(text, "utf-8")

    with pytest.raises(LedgerError, match=r"claims\.json"):
        register_claims(study, tmp_path, MONDAY)

    assert (tmp_path / "claims.json").read_text("utf-8") == text


def test_one_changed_sample_is_other_data():
    assert digest_of({"a": [(1.0, 2.0)]}) == digest_of({"a": [(1.0, 2.0)]})
    assert digest_of({"a": [(1.0, 2.0)]}) != digest_of({"a": [(1.0, 2.5)]})


GOLDEN = Path(__file__).with_name("golden")  # claims-N.json, as the first version of schema N wrote


def golden(folder, number):
    text = (GOLDEN / f"claims-{number}.json").read_text("utf-8")
    (folder / "claims.json").write_text(text, "utf-8")
    return text


@pytest.mark.parametrize("number", range(1, LEDGER.present + 1))
def test_a_ledger_of_every_schema_there_was_is_read(tmp_path, number):
    golden(tmp_path, number)

    ledger = read_ledger(tmp_path)

    assert [one.written[:10] for one in ledger.entries] == ["2026-01-05", "2026-01-06"]
    assert ledger.was_judged(ledger.entries[0].claim)
    assert ledger.number_of("other data") == 2


def test_what_is_written_has_the_shape_of_its_schema(tmp_path):
    """If this fails, the shape has changed: append a step to LEDGER, and a golden file."""
    text = golden(tmp_path, LEDGER.present)

    read_ledger(tmp_path).save(tmp_path)

    assert (tmp_path / "claims.json").read_text("utf-8") == text


def test_an_older_ledger_is_kept_beside_the_one_that_takes_its_place(tmp_path, monkeypatch):
    def step(values):
        return {"entries": values["claims"], "looks": values["looks"]}

    monkeypatch.setattr("analysis.results.ledger.LEDGER", Schema((step,)))
    older = golden(tmp_path, 1).replace('"entries"', '"claims"')
    (tmp_path / "claims.json").write_text(older, "utf-8")

    ledger = read_ledger(tmp_path)
    assert (tmp_path / "claims.json").read_text("utf-8") == older  # to read is not to write
    ledger.save(tmp_path)

    assert json.loads((tmp_path / "claims.json").read_text("utf-8"))["schema"] == 2
    assert (tmp_path / "claims.schema-1.json").read_text("utf-8") == older
    assert read_ledger(tmp_path) == ledger


def test_a_newer_ledger_is_refused_and_left_as_it_is(study, tmp_path):
    text = golden(tmp_path, LEDGER.present).replace('"schema": 1', '"schema": 9')
    (tmp_path / "claims.json").write_text(text, "utf-8")

    with pytest.raises(NewerSchemaError, match=r"claims\.json: has schema 9, .* reads up to 1"):
        register_claims(study, tmp_path, TUESDAY)

    assert [path.name for path in tmp_path.iterdir()] == ["claims.json"]
    assert (tmp_path / "claims.json").read_text("utf-8") == text
