"""Videos as small JPEG frames, one file a video: read many times faster than H.264 is decoded.

`python -m vlf.data.pack` makes a folder of

    train.txt, val.txt, test.txt, classes.txt   as `video_list` has them
    index.jsonl                                 settings, then a line a video, sorted by its name
    videos/NAME.pack                            the frames of the video NAME

A .pack file is its frames' JPEGs one after the other, then N + 1 offsets of where they begin and
end (64 bits, little endian), then N (as wide), then MAGIC. Frame i is the i-th of the dataset that
was packed, so lists hold for both. Pillow and simplejpeg (the extra `jpeg`, about twice as fast)
decode with the same library at its exact settings and give the same pixels.

Shapes: N frames of a video, H and W pixels as packed.
"""

import dataclasses
import hashlib
import io
import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
from PIL import Image

from vlf.config import ConfigError, ListedData, PackedConfig
from vlf.data import Split
from vlf.data.datasets.annotations import open_root
from vlf.data.datasets.listed_clips import Item, ListedClips
from vlf.data.datasets.video_list import read_classes, read_list
from vlf.data.readers.container import VideoError
from vlf.data.readers.films import Film
from vlf.data.readers.picture import Frames
from vlf.data.sampling import Indices
from vlf.data.transforms import resize_frames

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

FORMAT = 2  # 1 had pictures that were hidden, on their side or of another stream
MAGIC = b"vlfpack1"
Chroma = Literal["half", "full"]
T = TypeVar("T")


@dataclass(frozen=True)
class Packing:
    """Settings of a packed folder.

    Attributes:
        size: Short side, in pixels; a smaller video keeps its own.
        quality: Of the JPEGs, 1 to 100.
        chroma: Colour at "half" the resolution each way (4:2:0), or at "full" (4:4:4).
        format: Of files and index.
    """

    size: int
    quality: int = 90
    chroma: Chroma = "half"
    format: int = FORMAT


@dataclass(frozen=True)
class Entry:
    """One packed video.

    Attributes:
        frames: N.
        height: H.
        width: W.
        bytes: Of its .pack file.
        sha256: Of its .pack file.
        source_bytes: Of the video that it was made from.
    """

    frames: int
    height: int
    width: int
    bytes: int
    sha256: str
    source_bytes: int


@dataclass(frozen=True)
class PackFile:
    """The frames of one .pack file, by number; a `Film`.

    Attributes:
        path: Of the file.
        entry: Its line of the index.
    """

    path: Path
    entry: Entry

    def count(self) -> int:
        """Number of frames in the index."""
        return self.entry.frames

    def decode(self, numbers: Indices) -> Frames:
        """Each frame once."""
        return read_pack(self.path, self.entry, numbers)

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """One by one."""
        for number in range(start, end):
            yield self.decode(np.array([number]))[0]


class Packed(ListedClips):
    """One split of a packed folder; the operating system keeps in memory what is read often.

    Raises:
        ConfigError: As `VideoList`; if the index is missing or a line of it cannot be read, or a
            list names what is not packed.
    """

    def __init__(self, config: PackedConfig, split: Split) -> None:
        packs = Packs(open_root(config) / config.index, "data.index", config.path_of)
        items, notes = read_list(config, split)
        items = packs.look_up(items, config, split)
        super().__init__(
            config, split, read_classes(config), items, packs.open, notes, cache_bytes=0
        )


class Packs:
    """Packed videos of a folder.

    Args:
        index: Its index.
        key: Of the config, for messages.
        path_of: Where the frames of a name are.

    Raises:
        ConfigError: If the index is missing or a line of it cannot be read.
    """

    def __init__(self, index: Path, key: str, path_of: Callable[[str], Path]) -> None:
        try:
            _, entries = read_index(index)
        except VideoError as error:
            raise ConfigError(key, str(error)) from None
        self._index = index
        self._entries = {path_of(name): entry for name, entry in entries.items()}

    def open(self, item: Item) -> Film:
        """The frames of an item that was found."""
        return PackFile(item.path, self._entries[item.path])

    def look_up(self, items: Iterable[Item], config: ListedData, split: Split) -> list[Item]:
        """The items, missing if they are not in the index.

        Raises:
            ConfigError: With `bad: fail`, if one is there and not in the index, or is too short.
        """
        looked_up = []
        for item in items:
            entry, fault = self._entries.get(item.path), ""
            if not item.missing and entry is None:
                fault = f'"{item.path}" is not in {self._index.name}'
                missing = f'line of {self._index.name}: "{item.path}"'
                item = dataclasses.replace(item, missing=missing)
            elif entry and item.end is not None and item.end > entry.frames:
                asked = f"frame {item.end - 1} was asked for"
                fault = f'"{item.path}" has {entry.frames} frames; {asked}'
            if fault and config.bad == "fail":
                raise ConfigError(f"data.{split}", f"{item.where}: {fault}")
            looked_up.append(item)
        return looked_up


def write_pack(path: Path, frames: Iterable[Frames], packing: Packing, source_bytes: int) -> Entry:
    """Write (H, W, 3) uint8 frames, of any size, as a .pack file; whole or not at all.

    Raises:
        VideoError: If there is no frame, or not all have one size.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    offsets, digest, shape = [0], hashlib.sha256(), (0, 0)
    with part.open("wb") as file:
        for frame in frames:
            side = min(packing.size, *frame.shape[:2])  # larger would be no finer
            small = resize_frames(frame[None], side)[0].permute(1, 2, 0).numpy()
            if len(offsets) > 1 and small.shape[:2] != shape:
                raise VideoError("changes its frame size on the way")
            shape = small.shape[0], small.shape[1]
            jpeg = _encode(small, packing)
            digest.update(jpeg)
            file.write(jpeg)
            offsets.append(offsets[-1] + len(jpeg))
        if len(offsets) == 1:
            raise VideoError("has no frame")
        tail = np.array([*offsets, len(offsets) - 1], "<u8").tobytes() + MAGIC
        digest.update(tail)
        file.write(tail)
    os.replace(part, path)
    size = offsets[-1] + len(tail)
    return Entry(len(offsets) - 1, *shape, size, digest.hexdigest(), source_bytes)


def read_pack(path: Path, entry: Entry, indices: Indices) -> Frames:
    """Frames number `indices` of a .pack file, in any order: (len(indices), H, W, 3) uint8.

    Raises:
        VideoError: If it is missing, is not the file of the index, or lacks a frame; names it.
    """
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= entry.frames:
        raise VideoError(f'"{path}" has {entry.frames} frames; frame {high} was asked for')
    frames = np.empty((len(indices), entry.height, entry.width, 3), np.uint8)
    try:
        with path.open("rb", buffering=0) as file:
            offsets = _read_offsets(file.fileno(), path, entry, low, high)
            first: dict[int, int] = {}  # frame -> where it already is among `frames`
            for place, index in enumerate(indices.tolist()):
                if index in first:
                    frames[place] = frames[first[index]]
                    continue
                first[index] = place
                begin, end = offsets[index - low], offsets[index - low + 1]
                frames[place] = _decode(os.pread(file.fileno(), end - begin, begin))
    except FileNotFoundError:
        raise VideoError(f'no such file: "{path}" (pack again: what is there is kept)') from None
    except (OSError, ValueError, SyntaxError) as error:
        if isinstance(error, VideoError):
            raise
        raise VideoError(f'"{path}" cannot be read: {error} (`--check` tests all files)') from error
    return frames


def _read_offsets(file: int, path: Path, entry: Entry, low: int, high: int) -> Sequence[int]:
    """Start of frames `low` to `high`, and the end of the last."""
    size = os.fstat(file).st_size
    if size != entry.bytes:
        raise VideoError(f'"{path}" has {size} bytes, its line in the index says {entry.bytes}')
    begin = size - len(MAGIC) - 8 - 8 * (entry.frames + 1)
    some = os.pread(file, 8 * (high - low + 2), begin + 8 * low)
    return struct.unpack(f"<{high - low + 2}Q", some)


def _encode(frame: Frames, packing: Packing) -> bytes:
    # Always Pillow: the bytes, and so the digests, do not depend on what else is installed.
    buffer = io.BytesIO()
    subsampling = {"full": 0, "half": 2}[packing.chroma]
    Image.fromarray(frame).save(buffer, "JPEG", quality=packing.quality, subsampling=subsampling)
    return buffer.getvalue()


def _decode(jpeg: bytes) -> Frames:
    """(H, W, 3) uint8."""
    if simplejpeg is not None:
        return cast(Frames, simplejpeg.decode_jpeg(jpeg, colorspace="RGB"))
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        return np.asarray(image)


def read_index(path: Path) -> tuple[Packing, dict[str, Entry]]:
    """Settings of a packed folder, and its videos by name.

    Raises:
        VideoError: If it is missing, of another format, or a line cannot be read.
    """
    if not path.is_file():
        made = " (packed folders are made by `python -m vlf.data.pack`)"
        raise VideoError(f'no such index: "{path}"{made}')
    first, *lines = path.read_text("utf-8-sig").split("\n")
    packing = _parse_line(first, f"{path}:1", lambda fields: Packing(**fields))
    if packing.format < FORMAT:
        was = "an earlier version, whose frames could be hidden ones or lie on their side"
        raise VideoError(f"{path}:1: was packed by {was}; pack again, into a new folder")
    if packing.format != FORMAT:
        raise VideoError(f"{path}:1: format {packing.format} is not known, only {FORMAT}")
    numbered = [(number, line) for number, line in enumerate(lines, start=2) if line]
    return packing, dict(_parse_line(line, f"{path}:{n}", _entry_of) for n, line in numbered)


def _parse_line(line: str, where: str, make: Callable[[dict[str, Any]], T]) -> T:
    try:
        return make(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise VideoError(f"{where}: is no line of an index: {error}") from None


def _entry_of(fields: dict[str, Any]) -> tuple[str, Entry]:
    return fields.pop("video"), Entry(**fields)


def index_line(name: str, entry: Entry) -> str:
    """The line of a video in an index."""
    return json.dumps({"video": name, **dataclasses.asdict(entry)}) + "\n"


def write_index(path: Path, packing: Packing, entries: Mapping[str, Entry]) -> None:
    """Write an index, whole or not at all; the same videos make the same bytes."""
    part = path.with_name(f"{path.name}.part")
    lines = [json.dumps(dataclasses.asdict(packing)) + "\n"]
    lines += [index_line(name, entries[name]) for name in sorted(entries)]
    part.write_text("".join(lines), "utf-8")
    os.replace(part, path)
