"""Writes one track of a video as an animated head: `ddfa video --glb`."""

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.errors import OutputError
from ddfa.export.glb import GlbAnimation, write_glb
from ddfa.faces import Faces
from ddfa.head.model import HeadModel
from ddfa.texture.unwrap import unwrap_texture
from ddfa.video.io.source import Frame
from ddfa.video.motion.choice import LongestTrack
from ddfa.video.tracking.tracker import TrackedFace

_METRES: Final = 1e-3  # per head unit
_TO_SCENE: Final = np.array([1, -1, 0], np.float32)  # y up; weak perspective has no depth translation


@dataclass(eq=False)
class _Take:
    """The recorded motion of a track."""

    last: Faces  # with the identity averaged over most frames
    times: list[float] = field(default_factory=list)
    weights: list[Float32] = field(default_factory=list)
    rotations: list[Float32] = field(default_factory=list)
    places: list[Float32] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    shown: tuple[UInt8, Faces] | None = None  # the frame with the best view of the face
    frontality: float = 0.0

    def add(self, frame: Frame, face: Faces) -> None:
        self.last = face
        self.times.append(frame.time)
        self.weights.append(face.blendshapes[0])
        self.rotations.append(face.rotation[0])
        self.places.append(face.translation[0])
        self.scales.append(float(face.scale[0]))
        frontality = float(face.scale[0] * face.rotation[0, 2, 2])  # large, and facing the camera
        if frontality > self.frontality:
            self.shown, self.frontality = (frame.image, face), frontality

    def animation(self) -> GlbAnimation:
        """The motion; the head starts at the origin, and translations are scaled by the track's median scale."""
        places = np.array(self.places) - self.places[0]
        return GlbAnimation(
            times=np.array(self.times),
            weights=np.array(self.weights),
            rotations=np.array(self.rotations),
            translations=places * _TO_SCENE * np.float32(_METRES / np.median(self.scales)),
        )


class AnimationWriter:
    """Records the motion of faces; `close` writes one of them as an animated, textured GLB.

    Args:
        path: the file, `.glb`.
        head: head model of the faces.
        track: id of the track to write; by default the one that is largest and longest (size summed over frames).

    Attributes:
        chosen: id of the track that was written; None if there was none.

    Raises:
        OutputError: the suffix is not .glb, or the folder does not exist.
        ModelError: the head has no blendshapes.
    """

    def __init__(self, path: Path, head: HeadModel, track: int | None = None) -> None:
        if path.suffix.lower() != ".glb":
            raise OutputError(f"cannot write {path}: an animated head is a .glb")
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path} (no such folder): choose another place")
        head.require_arkit("an animated head")
        head.require_texture("an animated head")
        self._path, self._choice = path, LongestTrack(track)
        self._takes: dict[int, _Take] = {}
        self.chosen: int | None = None

    def add(self, frame: Frame, faces: list[TrackedFace]) -> None:
        """Add the next frame."""
        for tracked in self._choice.add(faces):
            self._takes.setdefault(tracked.id, _Take(tracked.faces)).add(frame, tracked.faces)
        self._forget({tracked.id for tracked in faces})

    def close(self) -> None:
        """Write the file, unless the video has no faces.

        Raises:
            OutputError: it cannot be written, or the video has faces, but not this track.
        """
        self.chosen = self._choice.chosen(self._path)
        if self.chosen is None:
            return
        take = self._takes[self.chosen]
        texture = None if take.shown is None else unwrap_texture(*take.shown)
        write_glb(self._path, take.last, texture, take.animation())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _forget(self, present: set[int]) -> None:
        """Drop the images of ended tracks that others outweigh, so that hundreds of shots fit into memory."""
        absent = [id for id in self._takes.keys() - present if self._takes[id].shown is not None]
        for id in absent:
            if id != self._choice.leader:
                self._takes[id].shown, self._takes[id].frontality = None, 0.0
