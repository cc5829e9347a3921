"""Pictures that a packet shows: encoders hide pictures that only serve to predict others."""

HIDING = ("vp8", "vp9")  # of the others a packet shows a picture (of AV1 a temporal unit)


def count_shown(codec: str, packet: memoryview) -> int:
    """Pictures that a packet shows.

    Args:
        codec: FFmpeg's name of it.
        packet: At least one byte.
    """
    if codec == "vp8":
        return packet[0] >> 4 & 1  # show_frame (RFC 6386, 9.1)
    if codec == "vp9":
        return sum(map(_is_shown_vp9, _split_superframe(packet)))
    return 1


def _is_shown_vp9(header: int) -> bool:
    """Whether a frame that begins with this byte is shown (VP9 bitstream specification, 6.2)."""
    if header >> 4 & 3 == 3:  # profile 3 has one more bit
        header <<= 1
    shows_existing, show_frame = header & 8, header & 2
    return bool(shows_existing or show_frame)


def _split_superframe(packet: memoryview) -> list[int]:
    """First byte of each frame of a VP9 packet (VP9 bitstream specification, annex B)."""
    last = packet[-1]
    count, width = (last & 7) + 1, (last >> 3 & 3) + 1
    index = len(packet) - 2 - count * width
    if last & 0xE0 != 0xC0 or index < 0 or packet[index] != last:
        return [packet[0]]
    headers, start = [], 0
    for number in range(count):
        at = index + 1 + number * width
        if start < index:
            headers.append(packet[start])
        start += int.from_bytes(packet[at : at + width], "little")
    return headers
