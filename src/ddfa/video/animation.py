"""One track of a video as an animated head: `ddfa video --glb`."""

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
from ddfa.video.tracking.tracker import TrackedFace

_METRES: Final = 1e-3  # per head unit
_TO_SCENE: Final = np.array([1, -1, 0], np.float32)  # y up; weak perspective knows no distance


@dataclass(eq=False)
class _Take:
    """What is kept of a track."""

    last: Faces  # its identity has settled most
    times: list[float] = field(default_factory=list)
    weights: list[Float32] = field(default_factory=list)
    rotations: list[Float32] = field(default_factory=list)
    places: list[Float32] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    shown: tuple[UInt8, Faces] | None = None  # the frame that shows most of the face
    clearness: float = 0.0
    weight: float = 0.0  # how much of the video the face is: size summed over the frames

    def add(self, frame: Frame, face: Faces) -> None:
        self.last = face
        self.times.append(frame.time)
        self.weights.append(face.blendshapes[0])
        self.rotations.append(face.rotation[0])
        self.places.append(face.translation[0])
        self.scales.append(float(face.scale[0]))
        self.weight += self.scales[-1]
        clearness = float(face.scale[0] * face.rotation[0, 2, 2])  # large, and turned to the camera
        if clearness > self.clearness:
            self.shown, self.clearness = (frame.image, face), clearness

    def animation(self) -> GlbAnimation:
        """The motion; the head starts at the origin and moves in the scale of the track's median."""
        places = np.array(self.places) - self.places[0]
        return GlbAnimation(
            times=np.array(self.times),
            weights=np.array(self.weights),
            rotations=np.array(self.rotations),
            translations=places * _TO_SCENE * np.float32(_METRES / np.median(self.scales)),
        )


class AnimationWriter:
    """Collects how faces move and writes one of them as an animated, textured GLB when it is closed.

    Args:
        path: the file, `.glb`.
        head: of the faces to come.
        track: id of the track to write; by default the one that is largest and longest (size summed over frames).

    Attributes:
        chosen: the track that was written; None if there was none.

    Raises:
        OutputError: another suffix, or no such folder.
        ModelError: the head has no blendshapes.
    """

    def __init__(self, path: Path, head: HeadModel, track: int | None = None) -> None:
        if path.suffix.lower() != ".glb":
            raise OutputError(f"cannot write {path}: an animated head is a .glb")
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path} (no such folder): choose another place")
        head.require_arkit("an animated head")
        head.require_texture("an animated head")
        self._path, self._track = path, track
        self._takes: dict[int, _Take] = {}
        self._seen: set[int] = set()
        self.chosen: int | None = None

    def add(self, frame: Frame, faces: list[TrackedFace]) -> None:
        """Take the next frame."""
        self._seen.update(tracked.id for tracked in faces)
        for tracked in faces:
            if self._track in (None, tracked.id):
                self._takes.setdefault(tracked.id, _Take(tracked.faces)).add(frame, tracked.faces)
        self._forget({tracked.id for tracked in faces})

    def close(self) -> None:
        """Write the file; a video without faces gives none.

        Raises:
            OutputError: it cannot be written, or the video has faces, but not this track.
        """
        if not self._takes and self._seen and self._track is not None:
            known = ", ".join(map(str, sorted(self._seen)))
            raise OutputError(f"no track {self._track} for {self._path}: the video has {known}")
        if not self._takes:
            return
        self.chosen = self._leader()
        take = self._takes[self.chosen]
        texture = None if take.shown is None else unwrap_texture(*take.shown)
        write_glb(self._path, take.last, texture, take.animation())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _leader(self) -> int:
        return max(self._takes, key=lambda id: self._takes[id].weight)

    def _forget(self, present: set[int]) -> None:
        """Let go of the pictures of ended tracks that others outweigh, so that hundreds of shots fit into memory."""
        absent = [id for id in self._takes.keys() - present if self._takes[id].shown is not None]
        leader = self._leader() if absent else None
        for id in absent:
            if id != leader:
                self._takes[id].shown, self._takes[id].clearness = None, 0.0
