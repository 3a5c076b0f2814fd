"""`ddfa bench identity`: the neutral shape of people across photos or the frames of videos."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from ddfa.arrays import UInt8
from ddfa.bench.identity import (
    IdentityScores,
    fused_halves,
    identity_report,
    largest_faces,
    neutral_shapes,
    people_in,
    score_identity,
)
from ddfa.bench.jitter import recorded
from ddfa.commands.bench.options import ModelOptions, progress
from ddfa.commands.part import WHOLE
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError
from ddfa.options import Every


def identity(
    run: ModelOptions,
    photos: Annotated[Path | None, arg(metavar="DIR|TAR")] = None,
    videos: Annotated[tuple[Path, ...], arg(metavar="FILE ...")] = (),
    every: Every = 10,
) -> int:
    """Measure how much the neutral shape changes between photos of one person, and how much people differ.

    "Fused halves" compares the shape fused from every other photo of a person with that from the photos between.

    Args:
        run: what is measured, and where the results go.
        photos: folder or .tar with one folder of photos per person.
        videos: videos of one person each, besides or instead of photos.
        every: of the frames of a video.

    Returns:
        Exit code 0.
    """
    if photos is None and not videos:
        raise DataError("name photos with --photos FOLDER, one folder per person, or videos with --videos")
    if every < 1:
        raise DataError("--every must be 1 or more")
    sources = _Sources(photos, videos, every)
    scores = []
    for aligner in run.aligners():
        name = aligner.bundle.name
        order, watch = list(sources.people), progress(name)
        faces = {order[k]: largest_faces(aligner, sources.images(order[k])) for k in watch(range(len(order)))}
        for title, chosen in ((name, faces), (f"{name}, fused halves", {p: fused_halves(f) for p, f in faces.items()})):
            shapes = {person: neutral_shapes(aligner.head, found) for person, found in chosen.items()}
            scores.append(score_identity(title, shapes))
    _check(scores)
    title = (
        f"neutral shapes of {len(sources.people)} people (mean distance of vertices of the face; detected, two steps)"
    )
    return run.finish(identity_report(scores, title))


class _Sources:
    """Images by person.

    Args:
        photos: see `identity`.
        videos: see `identity`.
        every: see `identity`.
    """

    def __init__(self, photos: Path | None, videos: tuple[Path, ...], every: int) -> None:
        self._photos = None if photos is None else Photos(photos)
        self._every = every
        named = {} if self._photos is None else people_in(self._photos)
        self.people: dict[str, list[str] | Path] = {**named, **{video.stem: video for video in videos}}
        if len(self.people) < len(named) + len(videos):
            raise DataError("two people have the same name: rename a folder or a video")

    def images(self, person: str) -> Iterator[UInt8]:
        """The images of a person."""
        source = self.people[person]
        if isinstance(source, Path):
            yield from (frame.image for frame in islice(recorded(WHOLE.open(source)), 0, None, self._every))
        else:
            assert self._photos is not None
            yield from (self._photos.read(name) for name in source)


def _check(scores: list[IdentityScores]) -> None:
    if not all(len(one.within) for one in scores):
        raise DataError("no person has two images that show a face: name more photos, or a longer video")
