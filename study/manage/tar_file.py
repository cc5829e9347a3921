"""Tar files of plain files alone: the same content is the same bytes, and nothing else is read.

A header is read only if it is, byte for byte, the one that would be written for its name and size
(POSIX ustar, no owner, no time). So there are no links, devices, folders, sparse files, extensions
or second meanings, and a file of that kind is refused before anything of it is used.
"""

import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 512
END = bytes(2 * BLOCK)
MOST_MEMBERS = 1_000_000
KINDS = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device",
    b"5": "a folder", b"6": "a pipe", b"L": "a long name", b"K": "a long link",
    b"S": "a sparse file", b"x": "an extended header", b"g": "a global header",
}  # fmt: skip


class TarError(ValueError):
    """Not such a file; its text says where and why."""


@dataclass(frozen=True)
class Member:
    """Where the content of a file begins in the archive, and its bytes."""

    offset: int
    size: int


def header_of(name: str, size: int) -> bytes:
    """The header of a plain file.

    Raises:
        TarError: If the format has no room for the name or the size.
    """
    info = tarfile.TarInfo(name)
    info.size = size
    try:
        return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
    except (ValueError, UnicodeError) as error:
        raise TarError(f"{name!r} ({size:,} bytes) does not fit the format: {error}") from None


def padding_of(size: int) -> bytes:
    """What fills the last block of a content."""
    return bytes(-size % BLOCK)


def read_members(stream: BinaryIO) -> Mapping[str, Member]:
    """Name -> where it is, in the order of the file; every byte between contents is checked.

    Raises:
        TarError: If the file is anything that is not written here.
    """
    length = stream.seek(0, os.SEEK_END)
    found: dict[str, Member] = {}
    at = 0
    while True:
        stream.seek(at)
        header = stream.read(BLOCK)
        if header == END[:BLOCK]:
            break
        name, size = _read_header(header, at)
        end = at + BLOCK + size + len(padding_of(size))
        if end > length:
            raise TarError(f"{name!r} says {size:,} bytes, more than the file has left")
        if name in found:
            raise TarError(f"{name!r} is in it twice")
        if len(found) == MOST_MEMBERS:
            raise TarError(f"holds more than {MOST_MEMBERS:,} files")
        stream.seek(at + BLOCK + size)
        if stream.read(end - at - BLOCK - size) != padding_of(size):
            raise TarError(f"something is hidden behind {name!r}")
        found[name] = Member(at + BLOCK, size)
        at = end
    if length != at + len(END) or stream.read() != END[BLOCK:]:
        raise TarError("something stands behind its end, or its end is cut off")
    return found


def _read_header(header: bytes, at: int) -> tuple[str, int]:
    if len(header) < BLOCK:
        raise TarError(f"it is cut off at byte {at:,}" if at else "is no archive of a study")
    try:
        parts = [header[a:b].rstrip(b"\0").decode("utf-8") for a, b in ((345, 500), (0, 100))]
        name = "/".join(part for part in parts if part)
        size = int(header[124:135], 8)
        is_ours = header == header_of(name, size)
    except (ValueError, UnicodeError):  # TarError too
        what = f"there is no header of a file at byte {at:,}"
        raise TarError(what if at else "is no archive of a study") from None
    if not is_ours:
        kind = KINDS.get(header[156:157])
        if kind:
            raise TarError(f"{name!r} is {kind}; an archive of a study holds plain files alone")
        raise TarError(f"the header of {name!r} is not as --archive writes it")
    return name, size
