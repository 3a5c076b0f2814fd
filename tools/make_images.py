"""Make the images of the documentation from the sample photos: `python tools/make_images.py`."""

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from ddfa import FaceAligner, Faces, read_image, write_image
from ddfa.arrays import UInt8
from ddfa.data.face_profiling.eyelids import EyelidSynthesizer
from ddfa.data.face_profiling.pipeline import FaceRotator, ProfileConfig
from ddfa.data.sets.dataset import LabelledPhotos
from ddfa.data.sets.labels import Labels
from ddfa.data.sets.photos import Photos
from ddfa.data.synthetic.objects.hands import hand_occluder
from ddfa.data.synthetic.objects.occluders import composite
from ddfa.draw.contact_sheet import draw_sheet
from ddfa.draw.landmarks import draw_landmarks
from ddfa.draw.overlay import draw_overlay
from ddfa.files import make_folder, write_atomically
from ddfa.geometry.camera import FLIP_Y, FLIP_Y_MATRIX, project
from ddfa.geometry.pose import matrix_from_euler
from ddfa.provenance import SyntheticImage, write_synthetic
from ddfa.raster.maps import FaceMaps
from ddfa.raster.paf import pose_adaptive_feature
from ddfa.raster.rasterize import interpolate, rasterize
from ddfa.raster.visibility import vertex_visibility
from ddfa.regress.crop import cut_crops
from ddfa.replace.replacer import Replacer
from ddfa.replace.source import source_from_photos
from ddfa.texture.unwrap import Texture, unwrap_texture

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 900
SHEET_WIDTH = 1400
MAPS_PHOTO = "grace_hopper.jpg"
MAPS_SIDE = 400
SEQUENCE_PHOTO = "astronaut.jpg"
SEQUENCE_SIDE = 190
TEXTURE_PHOTOS = ("astronaut.jpg", "grace_hopper.jpg")
TEXTURE_YAWS = (-85, -45, 0, 45, 85, 180)
TEXTURE_SIDE = 200
TURNING_SIDE, TURNING_FRAMES, TURNING_YAW = 220, 48, 50.0
REPLACED = (("astronaut.jpg", "grace_hopper.jpg"), ("grace_hopper.jpg", "astronaut.jpg"))  # source and target
REPLACED_YAWS = (45, 80)
REPLACED_SIDE = 400
HANDS, HAND_SKIN = (5, 10, 16, 18), np.array([0.85, 0.65, 0.52])
WALL = (214, 204, 205)  # the colour behind her


def main() -> int:
    """Align every sample and write its overlay, smaller, to docs/images; turn one of the faces."""
    aligner = FaceAligner()
    folder = make_folder(ROOT / "docs" / "images")
    for photo in sorted((ROOT / "samples").glob("*.jpg")):
        image = read_image(photo)
        overlay = draw_overlay(image, aligner(image, refine=True))
        height = round(overlay.shape[0] * WIDTH / overlay.shape[1])
        write_image(folder / photo.name, cv2.resize(overlay, (WIDTH, height), interpolation=cv2.INTER_AREA))
        print(folder / photo.name)
    faces = aligner(read_image(ROOT / "samples" / SEQUENCE_PHOTO), refine=True)
    write_sheet(folder / "sheet.jpg", read_image(ROOT / "samples" / SEQUENCE_PHOTO), faces)
    image = read_image(ROOT / "samples" / MAPS_PHOTO)
    write_image(folder / "maps.jpg", maps_sheet(image, aligner(image, refine=True).single(0)))
    print(folder / "maps.jpg")
    write_image(folder / "profile_sequence.jpg", profile_sequence(faces.single(0)))
    print(folder / "profile_sequence.jpg")
    photos = [read_image(ROOT / "samples" / name) for name in TEXTURE_PHOTOS]
    people = [TexturedPhoto.of(photo, aligner(photo, refine=True).single(0)) for photo in photos]
    write_image(folder / "texture.jpg", np.vstack([texture_row(person) for person in people]))
    print(folder / "texture.jpg")
    write_turning(folder / "turning.webp", people)
    print(folder / "turning.webp")
    replaced = np.vstack([replaced_row(aligner, *names) for names in REPLACED])
    write_synthetic(folder / "replaced.jpg", SyntheticImage(replaced))
    print(folder / "replaced.jpg")
    write_synthetic(folder / "hands.jpg", SyntheticImage(hands_row(aligner, *REPLACED[1])))
    print(folder / "hands.jpg")
    return 0


def maps_sheet(image: UInt8, face: Faces) -> UInt8:
    """The photo, depth, normals, PNCC; texture coordinates, regions, visible vertices, pose adaptive feature."""
    maps = FaceMaps(face)
    seen = maps.spread(vertex_visibility(face)[:, None].astype(np.float32))
    pictures = [
        image,
        maps.depth16() / 257,
        maps.normals8(),
        maps.pncc(),
        maps.uv16() / 257,
        maps.regions(),
        255 * seen,
    ]
    rows, columns = (np.flatnonzero(maps.mask.any(axis=axis)) for axis in (1, 0))
    x, y = int(columns.mean()), int(rows.mean())
    half = min(int(1.1 * max(np.ptp(rows), np.ptp(columns)) / 2), x, y, image.shape[1] - x, image.shape[0] - y)
    cut = [np.asarray(picture, np.uint8)[y - half : y + half, x - half : x + half] for picture in pictures]
    crop = cut_crops(image, face.roi, face.crop_size, face.convention)[0]
    tiles = [
        cv2.resize(picture, (MAPS_SIDE, MAPS_SIDE), interpolation=cv2.INTER_AREA)
        for picture in [*cut, pose_adaptive_feature(crop, face)]
    ]
    tiles = [cv2.cvtColor(tile, cv2.COLOR_GRAY2RGB) if tile.ndim == 2 else tile for tile in tiles]
    return np.vstack([np.hstack(tiles[:4]), np.hstack(tiles[4:])])


def write_sheet(path: Path, image: UInt8, faces: Faces) -> None:
    """Write the sheet of a photo, smaller."""
    sheet = draw_sheet(image, faces)
    height = round(sheet.shape[0] * SHEET_WIDTH / sheet.shape[1])
    write_image(path, cv2.resize(sheet, (SHEET_WIDTH, height), interpolation=cv2.INTER_AREA))
    print(path)


class TexturedPhoto(NamedTuple):
    """The part of a photo that shows a face, the face, and its texture."""

    shown: UInt8
    face: Faces
    texture: Texture

    @staticmethod
    def of(photo: UInt8, face: Faces) -> "TexturedPhoto":
        """Cut out the face and unwrap its texture."""
        x0, y0, x1, y1 = (max(round(float(value)), 0) for value in face.roi[0])
        return TexturedPhoto(photo[y0:y1, x0:x1], face, unwrap_texture(photo, face))

    def tiles(self, yaws: Iterable[float], side: int) -> list[UInt8]:
        """The face in its photo, then the head with its texture at each yaw."""
        pictures = (self.shown, *(turned_head(self.face, self.texture, yaw) for yaw in yaws))
        return [cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in pictures]


def texture_row(person: TexturedPhoto) -> UInt8:
    """The face in its photo, then the head with its texture, turned."""
    return np.hstack(person.tiles(TEXTURE_YAWS, TEXTURE_SIDE))


def write_turning(path: Path, people: list[TexturedPhoto]) -> None:
    """An animation: each photo, and beside it the textured head that turns from side to side."""
    yaws = TURNING_YAW * np.sin(np.linspace(0, 2 * np.pi, TURNING_FRAMES, endpoint=False))
    rows = [person.tiles(yaws, TURNING_SIDE) for person in people]
    frames = [
        Image.fromarray(np.hstack([tile for shown, *turned in rows for tile in (shown, turned[k])]))
        for k in range(TURNING_FRAMES)
    ]
    content = io.BytesIO()
    frames[0].save(content, "WEBP", save_all=True, append_images=frames[1:], duration=60, loop=0, quality=60, method=6)
    write_atomically(path, content.getvalue())


def replaced_row(aligner: FaceAligner, source_name: str, target_name: str) -> UInt8:
    """The source; then the target as photographed and turned, each beside itself with the source's face."""
    source_photo, target_photo = (read_image(ROOT / "samples" / name) for name in (source_name, target_name))
    person, target = (aligner(photo, refine=True).single(0) for photo in (source_photo, target_photo))
    replacer = Replacer(source_from_photos([source_photo], [person]))
    profiler = FaceRotator(
        labelled(target, target_name), target.head, ProfileConfig(Path(), Path(), picture=REPLACED_SIDE)
    )
    pitch, side = float(target.euler_deg[0, 1]), np.sign(float(target.euler_deg[0, 0]))
    wall = np.full((REPLACED_SIDE, REPLACED_SIDE, 3), WALL, np.uint8)
    tiles = [cut_crops(source_photo, person.roi, REPLACED_SIDE, person.convention)[0]]
    for yaw in (float(target.euler_deg[0, 0]), *(side * yaw for yaw in REPLACED_YAWS)):
        sample = profiler.picture(0, (yaw, pitch), None, wall)
        points = target.head.decode_landmarks(sample.identity[None], sample.expression[None])
        face = aligner(sample.image, landmarks=project(points, sample.pose))
        tiles += [sample.image, replacer(sample.image, face).unmarked_pixels]
    return np.hstack([cv2.resize(tile, (TEXTURE_SIDE,) * 2, interpolation=cv2.INTER_AREA) for tile in tiles])


def hands_row(aligner: FaceAligner, source_name: str, target_name: str) -> UInt8:
    """The target with drawn hands before the face, each beside itself with the source's face."""
    source_photo, photo = (read_image(ROOT / "samples" / name) for name in (source_name, target_name))
    replacer = Replacer(source_from_photos([source_photo], [aligner(source_photo, refine=True).single(0)]))
    face = aligner(photo, refine=True).single(0)
    x0, y0, x1, y1 = (float(value) for value in face.roi[0])
    tiles = []
    for seed in HANDS:
        rng = np.random.default_rng(seed)
        hand = hand_occluder(min(photo.shape[:2]), ((x0 + x1) / 2, (y0 + y1) / 2, 0.85 * (y1 - y0)), HAND_SKIN, rng)
        shown = np.clip(255 * composite(photo.astype(np.float32) / 255, hand, rng), 0, 255).astype(np.uint8)
        seen = aligner(shown, landmarks=face.landmarks68)  # of the bare face, as one that follows it knows them
        for picture in (shown, replacer(shown, seen).unmarked_pixels):
            cut = picture[max(round(y0), 0) : round(y1) + 30, max(round(x0) - 15, 0) : round(x1) + 15]
            tiles.append(cv2.resize(cut, (TEXTURE_SIDE,) * 2, interpolation=cv2.INTER_AREA))
    return np.hstack(tiles)


def turned_head(face: Faces, texture: Texture, yaw: float) -> UInt8:
    """A textured head before the wall, three times TEXTURE_SIDE large."""
    head, side = face.head, 3 * TEXTURE_SIDE
    assert head.uv is not None and head.uv_triangles is not None
    points = head.decode(face.identity, face.expression)[0] - [0, 20, 0]  # mm: the middle of the head
    points = points @ matrix_from_euler(np.array([yaw, 0.0, 0.0])).T * (side / 300)
    points = np.asarray(points * FLIP_Y + [side / 2, side / 2, 0], np.float32)
    raster = rasterize(points, head.triangles, side, side)
    places = np.asarray(head.uv * [texture.size, -texture.size] + [-0.5, texture.size - 0.5], np.float32)
    places = interpolate(raster, head.uv_triangles, places)
    drawn = cv2.remap(texture.image, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    return np.where(raster.mask[..., None], drawn, np.uint8(WALL))


def profile_sequence(face: Faces) -> UInt8:
    """The face of SEQUENCE_PHOTO turned further and further, nodding, eyes shut, winking; below, with its landmarks."""
    data = labelled(face)
    profiler = FaceRotator(data, face.head, ProfileConfig(Path(), Path(), picture=SEQUENCE_SIDE))
    yaw, pitch = (float(angle) for angle in face.euler_deg[0, :2])
    side = np.sign(yaw)
    lids, own = EyelidSynthesizer(face.head), data.labels.expression[0]
    shut, wink = own.copy(), own.copy()
    lids.close(face.identity[0], shut, np.array([1.0, 1.0]))
    lids.close(face.identity[0], wink, np.array([0.0, 1.0]))
    shown = [(yaw, pitch, None), *((side * goal, pitch, None) for goal in (20, 40, 60, 80)), (yaw, pitch + 25, None)]
    shown += [(yaw, pitch, shut), (side * 45, pitch, wink)]
    wall = np.full((SEQUENCE_SIDE, SEQUENCE_SIDE, 3), WALL, np.uint8)
    samples = [profiler.picture(0, (yaw, pitch), expression, wall) for yaw, pitch, expression in shown]
    below = []
    for sample in samples:
        below.append(sample.image.copy())
        points = face.head.decode_landmarks(sample.identity[None], sample.expression[None])[0]
        draw_landmarks(below[-1], project(points, sample.pose))
    return np.vstack([np.hstack([sample.image for sample in samples]), np.hstack(below)])


def labelled(face: Faces, name: str = SEQUENCE_PHOTO) -> LabelledPhotos:
    """The face as a data set of one photo."""
    linear = face.scale[0] * FLIP_Y_MATRIX @ face.rotation[0]
    pose = np.column_stack([linear, face.translation[0]])[None].astype(np.float32)
    quality = np.zeros(1, np.float32)
    labels = Labels((name,), pose, face.identity, face.blendshapes, quality, face.head.name)
    photos = Photos(ROOT / "samples")
    return LabelledPhotos(photos, labels, labels.landmarks(face.head), face.euler_deg[:, 0].astype(np.float64))


if __name__ == "__main__":
    sys.exit(main())
