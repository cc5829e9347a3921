"""Known vulnerabilities of the pins in requirements.lock: `make audit`.

    python tools/audit.py build/tools/bin/pip-audit

pip-audit asks PyPI about every pin. Where that gives no answer, one line says so. Either way the
pins are held against the advisories of tools/advisories.toml, too. An advisory that affects a pin
fails the audit, unless a reason to keep the pin is recorded there.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 300
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)

Pins = Mapping[str, str]  # canonical name -> version


class AuditError(ValueError):
    """A file that cannot be used; its text says where and why."""


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability.

    Attributes:
        package: Canonical name.
        ids: Its names, as "PYSEC-2025-1" and "CVE-2025-1".
        affected: Versions that have it, as PEP 440 writes them; of an answer, the pin alone.
        reason: Why a pin that has it is kept; "" where there is none.
        fixed: Versions without it, where an answer told them.
    """

    package: str
    ids: tuple[str, ...]
    affected: str
    reason: str = ""
    fixed: tuple[str, ...] = ()

    def affects(self, pins: Pins) -> bool:
        """True if a pin has it."""
        pin = pins.get(self.package)
        return pin is not None and SpecifierSet(self.affected).contains(pin, prereleases=True)

    def is_same(self, other: "Advisory") -> bool:
        """True if they share a name."""
        return self.package == other.package and not set(self.ids).isdisjoint(other.ids)


@dataclass(frozen=True)
class Recorded:
    """What tools/advisories.toml holds.

    Attributes:
        reviewed: The day a person last went over the advisories.
        answered: The day PyPI last answered; "" if it never has.
        pins: Names those it was asked about.
        advisories: What is known.
    """

    reviewed: str
    answered: str
    pins: str
    advisories: tuple[Advisory, ...]

    def in_words(self, pins: Pins) -> str:
        """When PyPI last answered, and about what."""
        if not self.answered:
            return "it never has been"
        which = "these very pins" if self.pins == digest_of(pins) else "other pins than these"
        return f"it last was on {self.answered}, about {which}"


@dataclass(frozen=True)
class Answer:
    """What PyPI knows of the pins, and the packages that it tells nothing of."""

    advisories: tuple[Advisory, ...]
    unknown: tuple[str, ...]


def read_pins(path: Path) -> dict[str, str]:
    """What a lock file pins.

    Raises:
        AuditError: If it pins nothing.
    """
    found = PIN.findall(path.read_text("utf-8"))
    if not found:
        raise AuditError(f"{path}: pins nothing")
    return {canonicalize_name(name): version for name, version in found}


def digest_of(pins: Pins) -> str:
    """Names a set of pins."""
    text = "\n".join(f"{name}=={pins[name]}" for name in sorted(pins))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_recorded(path: Path) -> Recorded:
    """The recorded advisories.

    Raises:
        AuditError: If a key is missing, unknown or no text, or versions are not PEP 440.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise AuditError(f"{path}: {error}") from None
    _check_keys(values, {"reviewed"}, {"answered", "pins", "advisory"}, str(path))
    entries = values.get("advisory", [])
    found = [_advisory(one, f"{path}: advisory {n}") for n, one in enumerate(entries, start=1)]
    reviewed, answered, pins = (str(values.get(k, "")) for k in ("reviewed", "answered", "pins"))
    return Recorded(reviewed, answered, pins, tuple(found))


def _advisory(entry: Mapping[str, Any], where: str) -> Advisory:
    _check_keys(entry, {"package", "id", "affected"}, {"reason"}, where)
    if wrong := [name for name, value in entry.items() if not isinstance(value, str)]:
        raise AuditError(f"{where}: {wrong[0]}: expected text, got {entry[wrong[0]]!r}")
    try:
        SpecifierSet(entry["affected"])
    except InvalidSpecifier as error:
        raise AuditError(f"{where}: affected: {error}") from None
    name = canonicalize_name(entry["package"])
    return Advisory(name, (entry["id"],), entry["affected"], entry.get("reason", "").strip())


def _check_keys(values: Mapping[str, Any], needed: set[str], more: set[str], where: str) -> None:
    if wrong := sorted(needed - values.keys()):
        raise AuditError(f"{where}: {wrong[0]}: is missing")
    if wrong := sorted(values.keys() - needed - more):
        allowed = ", ".join(sorted(needed | more))
        raise AuditError(f"{where}: {wrong[0]}: unknown key (allowed: {allowed})")


def ask(pip_audit: Path, lock: Path) -> Answer | str:
    """What PyPI answers about the pins of a lock file; in words why there is no answer."""
    if not pip_audit.is_file():
        return f"{pip_audit} is not there"
    options = ("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off")
    command = [str(pip_audit.absolute()), "--requirement", str(lock), *options, "--timeout", "15"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"pip-audit took more than {TIMEOUT_S} s"
    try:
        return _answer(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError, TypeError):
        lines = done.stderr.strip().splitlines() or ["pip-audit said nothing"]
        return lines[-1][:300]


def _answer(dependencies: Sequence[Mapping[str, Any]]) -> Answer | str:
    found = [
        Advisory(
            canonicalize_name(one["name"]),
            (known["id"], *known.get("aliases", ())),
            f"=={one['version']}",
            fixed=tuple(known["fix_versions"]),
        )
        for one in dependencies
        for known in one.get("vulns", ())
    ]
    unknown = [one["name"] for one in dependencies if "skip_reason" in one]
    if len(unknown) == len(dependencies):  # pip-audit calls this "no known vulnerabilities found"
        return "this index tells no vulnerabilities of any pin"
    return Answer(tuple(found), tuple(unknown))


def judge(
    pins: Pins, known: Sequence[Advisory], recorded: Sequence[Advisory]
) -> tuple[list[Advisory], list[Advisory]]:
    """Advisories that affect a pin: those without a recorded reason, and those with one.

    Args:
        pins: Of the lock file.
        known: What PyPI told.
        recorded: What tools/advisories.toml holds; what has a reason there has it in `known`, too.
    """
    affecting = [one for one in recorded if one.affects(pins)]
    affecting += [one for one in known if not any(one.is_same(other) for other in affecting)]
    without = [one for one in affecting if not one.reason]
    return without, [one for one in affecting if one.reason]


def record(path: Path, pins: Pins) -> None:
    """Note that PyPI has answered today about these pins, before the first advisory."""
    text = re.sub(r"(?m)^(answered|pins) = .*\n", "", path.read_text("utf-8"))
    now = f'answered = {datetime.now(UTC).date()}\npins = "{digest_of(pins)}"\n'
    path.write_text(re.sub(r"(?m)^(reviewed = .*\n)", rf"\g<1>{now}", text), "utf-8")


def audit(pip_audit: Path, lock: Path, advisories: Path, may_record: bool) -> int:
    """Print what is known; 1 if an advisory without a reason affects a pin, else 0.

    Raises:
        AuditError: If a file cannot be used.
    """
    pins, recorded = read_pins(lock), read_recorded(advisories)
    answer = ask(pip_audit, lock)
    if isinstance(answer, str):
        listed = f"advisories recorded up to {recorded.reviewed} stand in for it"
        print(f"PyPI was not asked ({answer}); {recorded.in_words(pins)}; {listed}")
        answer = Answer((), ())
    else:
        print(f"PyPI was asked about {len(pins)} pins")
        if may_record:
            record(advisories, pins)
    if answer.unknown:
        print(f"PyPI tells nothing of: {', '.join(answer.unknown)}")
    without, kept = judge(pins, answer.advisories, recorded.advisories)
    for one in kept:
        print(f"kept: {one.package} {pins[one.package]}: {one.ids[0]}: {one.reason}")
    for one in without:
        fixed = f", fixed in {', '.join(one.fixed)}" if one.fixed else ""
        what = f"{one.package} {pins[one.package]}: {' '.join(one.ids)}{fixed}"
        print(f"vulnerable: {what}: raise the pin, or record a reason in {advisories.name}")
    print(f"{len(without)} of {len(without) + len(kept)} known vulnerabilities have no reason")
    return int(bool(without))


def main(argv: Sequence[str] | None = None) -> int:
    """0: no pin is known to be vulnerable without a reason; 1: one is; 2: a file is wrong."""
    parser = argparse.ArgumentParser(prog="tools/audit.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("pip_audit", type=Path, help="the program, of an environment of its own")
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock")
    parser.add_argument("--advisories", type=Path, default=ROOT / "tools" / "advisories.toml")
    parser.add_argument("--record", action="store_true", help="note the day and pins of an answer")
    args = parser.parse_args(argv)
    try:
        return audit(args.pip_audit, args.lock, args.advisories, args.record)
    except (AuditError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
