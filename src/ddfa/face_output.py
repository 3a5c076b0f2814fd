"""What results do for their user: draw, save and describe themselves.

The functions behind are those of packages above this module; they are reached by their public names in `ddfa`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ddfa
from ddfa.arrays import UInt8
from ddfa.image_input import ImageLike, as_image

if TYPE_CHECKING:
    import pandas
    import pyarrow


class FaceOutput:
    """Methods that `Faces` and `Face` share."""

    @property
    def _shown(self) -> Any:
        """The `Faces` to draw, save or describe."""
        raise NotImplementedError

    def draw(
        self, image: ImageLike | None = None, style: str = "mesh+landmarks+pose", *, resize: bool = False
    ) -> UInt8:
        """Draw over a copy of the photo.

        Args:
            image: the photo, as for `FaceAligner`; None for that which was aligned.
            style: any of landmarks, mesh, wireframe, pose, depth, normals, pncc, uv and regions, joined by "+".
            resize: whether the longer side becomes 1200 to 2400 px, as in files, so that lines are neither too thick
                nor too thin.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            ImageError: the image is not known, or cannot be read.
            OutputError: the style is unknown.
        """
        pixels = self._shown.image if image is None else as_image(image)
        sides = {} if resize else {"sides": None}
        return ddfa.draw_overlay(pixels, self._shown, ddfa.parse_style(style), **sides)

    def save(
        self, path: str | Path, kind: str | None = None, *, image: ImageLike | None = None, **options: Any
    ) -> list[Path]:
        """Save as a file of the kind that the name tells: x.glb, .obj, .ply, .json, .csv, .pts, x_depth.png, x.jpg.

        Args:
            path: the file. Kinds that describe one face write x_0.ply, x_1.ply, ... for several faces.
            kind: one of those of `ddfa align --save`, if it is not that of the name: see docs/outputs.md.
            image: the photo, as for `FaceAligner`; None for that which was aligned. Few kinds need it.
            **options: of `ddfa.save_faces`, for instance `texture_size` and `style`.

        Returns:
            The files.

        Raises:
            OutputError: the kind is unknown, or a file cannot be written.
            ImageError: the kind needs the pixels of the photo, which are not known.
            ModelError: the head model lacks what the kind needs.
        """
        return ddfa.save_faces(self._shown, path, kind, image=image, **options)

    def to_arrow(self) -> "pyarrow.Table":
        """One row per face, columns as in the CSV file (docs/outputs.md), as an Arrow table.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        return ddfa.arrow_table(self._shown)

    def to_pandas(self) -> "pandas.DataFrame":
        """One row per face, columns as in the CSV file (docs/outputs.md), as a data frame.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return ddfa.data_frame(self._shown)

    def _repr_html_(self) -> str:
        """For notebooks: a small overlay, if the photo is at hand, and a table."""
        return ddfa.faces_html(self._shown)
