"""Zip files of plain, uncompressed files: the same content is the same bytes.

The reader accepts only the bytes that the writer would have written for the same names, sizes and
CRCs. Links, folders, compression, encryption, comments, gaps and data before or after are refused.
"""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from study.spec.study import StudyError

MOST_MEMBERS = 1_000_000
TAR_MAGIC = 257, b"ustar"  # offset in the file, content


@dataclass(frozen=True)
class Member:
    """Position and length of a file's content in the archive."""

    offset: int
    size: int


def member_info(name: str, size: int) -> zipfile.ZipInfo:
    """Entry of a plain file, without time and owner."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3  # Unix, on every system
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.file_size = info.compress_size = size
    return info


def read_members(stream: BinaryIO) -> Mapping[str, Member]:
    """Map names to members, in the order of the file; check every byte between contents.

    Raises:
        StudyError: If the file is not as the writer would write it.
    """
    length = stream.seek(0, os.SEEK_END)
    entries = _read_directory(stream)
    members: dict[str, Member] = {}
    tail = _Tail(0)
    directory = zipfile.ZipFile(tail, "w")  # writes, when closed, the directory of its entries
    for entry in entries:
        _check_kind(entry)
        if entry.filename in members:
            raise StudyError(f"{entry.filename!r} is in it twice")
        info = member_info(entry.filename, entry.file_size)
        info.CRC, info.header_offset = entry.CRC, tail.start
        header = info.FileHeader(zip64=entry.file_size * 1.05 > zipfile.ZIP64_LIMIT)
        stream.seek(tail.start)
        if stream.read(len(header)) != header:
            raise StudyError(f"the header of {entry.filename!r} is not as --archive writes it")
        members[entry.filename] = Member(tail.start + len(header), entry.file_size)
        tail.start += len(header) + entry.file_size
        if tail.start > length:
            raise StudyError(f"{entry.filename!r} has more bytes than the file has left")
        directory.filelist.append(info)
    directory.start_dir = tail.start
    directory.close()
    stream.seek(tail.start)
    if stream.read(len(tail.content) + 1) != tail.content:
        raise StudyError("its directory is not as --archive writes it")
    return members


class _Tail(io.RawIOBase):
    """A file that begins at `start` and keeps what is written to it."""

    def __init__(self, start: int) -> None:
        self.start, self.content = start, bytearray()

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Append bytes."""
        self.content += data
        return len(data)

    def tell(self) -> int:
        """Return the position that a file of the whole archive would have."""
        return self.start + len(self.content)


def _read_directory(stream: BinaryIO) -> list[zipfile.ZipInfo]:
    offset, magic = TAR_MAGIC
    stream.seek(offset)
    if stream.read(len(magic)) == magic:
        raise StudyError("is a tar file, which earlier versions wrote; --archive writes zip files")
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error):
        raise StudyError("is no archive of a study, or is cut off or damaged") from None
    if len(entries) > MOST_MEMBERS:
        raise StudyError(f"holds more than {MOST_MEMBERS:,} files")
    return entries


def _check_kind(entry: zipfile.ZipInfo) -> None:
    """Refuse, with the reason, entries that are not plain files."""
    mode = stat.S_IFMT(entry.external_attr >> 16)
    reasons = {
        "is encrypted": entry.flag_bits & 0x1,
        "is compressed": entry.compress_type != zipfile.ZIP_STORED,
        "is a folder": entry.is_dir() or mode == stat.S_IFDIR,
        "is a symbolic link": mode == stat.S_IFLNK,
        "is not a plain file": mode != stat.S_IFREG,
        "has two sizes": entry.compress_size != entry.file_size,
    }
    for reason, is_true in reasons.items():
        if is_true:
            raise StudyError(
                f"{entry.filename[:200]!r} {reason}; an archive holds plain files alone"
            )
