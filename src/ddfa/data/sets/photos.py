"""Training photos: a folder or a tar of images, read by name."""

from functools import partial
from pathlib import Path

from ddfa.arrays import UInt8
from ddfa.errors import DataError, ImageError
from ddfa.files import check_regular, read_file
from ddfa.images import decode_image
from ddfa.tars import tar_spans

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class Photos:
    """The images in a folder (searched recursively) or in an uncompressed tar.

    Attributes:
        path: the folder or tar.
        names: path of each image inside it, sorted.

    Raises:
        DataError: there are no images, or the tar is damaged or compressed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spans: dict[str, tuple[int, int]] = {}
        if path.is_dir():
            found = (p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in _SUFFIXES)
            self.names = tuple(sorted(p.relative_to(path).as_posix() for p in found))
        else:
            check_regular(path, DataError)
            spans = tar_spans(partial(path.open, "rb"), str(path), _SUFFIXES)
            self._spans = {name: (start, length) for name, start, length in spans}
            self.names = tuple(sorted(self._spans))
        if not self.names:
            raise DataError(f"{path} contains no images ({', '.join(sorted(_SUFFIXES))}): name another folder or tar")

    def __len__(self) -> int:
        return len(self.names)

    def read_bytes(self, name: str) -> bytes:
        """The encoded image `name`.

        Raises:
            DataError: there is no such image.
        """
        try:
            if not self._spans:
                return read_file(self.path / name, DataError)
            start, length = self._spans[name]
            with self.path.open("rb") as file:  # a handle for each read: worker processes share this object
                file.seek(start)
                return file.read(length)
        except (OSError, KeyError) as error:
            raise DataError(f"no image '{name}' in {self.path}: label the photos again") from error

    def read(self, name: str) -> UInt8:
        """The image `name`, (H, W, 3) uint8 RGB.

        Raises:
            DataError: it is missing or cannot be decoded.
        """
        return decode(self.read_bytes(name), name)


def decode(content: bytes, name: str) -> UInt8:
    """Decode an image file to (H, W, 3) uint8 RGB; `name` is for the error message.

    Raises:
        DataError: it cannot be decoded.
    """
    try:
        return decode_image(content, name)
    except ImageError as error:
        raise DataError(f"'{name}' is not a readable image: {error}") from None
