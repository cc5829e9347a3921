"""When each claim was written, and how often the claims were judged: `claims.json`, one a study.

It lies beside the report. A claim enters it when the study first runs or is reported, with the date
and the hash of the study file, and stays even if it is taken out of the file. A look is a judgement
of data that was not judged before.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from study.records.files import write_atomic
from study.records.schema import LEDGER, NewerSchemaError
from study.spec.study import Claim, Study

NAME = "claims.json"


class LedgerError(OSError):
    """The file is not what was written; its text says what to do."""


@dataclass(frozen=True)
class Entry:
    """A claim, when it was first seen (ISO 8601, UTC), and the sha256 of the study file then."""

    claim: str
    text: str
    written: str
    digest: str


@dataclass(frozen=True)
class Look:
    """A judgement: when, a hash of the claims and the samples that were judged, and the verdicts.

    `verdicts` is canonical claim -> (verdict, number of samples in words).
    """

    date: str
    data: str
    verdicts: Mapping[str, Sequence[str]]


@dataclass
class Ledger:
    """The claims that a study has made and the looks that were taken; kept in order of time."""

    entries: list[Entry] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def register(self, study: Study, now: datetime) -> None:
        """Note the claims that are new, with the date."""
        known = {entry.claim for entry in self.entries}
        date = now.astimezone(UTC).isoformat(timespec="seconds")
        for claim in study.claims:
            if claim.canonical not in known:
                entry = Entry(claim.canonical, claim.text, date, study.digest)
                self.entries.append(entry)

    def entry(self, claim: Claim) -> Entry | None:
        """When a claim was written; None if it is not registered."""
        return next((one for one in self.entries if one.claim == claim.canonical), None)

    def withdrawn(self, claims: Sequence[Claim]) -> list[Entry]:
        """Claims that the study file once had."""
        present = {claim.canonical for claim in claims}
        return [entry for entry in self.entries if entry.claim not in present]

    def was_judged(self, claim: str) -> bool:
        """Whether any look gave a verdict on a claim (in its canonical form)."""
        return any(claim in look.verdicts for look in self.looks)

    def number_of(self, data: str) -> int:
        """1 for the first look at any data; data that was judged before keeps its number."""
        known = [look.data for look in self.looks]
        return 1 + (known.index(data) if data in known else len(known))

    def add(self, data: str, verdicts: Mapping[str, Sequence[str]], now: datetime) -> None:
        """Note a look, unless this data was judged before."""
        if all(look.data != data for look in self.looks):
            date = now.astimezone(UTC).isoformat(timespec="seconds")
            self.looks.append(Look(date, data, dict(verdicts)))

    def save(self, folder: Path) -> None:
        """Write the file, whole or not at all; a study that never had a claim has none.

        One of an older schema stays beside it, as `claims.schema-1.json`.
        """
        if self.entries:
            _keep_older(folder / NAME)
            content = {"schema": LEDGER.present, **asdict(self)}
            write_atomic(folder / NAME, json.dumps(content, indent=1) + "\n")


def read_ledger(folder: Path) -> Ledger:
    """The ledger of a report's folder, empty where there is none.

    Raises:
        LedgerError: If the file was torn; it is never started anew in silence, which would forget
            how often the claims were judged.
        NewerSchemaError: If a later version of the project wrote it.
    """
    path = folder / NAME
    try:
        values = LEDGER.upgrade(json.loads(path.read_text("utf-8")))
        entries = TypeAdapter(list[Entry]).validate_python(values["entries"])
        return Ledger(entries, TypeAdapter(list[Look]).validate_python(values["looks"]))
    except FileNotFoundError:
        return Ledger()
    except NewerSchemaError as error:
        raise NewerSchemaError(f"{path}: {error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"{path}: not a whole ledger of claims ({error!r})") from None


def _keep_older(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        text = path.read_text("utf-8")
        if (number := json.loads(text)["schema"]) != LEDGER.present:
            write_atomic(path.with_name(f"{path.stem}.schema-{number}.json"), text)


def register_claims(study: Study, folder: Path, now: datetime | None = None) -> Ledger:
    """Note on disk the claims that a study makes, before it has results; gives the ledger.

    Raises:
        LedgerError: If an older file cannot be read.
        NewerSchemaError: As `read_ledger`.
    """
    ledger = read_ledger(folder)
    before = len(ledger.entries)
    ledger.register(study, now or datetime.now(UTC))
    if len(ledger.entries) > before:
        ledger.save(folder)
    return ledger


def digest_of(samples: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """Names what a look has looked at: canonical claim -> samples of each of its comparisons."""
    text = json.dumps({claim: samples[claim] for claim in sorted(samples)})
    return hashlib.sha256(text.encode()).hexdigest()[:16]
