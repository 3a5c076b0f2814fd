"""A folder or glob pattern of numbered images as a video."""

import glob
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

from ddfa.errors import ImageError, VideoError
from ddfa.images import MAX_PIXELS, read_image
from ddfa.video.io.source import Frame, FrameSource

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")


class ImageSequence(FrameSource):
    """The images of a folder or glob pattern, in the order of the numbers in their names (2 before 10).

    Images that cannot be read are skipped and counted.

    Args:
        source: the folder, or a glob pattern such as `shots/*.png`.
        fps: frames per second.
        max_pixels: maximum width times height of an image.

    Raises:
        VideoError: there is no image, or none can be read.
    """

    def __init__(self, source: Path, fps: Fraction, max_pixels: int = MAX_PIXELS) -> None:
        self.name, self.fps, self._max_pixels = str(source), fps, max_pixels
        found = source.iterdir() if source.is_dir() else map(Path, glob.glob(str(source)))
        self.paths = sorted((p for p in found if p.suffix.lower() in SUFFIXES), key=_by_number)
        if not self.paths:
            raise VideoError(f"{source} contains no images: name a folder or pattern of {', '.join(SUFFIXES)} files")
        self.size = (0, 0)
        self.count = len(self.paths)
        first = next(iter(self), None)
        if first is None:
            raise VideoError(f"{source}: none of its {self.count} images can be read, copy them again")
        self.size = (first.image.shape[1], first.image.shape[0])

    def __iter__(self) -> Iterator[Frame]:
        """Yield the images; an image that cannot be read leaves a gap in time."""
        self.skipped = 0
        for number, path in enumerate(self.paths):
            try:
                image = read_image(path, self._max_pixels)
            except ImageError:
                self.skipped += 1
                continue
            size = (image.shape[1], image.shape[0])
            if self.size not in ((0, 0), size):
                raise VideoError(
                    f"{path} is {size[0]} x {size[1]} px, the images before it {self.size[0]} x {self.size[1]}: "
                    "resize them to one size, or use `ddfa align` for separate photos"
                )
            yield Frame(image, float(number / self.fps), number - self.skipped)


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sort key: words as words, numbers by their value."""
    parts = re.findall(r"\d+|\D+", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in parts]
