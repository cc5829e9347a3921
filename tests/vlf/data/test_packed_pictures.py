"""Pictures of packed files: their size and their colours."""

import numpy as np
from test_packed import picture

from vlf.data.datasets.packed import Packing, read_pack, write_pack


def test_a_video_that_is_smaller_is_packed_as_it_is(tmp_path):
    small = [picture(level, (20, 30)) for level in range(3)]
    entry = write_pack(tmp_path / "small", small, Packing(64), 0)
    assert (entry.frames, entry.height, entry.width) == (3, 20, 30)
    frames = read_pack(tmp_path / "small", entry, np.array([2]))
    assert np.abs(frames[0].astype(int) - small[2]).mean() < 3


def test_full_chroma_keeps_colours_that_half_of_it_blurs(tmp_path):
    checks = np.zeros((16, 16, 3), np.uint8)
    checks[::2, ::2], checks[1::2, 1::2] = (200, 0, 0), (0, 0, 200)
    errors = {}
    for chroma in ("full", "half"):
        packing = Packing(16, 95, chroma)
        entry = write_pack(tmp_path / chroma, [checks], packing, 0)
        frame = read_pack(tmp_path / chroma, entry, np.array([0]))[0]
        errors[chroma] = np.abs(frame.astype(int) - checks).mean()
    assert errors["full"] < 10 < errors["half"]
