"""Which face of a video is written or sent where an output has room for one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddfa.errors import OutputError
from ddfa.video.tracking.tracker import TrackedFace


@dataclass
class LongestTrack:
    """Chooses, at the end of a video, the track that is largest and longest in view: size summed over frames.

    Attributes:
        wanted: id of the track to choose instead; None for the largest and longest.
        sizes: size of each track, summed over frames; only of the wanted track, if there is one.
        seen: ids of all tracks.
    """

    wanted: int | None = None
    sizes: dict[int, float] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def add(self, faces: Sequence[TrackedFace]) -> list[TrackedFace]:
        """Count the faces of a frame; returns those whose track may be chosen."""
        self.seen.update(face.id for face in faces)
        candidates = [face for face in faces if self.wanted in (None, face.id)]
        for face in candidates:
            self.sizes[face.id] = self.sizes.get(face.id, 0.0) + float(face.faces.scale[0])
        return candidates

    @property
    def leader(self) -> int | None:
        """The track that is ahead so far; None if there is none."""
        return max(self.sizes, key=self.sizes.__getitem__, default=None)

    def chosen(self, path: Path) -> int | None:
        """The id of the chosen track; None if the video has no faces.

        Args:
            path: the file to write, for the message.

        Raises:
            OutputError: the video has faces, but not the wanted track.
        """
        if self.seen and self.wanted is not None and self.leader is None:
            known = ", ".join(map(str, sorted(self.seen)))
            raise OutputError(f"no track {self.wanted} for {path}: the video has {known}")
        return self.leader


class FollowedTrack:
    """Chooses, while a video plays, one face: the largest, and then that person for as long as they are in view.

    Args:
        wanted: id of the track to choose instead.
    """

    def __init__(self, wanted: int | None = None) -> None:
        self._wanted, self._followed = wanted, wanted

    def among(self, faces: Collection[TrackedFace]) -> TrackedFace | None:
        """The chosen face of a frame; None if it is not in view."""
        by_id = {face.id: face for face in faces}
        if self._wanted is None and self._followed not in by_id and by_id:
            self._followed = max(by_id, key=lambda id: float(by_id[id].faces.scale[0]))
        return None if self._followed is None else by_id.get(self._followed)
