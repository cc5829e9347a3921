"""Films whose pictures bear their number and show which way up they are.

A picture has its number as eight bars, white for 1, in a band across its middle, and a corner of
each colour: red, green, blue, yellow, from top left to bottom right, "RGBY".
"""

from fractions import Fraction

import av
import numpy as np

SIDES = (64, 96)  # height, width
BITS = 8
COLOURS = {"R": (220, 30, 30), "G": (30, 220, 30), "B": (30, 30, 220), "Y": (220, 220, 30)}

# Of a stored picture that is "RGBY": EXIF orientation -> (a, b, c, d) of a display matrix, by which
# (x, y) is shown at (ax + cy, bx + dy), and the corners as shown.
ORIENTATIONS = {
    1: ((1, 0, 0, 1), "RGBY"),
    2: ((-1, 0, 0, 1), "GRYB"),
    3: ((-1, 0, 0, -1), "YBGR"),
    4: ((1, 0, 0, -1), "BYRG"),
    5: ((0, 1, 1, 0), "RBGY"),
    6: ((0, 1, -1, 0), "BRYG"),
    7: ((0, -1, -1, 0), "YGBR"),
    8: ((0, -1, 1, 0), "GYRB"),
}


def picture(number, sides=SIDES):
    """(H, W, 3) uint8."""
    height, width = sides
    rows, columns = np.mgrid[:height, :width]
    frame = np.stack([(rows + 3 * number) % 90, (columns + 5 * number) % 90, rows % 90], axis=2)
    frame = (frame + 80).astype(np.uint8)
    top, left = height // 4, width // 4
    corners = (slice(top), slice(left)), (slice(top), slice(-left, None))
    corners += (slice(-top, None), slice(left)), (slice(-top, None), slice(-left, None))
    for place, colour in zip(corners, COLOURS.values(), strict=True):
        frame[place] = colour
    bars = [255 * (number >> bit & 1) for bit in reversed(range(BITS))]
    frame[3 * height // 8 : 5 * height // 8] = np.repeat(bars, width // BITS)[None, :, None]
    return frame


def corners_of(frame):
    """Colours of the corners, top left first."""
    height, width = frame.shape[0] // 8, frame.shape[1] // 8
    spots = frame[:height, :width], frame[:height, -width:]
    spots += frame[-height:, :width], frame[-height:, -width:]

    def name(spot):
        mean = spot.reshape(-1, 3).mean(0)
        return min(COLOURS, key=lambda colour: np.abs(mean - COLOURS[colour]).sum())

    return "".join(map(name, spots))


def number_of(frame):
    """The number that a picture bears, whichever way up it is shown."""
    shown = corners_of(frame)
    exif = next(exif for exif, (_, corners) in ORIENTATIONS.items() if corners == shown)
    frame = upright(frame, exif)
    height, width = frame.shape[:2]
    band = frame[7 * height // 16 : 9 * height // 16].mean((0, 2))
    bars = [
        band[int((k + 0.3) * width / BITS) : int((k + 0.7) * width / BITS)] for k in range(BITS)
    ]
    return sum(int(bar.mean() > 127) << (BITS - 1 - k) for k, bar in enumerate(bars))


def upright(frame, exif):
    """Undo an orientation."""
    (a, b, c, d), _ = ORIENTATIONS[exif]
    right, down = (a, d) if a else (c, b)
    frame = frame[::down, ::right]
    return frame if a else frame.transpose(1, 0, 2)


def numbers_of(frames):
    return [number_of(frame) for frame in frames]


def write_numbered(path, count=40, codec="libx264", rate=Fraction(25), numbers=None, **how):
    """A film whose frame i bears numbers[i], or i.

    Args:
        how: pix_fmt; options of the encoder; container of the muxer; stamps in `base` seconds;
            exif: orientation of the display matrix; format: name of the container; sides;
            sound: as long as so many frames, at least as the film.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    options = how.get("container", {})
    with av.open(str(path), "w", format=how.get("format"), options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.pix_fmt = how.get("pix_fmt", "yuv420p")
        stream.height, stream.width = how.get("sides", SIDES)
        stream.options = how.get("options", {})
        stream.codec_context.thread_count = 1
        base = how.get("base", 1 / rate)
        stream.codec_context.time_base = stream.time_base = base
        if exif := how.get("exif"):
            (a, b, c, d), _ = ORIENTATIONS[exif]
            one = 1 << 16
            stream.set_display_matrix((a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30))
        sound = container.add_stream("aac", rate=8000, layout="mono") if how.get("sound") else None
        for place, number in enumerate(numbers or range(count)):
            frame = av.VideoFrame.from_ndarray(picture(number, stream_sides(stream)), "rgb24")
            frame.pts = (how["stamps"] if "stamps" in how else range(count))[place]
            frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound:
            _add_sound(container, sound, float(max(count, how["sound"]) / rate))
    return path


def stream_sides(stream):
    return stream.height, stream.width


def _add_sound(container, stream, seconds):
    for place in range(int(seconds * 8000 / 1024)):
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate, sound.pts = 8000, 1024 * place
        container.mux(stream.encode(sound))
    container.mux(stream.encode())


def copy_from(source, target, keyframe, shift=False, format=None):
    """Copy the packets of a film from a keyframe on, as cutting without encoding does.

    Args:
        keyframe: Which of them, from 0.
        shift: Whether the keyframe is moved to time 0, and what is shown before it to before 0.
    """
    with av.open(str(source)) as film, av.open(str(target), "w", format=format) as container:
        stream = film.streams.video[0]
        copied = container.add_stream_from_template(stream)
        packets = [packet for packet in film.demux(stream) if packet.size]
        keys = [place for place, packet in enumerate(packets) if packet.is_keyframe]
        packets = packets[keys[keyframe] :]
        first = packets[0].pts if shift else 0
        for packet in packets:
            packet.pts -= first
            packet.dts -= first
            packet.stream = copied
            container.mux(packet)
    return target


def cut_off(path, share):
    """Leave a share of the bytes of a file."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path
