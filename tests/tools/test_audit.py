"""Failures of `make audit`, with a stand-in for the program that asks PyPI."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

LOCK = """\
# made by: make lock
numpy==2.4.6 \\
    --hash=sha256:aa
    # via torch
Jinja2==3.1.6 ; sys_platform == "linux" \\
    --hash=sha256:bb \\
    --hash=sha256:cc
"""
NOTHING = "reviewed = 2026-01-01\n"
CVE = {"id": "PYSEC-2026-7", "aliases": ["CVE-2026-7"], "fix_versions": ["3.1.7"]}


def advisory(affected, reason="", name="PYSEC-2026-7"):
    text = f'[[advisory]]\npackage = "jinja2"\nid = "{name}"\naffected = "{affected}"\n'
    return NOTHING + text + (f'reason = "{reason}"\n' if reason else "")


def answering(*known, unknown=()):
    """A program that answers as pip-audit does: numpy is fine, jinja2 has the known advisories."""
    jinja2 = {"name": "jinja2", "version": "3.1.6", "vulns": [*known]}
    skipped = [{"name": name, "skip_reason": "not on PyPI"} for name in unknown]
    fine = {"name": "numpy", "version": "2.4.6", "vulns": []}
    return f"print({json.dumps({'dependencies': [fine, jinja2, *skipped], 'fixes': []})!r})"


UNREACHABLE = "import sys; sys.exit('ERROR: Could not connect to the vulnerability feed')"


@pytest.fixture
def audit(tmp_path, root):
    def run(program, recorded=NOTHING, *options):
        if program:
            (tmp_path / "pip-audit").write_text(f"#!{sys.executable}\n{program}\n", "utf-8")
            (tmp_path / "pip-audit").chmod(0o755)
        (tmp_path / "requirements.lock").write_text(LOCK, "utf-8")
        (tmp_path / "advisories.toml").write_text(recorded, "utf-8")
        files = ("--lock", "requirements.lock", "--advisories", "advisories.toml")
        command = [sys.executable, str(root / "tools" / "audit.py"), "./pip-audit"]
        return subprocess.run(
            [*command, *files, *options], cwd=tmp_path, capture_output=True, text=True
        )

    return run


def test_pins_that_nothing_is_known_of_pass(audit):
    done = audit(answering())

    assert done.returncode == 0
    assert done.stdout.startswith("PyPI was asked about 2 pins\n")


def test_a_vulnerable_pin_without_a_reason_fails_in_a_line_that_says_what_to_do(audit):
    done = audit(answering(CVE))

    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("vulnerable")]
    assert line == (
        "vulnerable: jinja2 3.1.6: PYSEC-2026-7 CVE-2026-7, fixed in 3.1.7: "
        "raise the pin, or record a reason in advisories.toml"
    )


@pytest.mark.parametrize("name", ["PYSEC-2026-7", "CVE-2026-7"])
def test_a_vulnerable_pin_with_a_reason_passes_and_the_reason_is_told(audit, name):
    done = audit(answering(CVE), advisory("<3.1.7", "no template of a stranger", name))

    assert done.returncode == 0
    assert "kept: jinja2 3.1.6: " in done.stdout
    assert ": no template of a stranger\n" in done.stdout


@pytest.mark.parametrize(
    "recorded",
    [advisory("<3.1.6", "of an older pin"), advisory("<3.1.7", "of another", "PYSEC-2026-8")],
    ids=["of other versions", "of another advisory"],
)
def test_a_reason_holds_for_its_advisory_and_versions_alone(audit, recorded):
    assert audit(answering(CVE), recorded).returncode == 1


@pytest.mark.parametrize(
    ("recorded", "code"),
    [
        (NOTHING, 0),
        (advisory("<3.1.7"), 1),
        (advisory("<3.1.6"), 0),
        (advisory("<3.1.7", "no template of a stranger"), 0),
    ],
    ids=["nothing known", "no reason", "raised", "a reason"],
)
def test_without_an_answer_the_recorded_advisories_decide(audit, recorded, code):
    done = audit(UNREACHABLE, recorded)

    assert done.returncode == code
    assert done.stdout.splitlines()[0] == (
        "PyPI was not asked (ERROR: Could not connect to the vulnerability feed); "
        "it never has been; advisories recorded up to 2026-01-01 stand in for it"
    )


# The answer of pip-audit 2.10.1 about an index that serves packages alone; its exit code was 0.
UNKNOWN = {
    "name": "numpy",
    "skip_reason": "Dependency not found on PyPI and could not be audited: numpy (2.4.6)",
}


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (None, "pip-audit is not there"),
        (
            f"print({json.dumps({'dependencies': [UNKNOWN], 'fixes': []})!r})",
            "this index tells no vulnerabilities of any pin",
        ),
    ],
    ids=["no program", "an index without vulnerabilities"],
)
def test_what_cannot_answer_is_no_answer(audit, program, why):
    done = audit(program)

    assert done.returncode == 0
    assert done.stdout.startswith(f"PyPI was not asked ({why}); ")


def test_an_answer_is_recorded_where_that_was_asked_for(tmp_path, audit):
    audit(answering(), advisory("<3"), "--record")
    recorded = (tmp_path / "advisories.toml").read_text("utf-8")
    again = audit(answering(), recorded, "--record")
    offline = audit(UNREACHABLE, recorded, "--record")
    kept = (tmp_path / "advisories.toml").read_text("utf-8")

    today = datetime.now(UTC).date().isoformat()
    assert f"it last was on {today}, about these very pins; " in offline.stdout
    assert recorded.endswith(advisory("<3").removeprefix(NOTHING))
    assert kept == recorded  # no answer is not recorded as one
    assert again.returncode == 0
    assert recorded.count("answered = ") == recorded.count("pins = ") == 1


def test_an_answer_about_other_pins_is_told_as_that(audit):
    recorded = NOTHING + 'answered = 2026-02-01\npins = "0123456789abcdef"\n'

    out = audit(UNREACHABLE, recorded).stdout

    assert "; it last was on 2026-02-01, about other pins than these; " in out


def test_what_pypi_does_not_have_is_named(audit):
    assert "PyPI tells nothing of: ours\n" in audit(answering(unknown=["ours"])).stdout


@pytest.mark.parametrize(
    ("recorded", "line"),
    [
        ('pins = "x"', "reviewed: is missing"),
        ("reviewed = ", "Invalid value"),
        (NOTHING + "more = 1", "more: unknown key (allowed: advisory, answered, pins, reviewed)"),
        (advisory("<3").replace("id =", "name ="), "advisory 1: id: is missing"),
        (advisory("three"), "advisory 1: affected: Invalid specifier: 'three'"),
        (advisory("<3") + "reason = 1", "advisory 1: reason: expected text, got 1"),
    ],
)
def test_a_wrong_record_is_an_error_of_one_line(audit, recorded, line):
    done = audit(answering(), recorded)

    assert done.returncode == 2
    assert done.stderr.startswith("error: advisories.toml: ")
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
