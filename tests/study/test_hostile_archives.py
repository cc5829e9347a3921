"""Archives that are anything else than what `--archive` writes are refused."""

import dataclasses
import hashlib
import io
import json
import os
import random
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from archived import CLAIMED, LEDGER
from made_results import contents, main

from study.records.record import Artifact, Record

BLOCK = 64  # what mutations move


def unpack(content):
    """Name -> content, in order."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(members, **changes):
    """A zip of these; `changes` are attributes of the last entry."""
    stream = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "w") as archive:
        for at, (name, content) in enumerate(members, 1):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100644 << 16
            for key, value in changes.items() if at == len(members) else ():
                setattr(info, key, value)
            archive.writestr(info, content)
    return stream.getvalue()


def directory_of(content):
    """Position of the central directory, which the end of a file without comment names."""
    return int.from_bytes(content[-6:-2], "little")


def manifest_of(values):
    """A manifest of these values, whose checksum fits them: computed here, a second time."""
    content = {name: value for name, value in values.items() if name != "checksum"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return "manifest.json", json.dumps({**content, "checksum": digest}).encode()


def repack(members, files=None, **manifest):
    """An archive whose manifest fits its content, whatever that is; `files`: path -> content."""
    values = json.loads(members["manifest.json"])
    own = {name: content for name, content in members.items() if name in values["files"]}
    for path, content in (files or {}).items():
        own.pop(path, None)
        if content is not None:
            own[path] = content
    values["files"] = {
        path: [len(content), hashlib.sha256(content).hexdigest()] for path, content in own.items()
    }
    values |= manifest
    return pack([manifest_of(values), *own.items()])


def refused(here, content, words=""):
    """The command's line on an archive of this content, which leaves nothing behind."""
    (here / "bad.zip").write_bytes(content)
    before = contents(here)
    code, out, err = main("bad.zip", "--import")
    assert code == 2, out + err
    assert err.startswith("error: --import: bad.zip: ")
    assert len(err.splitlines()) == 1
    assert err.strip().isprintable()
    assert words in err, err
    assert contents(here) == before
    assert not (here / "results").exists()
    return err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"external_attr": 0o120777 << 16}, "is a symbolic link"),
        ({"external_attr": 0o040755 << 16}, "is a folder"),
        ({"external_attr": 0o020644 << 16}, "is not a plain file"),
        ({"external_attr": 0o010644 << 16}, "is not a plain file"),
        ({"external_attr": 0o104755 << 16}, "its directory is not as --archive writes it"),
        ({"filename": "study/folder/"}, "is a folder"),
        ({"compress_type": zipfile.ZIP_DEFLATED}, "is compressed"),
        ({"compress_type": zipfile.ZIP_BZIP2}, "is compressed"),
        ({"date_time": (2030, 1, 1, 0, 0, 0)}, "is not as --archive writes it"),
        ({"extra": b"\x99\x99\0\0"}, "is not as --archive writes it"),
        ({"comment": b"x"}, "its directory is not as --archive writes it"),
    ],
)
def test_entries_other_than_plain_files_are_refused(here, change, words):
    members = unpack(Path("order.zip").read_bytes())
    refused(here, pack([*members.items(), ("study/x.yaml", bytes(1 << 20))], **change), words)


def test_encrypted_entries_are_refused(here):
    content = bytearray(Path("order.zip").read_bytes())
    content[6] |= 1
    content[directory_of(content) + 8] |= 1
    refused(here, bytes(content), "is encrypted")


@pytest.mark.parametrize("name", ["study/ablations/ORDER.yaml", "study/e\u0301.yaml"])
def test_names_that_differ_by_case_or_unicode_form_are_refused(here, name):
    members = unpack(Path("order.zip").read_bytes())
    files = {"study/\u00e9.yaml": b"x", name: b"x"}
    refused(here, repack(members, files), "differ by case or Unicode form alone")


def test_a_tar_of_an_earlier_version_is_refused_by_name(here):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("manifest.json"))
    refused(here, stream.getvalue(), "is a tar file, which earlier versions wrote")


NAMES = [
    "../evil.json", "/etc/evil", "records/../../evil.json", "study/../../evil.yaml",
    "study/.hidden/x.yaml", "study//x.yaml", "study/a\\..\\b.yaml", "records/train-x.json",
    "artifacts/evil.npz", "artifacts/../records/x.npz", "leases/timing.1.json", "order/report.html",
    "study/a\nb.yaml", "study/\x1b[31m.yaml", "scaled/../x.json", "quick/records/x.json",
    "manifest", "attempts/a/b/checkpoint.pt", "features/x", "slurm/code/0/x.py", "studies/x.json",
    "",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_no_file_of_a_study_are_refused(here, name):
    members = unpack(Path("order.zip").read_bytes())
    values = json.loads(members["manifest.json"])
    values["files"][name] = [1, hashlib.sha256(b"x").hexdigest()]
    rest = [*list(members.items())[1:], (name or "x", b"x")]
    content = pack([manifest_of(values), *rest])
    refused(here, content, "is no name of a file of a study")


def test_sizes_that_are_not_there_are_refused(here):
    content = Path("order.zip").read_bytes()
    central = directory_of(content)
    for size in (0, 1 << 31, 0xFFFFFFFF, len(content) + 1):
        number = size.to_bytes(4, "little")
        false = bytearray(content)
        false[central + 24 : central + 28] = number
        refused(here, bytes(false))
        false[central + 20 : central + 24] = number
        refused(here, bytes(false))
        false[18:26] = 2 * number
        refused(here, bytes(false))
    for end in (0, 3, 30, central, central + 5, len(content) // 2, len(content) - 1):
        refused(here, content[:end])
    refused(here, content + b"x")
    refused(here, content + content[-22:])
    refused(here, b"x" + content)


def test_a_manifest_that_does_not_fit_is_refused(here):
    members = unpack(Path("order.zip").read_bytes())
    rest = list(members.items())[1:]
    values = json.loads(members["manifest.json"])
    for content in (b"", b"[]", b"{}", b"[" * 100_000, b'{"schema": 1}', b"\xff", b"1" * 10_000):
        refused(here, pack([("manifest.json", content), *rest]), "its manifest.json is not one")
    refused(here, pack(rest), "does not begin with a manifest.json")
    refused(here, repack(members, schema=2), "this version reads 1")
    refused(here, pack([*members.items(), rest[0]]), "is in it twice")
    refused(here, pack([*members.items(), ("more", b"")]), "is not named by its manifest.json")
    refused(here, pack([*members.items()][:-1]), "is not in it")
    for change in ([0, "x"], [10**30, "x"], ["1", "x"], None, [1]):
        files = {**values["files"], next(iter(values["files"])): change}
        refused(here, pack([manifest_of({**values, "files": files}), *rest]))
    (name, content), first = rest[0], ("manifest.json", members["manifest.json"])
    refused(here, pack([first, (name, content[:-1] + b"!"), *rest[1:]]), "checksum")


def a_record(here):
    """Its path in the archive, and the record."""
    members = unpack(Path("order.zip").read_bytes())
    path = min(p for p in json.loads(members["manifest.json"])["files"] if "records/train" in p)
    return members, path, Record.from_json(members[path].decode())


def test_a_record_goes_where_its_content_says_or_nowhere(here):
    members, path, record = a_record(here)
    other = dataclasses.replace(record, identity="0" * 64).to_json().encode()
    refused(here, repack(members, {path: other}), "holds another record than its name says")
    refused(here, repack(members, {path: b"{}"}), "not a whole record")
    refused(here, repack(members, {path: b"\xff"}), "utf-8")
    for place in ("../../etc/passwd", "/etc/passwd", f"artifacts/{'0' * 64}.{'0' * 16}.a.x.npz"):
        artifacts = {"predictions": Artifact(place, "0" * 64)}
        evil = dataclasses.replace(record, artifacts=artifacts).to_json().encode()
        refused(here, repack(members, {path: evil}), "which is no file of it")
    for change in (
        {"started": 7},
        {"seconds": "long"},
        {"status": "fine"},
        {"notes": ({"a": 1},)},
        {"environment": {"torch": ["x"]}},
    ):
        evil = dataclasses.replace(record, **change).to_json().encode()
        refused(here, repack(members, {path: evil}), f"{path}: ")


def test_files_of_records_are_those_that_records_name(here):
    members, _, record = a_record(here)
    path = record.artifacts["predictions"].path
    refused(here, repack(members, {path: b"other numbers"}), "is not what a record in the archive")
    more = path.replace("predictions", "more")
    refused(here, repack(members, {more: b"x"}), "is not what a record in the archive names")


@pytest.mark.parametrize(
    ("files", "study", "words"),
    [
        ({"study/ablations/base.yaml": None}, {}, "no such file"),
        ({"study/ablations/order.yaml": b"question: {"}, {}, "order.yaml"),
        ({"study/ablations/order.yaml": b"extends: /etc/hostname\n"}, {}, ""),
        ({"study/ablations/order.yaml": b"extends: ../../../../../etc/hostname\n"}, {}, ""),
        ({"study/ablations/order.yaml": b"\xff"}, {}, "is not UTF-8"),
        ({"study/ablations/order.yaml": b" " * (1 << 20) + b"#"}, {}, "more than 1,048,576"),
        ({"study/ablations/order.yaml/x": b"x"}, {}, "is a file and a folder"),
        ({}, {"main": "ablations/records.yaml"}, ""),
        ({}, {"main": "../order.yaml"}, ""),
        ({}, {"digest": "0" * 64}, "is not the text that was run"),
        ({}, {"overrides": ["train.epochs=x"]}, ""),
        ({}, {"device": "abacus"}, ""),
        ({}, {"quick": "no"}, ""),
        ({}, {"quick": True}, "import it with --quick"),
        ({"study/ablations/records.yaml": b"question: Q?"}, {"main": "ablations/records.yaml"},
         "is no name of a study file"),
        ({"study/order.yaml": CLAIMED.encode()}, {"main": "order.yaml"}, ""),
        ({"report/claims.json": b"{}"}, {}, "its history of claims is not whole"),
        ({"report/claims.json": json.dumps({**LEDGER, "entries": [{"claim": 1}]}).encode()}, {},
         "its history of claims is not whole"),
    ],
)  # fmt: skip
def test_a_study_that_cannot_be_planned_from_the_archive_alone_is_refused(
    here, files, study, words
):
    members = unpack(Path("order.zip").read_bytes())
    said = {**json.loads(members["manifest.json"])["study"], **study}
    refused(here, repack(members, files, study=said), words)


def test_a_study_that_extends_a_file_of_this_machine_is_refused(here):
    members = unpack(Path("order.zip").read_bytes())
    (here / "base.yaml").write_text(CLAIMED, "utf-8")
    text = f"extends: {here}/base.yaml\n"
    digest = hashlib.sha256(f"{text}\0{CLAIMED}".encode()).hexdigest()
    said = {**json.loads(members["manifest.json"])["study"], "digest": digest}
    content = repack(members, {"study/ablations/order.yaml": text.encode()}, study=said)
    refused(here, content, "extends a file that is not in the archive")


def test_what_is_no_archive_is_refused(here):
    for content in (b"", b"x", bytes(BLOCK), bytes(10 * BLOCK), b"\x1f\x8b" + bytes(600)):
        refused(here, content)
    os.mkfifo(here / "pipe.zip")
    for name, words in (("pipe.zip", "is no file"), (".", "is no file"), ("gone", "no such file")):
        code, _, err = main(name, "--import")
        assert code == 2
        assert words in err


def mutated(content, draw):
    """One to three changes of bytes, blocks or the length."""
    content = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(content))
        block = at // BLOCK * BLOCK
        match draw.randrange(6):
            case 0:
                content[at] ^= 1 << draw.randrange(8)
            case 1:
                content[at:] = b""
            case 2:
                content[block : block + BLOCK] = b""
            case 3:
                content[block:block] = content[:BLOCK]
            case 4:
                content[at : at + 8] = draw.randbytes(8)
            case 5:
                other = draw.randrange(len(content)) // BLOCK * BLOCK
                content[block : block + BLOCK] = content[other : other + BLOCK]
        content = content or bytearray(1)
    return bytes(content)


@pytest.mark.parametrize("part", range(3))
def test_a_damaged_archive_is_one_line_or_the_same_content(origin, here, part):
    whole = (origin / "order.zip").read_bytes()
    draw = random.Random(part)
    for _ in range(60):
        content = mutated(whole, draw)
        if content != whole:
            refused(here, content)
