"""Face boxes from files: `.bbox` files of the original 3DDFA V1, plain text, JSON.

    photo.jpg.bbox      photo.txt                     boxes.json
    2                   # x0 y0 x1 y1 [score]         {"photo.jpg": [[317, 382, 815, 1036]],
    1 317 382 815 1036  317 382 815 1036 0.9           "other.jpg": [[10, 20, 80, 95, 0.9]]}
    2 20 30 90 110      20 30 90 110

A `.bbox` file starts with the number of faces, which is ignored; each following line is an id, left, top, right and
bottom. A JSON file may also contain a single list of boxes, for one photo.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from ddfa.detect.detections import Detections
from ddfa.errors import DetectorError, reading
from ddfa.files import read_text
from ddfa.text_files import read_json

_MOST_BOXES: Final = 1000  # in a photo: each is a face that is aligned


def original_bbox_path(image_path: Path) -> Path:
    """Return the path at which the original 3DDFA V1 expects the boxes of an image: its file name plus `.bbox`."""
    return image_path.with_name(image_path.name + ".bbox")


class BoxFile:
    """The boxes of one or several photos, read from a file."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Args:
            path: `.json`, or text in either format of the module docstring.

        Raises:
            DetectorError: the file cannot be read or contains anything but boxes.
        """
        self._path = path
        if path.suffix.lower() == ".json":
            named, single = self._read_json()
        else:
            named, single = {}, _parse_text(path, read_text(path, DetectorError))
        self._by_photo = {name: _detections(path, rows) for name, rows in named.items()}
        self._single = None if single is None else _detections(path, single)

    @property
    def is_for_one_photo(self) -> bool:
        """Whether the file contains a single list of boxes rather than a list per photo."""
        return self._single is not None

    def boxes_of(self, photo: Path) -> Detections:
        """Return the boxes of a photo, in the order of the file.

        Args:
            photo: path of the photo; in a JSON file of several photos, this path is looked up first, then its name.

        Returns:
            The boxes; the score is 1 if the file has none.

        Raises:
            DetectorError: the file has no entry for this photo.
        """
        if self._single is not None:
            return self._single
        for key in (str(photo), photo.name):
            if key in self._by_photo:
                return self._by_photo[key]
        raise DetectorError(f"{self._path} has no boxes for {photo.name}: add them, or an empty list for no face")

    def _read_json(self) -> tuple[dict[str, list[Any]], list[Any] | None]:
        """Return the lists by photo name and the list of a single photo; one of the two is empty or None."""
        content = read_json(self._path, DetectorError)
        if isinstance(content, list):
            return {}, content
        if isinstance(content, dict) and all(isinstance(rows, list) for rows in content.values()):
            return content, None
        raise DetectorError(f'{self._path} must contain a list of boxes or {{"photo.jpg": [boxes], ...}}')


def read_boxes(path: Path) -> Detections:
    """Read the boxes of one photo.

    Args:
        path: a `.bbox`, text or JSON file, see the module docstring.

    Returns:
        The boxes, in the order of the file.

    Raises:
        DetectorError: the file cannot be read, is damaged or contains the boxes of several photos.
    """
    file = BoxFile(path)
    if not file.is_for_one_photo:
        raise DetectorError(f"{path} contains the boxes of several photos: use a file with the list of one")
    return file.boxes_of(path)


def _parse_text(path: Path, text: str) -> list[list[float]]:
    """Read rows of x0 y0 x1 y1 [score]; after a line with a single number, rows of id left top right bottom."""
    lines = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
    with reading(path, DetectorError, "not a table of numbers", "write x0 y0 x1 y1 per line"):
        rows = [[float(word) for word in words] for words in lines if words]
    if rows and len(rows[0]) == 1:
        if any(len(row) != 5 for row in rows[1:]):
            raise DetectorError(
                f"{path} is not a .bbox file: after the count each line must be: id left top right bottom"
            )
        return [row[1:] for row in rows[1:]]
    return rows


def _detections(path: Path, rows: list[Any]) -> Detections:
    """Validate rows of 4 numbers, or 5 with a score."""
    if len(rows) > _MOST_BOXES:
        raise DetectorError(f"{path} has {len(rows)} boxes for one photo: give at most {_MOST_BOXES}")
    with reading(path, DetectorError, "not a list of boxes", "each must be a list of numbers x0 y0 x1 y1 [score]"):
        table = [[float(number) for number in row] for row in rows]
    if any(len(row) not in (4, 5) for row in table):
        raise DetectorError(f"{path}: each box must be x0 y0 x1 y1 and optionally a score")
    with np.errstate(over="ignore"):  # what is too large for 32 bits becomes infinite, which is refused
        boxes = np.array([row[:4] for row in table], np.float32).reshape(-1, 4)
        scores = np.array([row[4] if len(row) == 5 else 1.0 for row in table], np.float32)
    try:
        return Detections.from_boxes(boxes, scores)
    except DetectorError as error:
        raise DetectorError(f"{path}: {error}") from error
