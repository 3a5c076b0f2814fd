"""One person in several images: found, fused to one identity, with one texture of all images."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Bools, UInt8
from ddfa.errors import NoFaceError
from ddfa.export.glb import write_glb
from ddfa.export.mesh import write_ply
from ddfa.export.plain import exact
from ddfa.export.record import write_record
from ddfa.faces import Faces
from ddfa.person.finding import PersonFinder
from ddfa.person.fusion import FusedFaces
from ddfa.regress.bundle import MODEL_FILE, Bundle
from ddfa.texture.atlas import atlas_of
from ddfa.texture.unwrap import Texture, photo_layer, texture_of_layers

Images: TypeAlias = Callable[[], Iterable[tuple[str, UInt8]]]
"""Reads the images, with their names, from the first: they are read twice and not kept in memory."""
RECORD_FORMAT: Final = "openddfa.fused"
RECORD_VERSION: Final = 1
TEXTURED: Final = 8  # views of which the texture is made: more blur it


@dataclass(frozen=True)
class Views:
    """Where the person was found.

    Attributes:
        names: of all images.
        numbers: of the images that show the person.
        found: the person's face in each of these.
    """

    names: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    found: list[Faces] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """Names of the images that do not show the person."""
        shown = set(self.numbers)
        return [name for number, name in enumerate(self.names) if number not in shown]

    def names_of(self, views: Bools) -> list[str]:
        """Names of some of the images that show the person, views (n,)."""
        return [self.names[number] for number, named in zip(self.numbers, views, strict=True) if named]


def find_person(aligner: FaceAligner, images: Images, index: int = 0, *, trusting: bool = False) -> Views:
    """Find a person in several images, by the colours of face and hair.

    Args:
        aligner: finds the faces.
        images: the images. The first one with faces shows the person.
        index: which of its faces that is; 0 is the largest.
        trusting: an image with a single face shows the person, see `PersonFinder`.

    Raises:
        NoFaceError: no image shows a face, or the first one has fewer faces than `index` says.
    """
    finder, views = PersonFinder(aligner.head, trusting=trusting), Views()
    for number, (name, image) in enumerate(images()):
        views.names.append(name)
        faces = aligner(image, refine=True)
        if not len(faces):
            continue
        if views.found:
            face = finder.find(image, faces)
        elif index < len(faces):
            face = finder.begin(image, faces.single(index))
        else:
            raise NoFaceError(f"{name} shows only {len(faces)} (0 is the largest): choose another face or image")
        if face is not None:
            views.numbers.append(number)
            views.found.append(face)
    if not views.found:
        raise NoFaceError("no image shows a face: choose other files")
    return views


def texture_of(
    images: Images, placed: dict[int, Faces], size: int = 1024, *, delight: bool = False, keep_occluders: bool = False
) -> Texture:
    """Compute one texture of several images.

    Args:
        images: the images.
        placed: the person's face by the number of its image, see `FusedFaces.faces`; best images first.
        size: side of the texture, px.
        delight: remove shading.
        keep_occluders: see `unwrap_texture`.

    Raises:
        ModelError: the head model has no texture map.
    """
    atlas = atlas_of(next(iter(placed.values())).head, size)
    layers = {}
    for number, (_, image) in enumerate(images()):
        if number in placed:
            layers[number] = photo_layer(image, placed[number], atlas, keep_occluders=keep_occluders)
        if len(layers) == len(placed):
            break
    return texture_of_layers([layers[number] for number in placed], atlas, delight=delight)


def views_for_texture(fused: FusedFaces, most: int = TEXTURED) -> list[int]:
    """Choose the views of which a texture is made: good ones from all sides.

    The views with the largest weights of as many directions as possible: first the best one of all, then always the one
    that is farthest in yaw from those chosen, relative to its weight.

    Args:
        fused: the views.
        most: largest number of views.

    Returns:
        Numbers of views, the best one first; it sets the colours of the texture.
    """
    yaws = np.array([face.euler_deg[0, 0] for face in fused.faces])
    frontal = np.cos(np.deg2rad(yaws)) * fused.weights
    chosen = [int(np.argmax(frontal))]
    while len(chosen) < min(most, int(fused.used.sum())):
        apart = np.abs(yaws[:, None] - yaws[chosen]).min(axis=1)
        score = (apart + 1) * fused.weights
        score[chosen] = -1
        chosen.append(int(np.argmax(score)))
    return chosen


def fused_record(views: Views, fused: FusedFaces, bundle: Bundle) -> dict[str, Any]:
    """Describe a fused head: its identity, and for each image how much it counts, see docs/fuse.md.

    Args:
        views: where the person was found.
        fused: the faces of these views.
        bundle: the model that aligned them.
    """
    found = {number: view for view, number in enumerate(views.numbers)}
    images = []
    for number, name in enumerate(views.names):
        entry: dict[str, Any] = {"path": name, "found": number in found}
        if number in found:
            view = found[number]
            entry |= {
                "weight": exact(fused.weights[view]),
                "distance_mm": exact(fused.distances[view]),
                "box": exact(fused.faces[view].boxes[0]),
                "euler_deg": exact(fused.faces[view].euler_deg[0]),
                "expression": exact(fused.faces[view].expression[0]),
            }
        images.append(entry)
    return {
        "format": RECORD_FORMAT,
        "version": RECORD_VERSION,
        "model": {"name": bundle.name, "sha256": bundle.files[MODEL_FILE], "head": fused.faces[0].head.name},
        "identity": exact(fused.identity),
        "images": images,
    }


def fused_files(stem: Path) -> tuple[Path, Path, Path]:
    """The files that `write_fused` writes."""
    glb, ply, json = (stem.with_name(stem.name + suffix) for suffix in (".glb", ".ply", ".json"))
    return glb, ply, json


def write_fused(stem: Path, fused: FusedFaces, texture: Texture, record: dict[str, Any]) -> list[Path]:
    """Write STEM.glb, the textured head without pose and expression, STEM.ply, its mesh in mm, and STEM.json.

    Args:
        stem: folder and first part of the names.
        fused: the person's faces, of the open head.
        texture: of the head.
        record: see `fused_record`.

    Returns:
        The files.

    Raises:
        OutputError: if one cannot be written.
    """
    neutral = fused.faces[0].without(pose=True, expression=True)
    glb, ply, json = fused_files(stem)
    write_glb(glb, neutral, texture, neutral_pose=True)
    write_ply(ply, neutral.neutral_vertices[0], neutral.head.triangles)
    write_record(json, record)
    return [glb, ply, json]
