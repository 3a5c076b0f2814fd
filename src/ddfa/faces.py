"""The result of alignment: the faces of one image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

import ddfa
from ddfa.arrays import Float32, Floats
from ddfa.errors import ModelError
from ddfa.face import Face
from ddfa.face_arrays import FaceArrays
from ddfa.face_output import FaceOutput
from ddfa.geometry.pose import compose

_STORED: Final = ("boxes", "scores", "params", "roi", "quality_output")
# Derived arrays, or tuples of arrays, whose first axis is the face: a slice of a result takes over their rows.
_DERIVED: Final = (
    "_parts", "_camera", "landmarks68", "vertices", "neutral_vertices", "rotation", "euler_deg", "scale", "translation",
    "blendshapes", "perspective",
)  # fmt: skip
# Those that do not depend on the expression.
_WITHOUT_EXPRESSION: Final = ("_camera", "neutral_vertices", "rotation", "euler_deg", "scale", "translation")
_Selection: TypeAlias = slice | NDArray[np.intp] | NDArray[np.bool_]
_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False, repr=False)
class Faces(FaceOutput, FaceArrays):
    """The n faces of one image: a sequence of `Face`, and arrays of all of them; see `FaceArrays`.

        for face in faces:
            face.landmarks68  # (68, 3)
        faces.landmarks68  # (n, 68, 3)

    A pickle contains the regressed numbers, some kilobytes a face, and refers to the head model and the photo's file.
    """

    def __repr__(self) -> str:
        width, height = self.image_size
        return f"Faces({len(self)} in an image of {width} x {height} px, head model '{self.head.name}')"

    @property
    def _shown(self) -> "Faces":
        return self

    def to_dict(self) -> dict[str, Any]:
        """Everything but the meshes as plain numbers, strings, lists and dictionaries, see `ddfa.faces_record`."""
        return ddfa.faces_record(self)

    def _repr_png_(self) -> bytes | None:
        """For notebooks: a small overlay; None if the photo is not at hand."""
        return ddfa.faces_png(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    @overload
    def __getitem__(self, index: int) -> Face: ...

    @overload
    def __getitem__(self, index: _Selection) -> "Faces": ...

    def __getitem__(self, index: Any) -> Any:
        """Select one face by its number, as a `Face`; several by slice, indices or mask, as `Faces`.

        Values that are already computed are taken over.
        """
        if isinstance(index, int | np.integer):
            return Face(self, self._checked(int(index)))
        return self._select(index)

    def __iter__(self) -> Iterator[Face]:
        return (Face(self, i) for i in range(len(self)))

    def single(self, index: int) -> "Faces":
        """Select one face as a result whose arrays keep the axis of the faces, of length 1.

        The same number returns the same object each time, so that values derived from it are computed only once.

        Args:
            index: which face; negative numbers count from the end.

        Raises:
            IndexError: there is no such face.
        """
        number = self._checked(index)
        if len(self) == 1:
            return self
        rows = slice(number, number + 1)
        if number not in self._views:
            self._views[number] = self._select(rows)
        view = self._views[number]
        for name in self.__dict__.keys() & set(_DERIVED) - view.__dict__.keys():  # computed since the last call
            view.__dict__[name] = _taken(self.__dict__[name], rows)
        return view

    def singles(self) -> "Iterator[Faces]":
        """Each face as a result of its own, see `single`."""
        return (self.single(i) for i in range(len(self)))

    def _checked(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"face {index} of {len(self)}")
        return int(index) % len(self)

    def _select(self, index: _Selection) -> "Faces":
        stored = {name: _taken(getattr(self, name), index) for name in _STORED}
        selected = replace(self, **stored)
        derived = self.__dict__.keys() & set(_DERIVED)
        selected.__dict__.update({name: _taken(self.__dict__[name], index) for name in derived})
        return selected

    @staticmethod
    def concat(parts: "Sequence[Faces]") -> "Faces":
        """Join results for one image, for instance from several detectors.

        Args:
            parts: at least one result, all with the same model and image size.

        Returns:
            The faces of all parts, in order; values that are computed in every part are taken over.

        Raises:
            ModelError: there are no parts, or their models or image sizes differ.
        """
        if not parts:
            raise ModelError("faces: nothing to join, pass at least one result")
        first = parts[0]
        if any(part.model != first.model or part.image_size != first.image_size for part in parts):
            raise ModelError("faces: only results of one model and one image can be joined")
        stored: dict[str, Any] = {name: _joined([getattr(part, name) for part in parts]) for name in _STORED}
        joined = replace(first, **stored)
        for name in _DERIVED:
            if all(name in part.__dict__ for part in parts):
                joined.__dict__[name] = _joined([part.__dict__[name] for part in parts])
        return joined

    @property
    def blendshapes_by_name(self) -> dict[str, Float32]:
        """The 52 weights by ARKit name, (n,) float32 each.

        Raises:
            ModelError: the head model has no ARKit blendshapes.
        """
        return dict(zip(self.head.expression_names, self.blendshapes.T, strict=True))

    def remember(self, key: str, compute: Callable[[], _Value]) -> _Value:
        """Return a value that another module derives from these faces; it is computed on first use and cached.

        Args:
            key: name of the value, unique among all callers.
            compute: computes the value.

        Returns:
            The value.
        """
        if key not in self._remembered:
            self._remembered[key] = compute()
        value: _Value = self._remembered[key]
        return value

    @cached_property
    def _views(self) -> "dict[int, Faces]":
        return {}

    @cached_property
    def _remembered(self) -> dict[str, Any]:
        return {}

    def without(self, *, pose: bool = False, expression: bool = False) -> "Faces":
        """Remove head pose, expression or both from the faces.

        Args:
            pose: make the faces frontal at the same scale; the mean of their landmarks does not move.
            expression: set all expression coefficients to 0.

        Returns:
            Faces with the same boxes and RoIs; `self` if nothing is removed.
        """
        if not (pose or expression):
            return self
        parts = self._parts
        coefficients = np.zeros_like(parts.expression) if expression else parts.expression
        camera: Floats = parts.pose
        if pose:
            # The origin of the head is inside the skull: frontalising about it would move the face in the image.
            centre = self.head.landmark_points.decode(parts.identity, coefficients).mean(axis=1)
            scale = self._camera.scale
            position = np.einsum("nij,nj->ni", camera[..., :3], centre) + camera[..., 3]
            frontal = np.broadcast_to(np.eye(3), (len(self), 3, 3))
            camera = compose(scale, frontal, position - scale[:, None] * centre)
        return replace(self, params=self.layout.join(camera, parts.identity, coefficients))

    def with_expression(self, expression: Floats) -> "Faces":
        """The same faces with other expression coefficients (n, E)."""
        parts = self._parts
        changed = replace(self, params=self.layout.join(parts.pose, parts.identity, expression))
        kept = self.__dict__.keys() & set(_WITHOUT_EXPRESSION)
        changed.__dict__.update({name: self.__dict__[name] for name in kept})
        return changed


def _taken(value: Any, index: Any) -> Any:
    """Index an array, or each array of a named tuple; None stays None."""
    if value is None:
        return None
    return type(value)(*(field[index] for field in value)) if isinstance(value, tuple) else value[index]


def _joined(values: list[Any]) -> Any:
    """Concatenate arrays, or named tuples of arrays field by field; None if a part has none."""
    if any(value is None for value in values):
        return None
    if isinstance(values[0], tuple):
        return type(values[0])(*(np.concatenate(fields) for fields in zip(*values, strict=True)))
    return np.concatenate(values)
