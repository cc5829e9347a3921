"""Image files as frames, decoded with Pillow.

Shapes: T frames, H and W pixels. Frames are RGB.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vlf.data.readers.container import VideoError
from vlf.data.readers.picture import Frames
from vlf.data.sampling import Indices

SUFFIXES = (".jpg", ".jpeg", ".png")


class ImageFolder:
    """A folder of image files; a `Film`.

    Args:
        folder: Where they are.
        name: Name of a file by its number, from 0; None takes all images in the order of the
            numbers in their names.
    """

    def __init__(self, folder: Path, name: Callable[[int], str] | None = None) -> None:
        self.folder = folder
        self._name = name
        self._listed: Sequence[str] = ()

    def count(self) -> int:
        """Images in the folder."""
        return len(self._list())

    def decode(self, numbers: Indices) -> Frames:
        """Decode each image once."""
        images = {number: self._read(number) for number in sorted(set(numbers.tolist()))}
        if len({image.shape for image in images.values()}) > 1:
            raise VideoError(f'"{self.folder}" has images of several sizes')
        return np.stack([images[number] for number in numbers.tolist()])

    def iterate(self, start: int, end: int) -> Iterator[Frames]:
        """Decode one by one."""
        for number in range(start, end):
            yield self._read(number)

    def _list(self) -> Sequence[str]:
        if not self._listed:
            try:
                names = [path.name for path in self.folder.iterdir()]
            except OSError as error:
                raise VideoError(f'"{self.folder}" cannot be read: {error.strerror}') from None
            images = [name for name in names if name.lower().endswith(SUFFIXES)]
            if not images:
                raise VideoError(f'"{self.folder}" has no image')
            digits = {name: "".join(x for x in name if x in "0123456789") for name in images}
            self._listed = sorted(images, key=lambda name: (int(digits[name] or 0), name))
        return self._listed

    def _read(self, number: int) -> Frames:
        return read_image(
            self.folder / (self._name(number) if self._name else self._list()[number])
        )


def read_image(path: Path) -> Frames:
    """An image as viewers show it, turned as its EXIF data say: (H, W, 3) uint8.

    16-bit pictures keep the upper 8 bits; transparency is left out, as FFmpeg leaves it out.

    Raises:
        VideoError: If it cannot be decoded, or has numbers of an unknown range as pixels.
    """
    try:
        with Image.open(path) as image:
            return np.array(_to_rgb(ImageOps.exif_transpose(image)), dtype=np.uint8)
    except FileNotFoundError:
        raise VideoError(f'no such image: "{path}"') from None
    # Pillow raises SyntaxError for a broken PNG, and ValueError for some broken headers.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise VideoError(f'"{path}" cannot be decoded: {error}') from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; in "I", of older Pillows, as 32-bit numbers
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() >= 1 << 16:
            raise ValueError("its pixels are 32-bit numbers of an unknown range")
        image = Image.fromarray((levels.astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of an unknown range")
    if image.mode == "P":
        image = image.convert("RGBA")  # a palette with transparency has no direct way to RGB
    return image.convert("RGB")
