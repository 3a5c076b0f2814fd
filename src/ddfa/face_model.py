"""The model that regressed parameters belong to."""

from dataclasses import dataclass
from functools import cached_property

from ddfa.arrays import Float32, Floats
from ddfa.head.linear import LinearPoints
from ddfa.head.measure import pose_points
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import MODEL_FILE, Bundle
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout


@dataclass(frozen=True)
class FaceModel:
    """The model that parameters belong to. Two are equal if they have the same head and the same settings.

    Attributes:
        head: the head model.
        layout: which parameters are pose, identity and expression.
        convention: how crop pixels map to image pixels.
        crop_size: side of the network's input in px.
        name: of the bundle; "" for parameters that no bundle has regressed.
        sha256: of the network of the bundle, or "".
    """

    head: HeadModel
    layout: ParamLayout
    convention: PixelConvention
    crop_size: int = 120
    name: str = ""
    sha256: str = ""

    @staticmethod
    def of(bundle: Bundle, head: HeadModel | None = None) -> "FaceModel":
        """Read the face model of a bundle.

        Args:
            bundle: the bundle.
            head: its head model if it is already loaded; None loads it.

        Raises:
            ModelError: the head model cannot be loaded.
        """
        head = HeadModel.load(bundle.head_path) if head is None else head
        sha256 = bundle.files.get(MODEL_FILE, "")
        return FaceModel(head, bundle.layout, bundle.convention, bundle.input_size, bundle.name, sha256)

    def __getstate__(self) -> dict[str, object]:
        """Without what is derived; the head is pickled by reference where it comes from a file."""
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    @cached_property
    def pose_points(self) -> LinearPoints:
        """The points whose projection determines the pose in front of a camera."""
        return pose_points(self.head)

    def decode(self, points: LinearPoints, params: Float32, roi: Floats) -> Float32:
        """Evaluate points of the head and project them into the image.

        Args:
            points: K points of the head.
            params: (n, P) de-whitened parameters.
            roi: (n, 4) crop squares in image px.

        Returns:
            (n, K, 3) float32 image px.
        """
        parts = self.layout.split(params)
        decoded = points.decode(parts.identity, parts.expression)
        return self.convention.place(decoded, parts.pose, roi, self.crop_size)
