"""The two containers of torch.save: a zip archive (torch 1.6 and newer), or pickles and raw data.

Both are read here and not by torch.load, which either refuses a file that holds one object of an
unknown class (`weights_only=True`) or runs what the file says.
"""

import io
import mmap
import re
import struct
import sys
import zipfile
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor

from vlf.weights.pickled import Unpickler

MAGIC = 0x1950A86A20F9469CFC6C  # the first of the old container's pickles
OLD_VERSION = 1001
OTHERS = {  # how other files begin, and what they are
    b"\x1f\x8b": "is compressed with gzip; unpack it",
    b"BZh": "is compressed with bzip2; unpack it",
    b"\xfd7zXZ": "is compressed with xz; unpack it",
    b"\x89HDF": "is an HDF5 file, not one of torch.save",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file; fetch it with git lfs pull",
    b"<": "is a web page or XML, not a weight file; download it again",
}


def read_torch_file(path: Path) -> Any:
    """Read a file of torch.save, with tensors on the CPU; anything else in it is inert.

    Raises:
        ValueError: If it is another kind of file, or does not hold what its own tables say.
        Exception: Whatever the readers of zip files and pickles raise for a damaged one.
    """
    with path.open("rb") as file:
        head = file.read(512)
        if not head:
            raise ValueError("the file is empty")
        if head[257:262] == b"ustar":
            raise ValueError("is a tar archive; unpack it and name the weight file in it")
        for start, what in OTHERS.items():
            if head.startswith(start):
                raise ValueError(what)
        if head.startswith(b"PK"):
            return _read_zip(file)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _read_old(content)


def _read_zip(file: IO[bytes]) -> Any:
    budget = _Budget(file.seek(0, io.SEEK_END))
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        pickles = [name for name in names if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(pickles) != 1:
            raise ValueError("is a zip archive, but not one of torch.save")
        root = pickles[0].removesuffix("data.pkl")
        if f"{root}constants.pkl" in names:
            raise ValueError("is a TorchScript program; save model.state_dict() instead")
        order = f"{root}byteorder"
        swapped = order in names and _record(archive, order, budget) != sys.byteorder.encode()
        loaded: dict[str, Tensor] = {}

        def load_storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
            if key not in loaded:
                data = _record(archive, f"{root}data/{key}", budget)
                loaded[key] = _elements(data, dtype, swapped)
            if loaded[key].dtype != dtype or len(loaded[key]) != count:
                raise ValueError(f"data/{key} does not hold {count} values of {dtype}")
            return loaded[key]

        return Unpickler(io.BytesIO(_record(archive, pickles[0], budget)), load_storage).load()


def _record(archive: zipfile.ZipFile, name: str, budget: "_Budget") -> bytearray:
    """The bytes of a record, checked against its checksum."""
    record = archive.getinfo(name)
    if record.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed, which torch.save never does")
    budget.spend(record.file_size)
    data = bytearray(record.file_size)
    with archive.open(record) as stream:
        read = cast(io.BufferedIOBase, stream).readinto(data)
    if read != len(data):
        raise ValueError(f"{name} is cut off")
    return data


def _read_old(content: mmap.mmap) -> Any:
    budget = _Budget(len(content))
    pending: dict[str, Tensor] = {}

    def load_storage(key: str, dtype: torch.dtype, count: int) -> Tensor:
        if key not in pending:
            budget.spend(count * dtype.itemsize)
            pending[key] = torch.zeros(count, dtype=dtype)
        if pending[key].dtype != dtype or len(pending[key]) != count:
            raise ValueError(f"storage {key} does not hold {count} values of {dtype}")
        return pending[key]

    def load() -> Any:
        return Unpickler(cast(IO[bytes], content), load_storage).load()

    try:
        magic = load()
    except Exception:  # the unpickler may raise anything for what is no pickle
        magic = None
    if magic != MAGIC or load() != OLD_VERSION:
        raise ValueError("is not a file of torch.save")
    system = load()
    little = not isinstance(system, dict) or system.get("little_endian", True)
    result, keys = load(), load()
    for key in keys if isinstance(keys, list) else []:
        _read_old_storage(content, pending, str(key), bool(little))
    if pending:
        raise ValueError(f"storage {next(iter(pending))} is missing; the file is cut off")
    return result


def _read_old_storage(
    content: mmap.mmap, pending: dict[str, Tensor], key: str, little: bool
) -> None:
    """Fill a storage that tensors already view: a count of elements, then the elements."""
    if key not in pending:
        raise ValueError(f"storage {key} is of a type that is not known")
    flat = pending.pop(key)
    (count,) = struct.unpack("<q" if little else ">q", content.read(8))
    data = bytearray(content.read(flat.nbytes))
    if count != len(flat) or len(data) != flat.nbytes:
        raise ValueError(f"storage {key} is cut off")
    flat.copy_(_elements(data, flat.dtype, little != (sys.byteorder == "little")))


def _elements(data: bytearray, dtype: torch.dtype, swapped: bool) -> Tensor:
    if len(data) % dtype.itemsize:
        raise ValueError(f"{len(data)} bytes are no whole number of {dtype} values")
    if not data:
        return torch.zeros(0, dtype=dtype)
    flat = torch.frombuffer(data, dtype=dtype)
    if swapped:
        flat.untyped_storage().byteswap(dtype)  # type: ignore[no-untyped-call]
    return flat


class _Budget:
    """Bytes that may be read: no file of torch.save holds more than its own size."""

    def __init__(self, size: int) -> None:
        self.left = size

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueError("claims to hold more data than the file has bytes")
