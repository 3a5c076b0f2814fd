from dataclasses import replace

import cv2
import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.errors import ModelError
from ddfa.head.model import HeadModel
from ddfa.images import read_image
from ddfa.raster.rasterize import interpolate, rasterize
from ddfa.raster.visibility import vertex_visibility
from ddfa.texture.atlas import atlas_of
from ddfa.texture.unwrap import Texture, photo_layer, texture_of_layers, unwrap_texture

from ..face_factory import place_faces

SIZE = 128


@pytest.fixture(scope="module")
def head():
    return HeadModel.load()


def painted(head):
    """A texture whose colours encode the position on the head."""
    position = atlas_of(head, SIZE).position
    image = np.clip(128 + position * [0.9, 0.9, 0.5] + [0, 0, -60], 0, 255).astype(np.uint8)
    return Texture(image, np.ones((SIZE, SIZE), np.float32))


def drawn(faces, texture):
    """The photo (H, W, 3) of a textured face before grey."""
    width, height = faces.image_size
    raster = rasterize(faces.vertices[0], faces.head.triangles, height, width)
    places = interpolate(raster, faces.head.uv_triangles, atlas_of(faces.head, texture.size).uv)
    colours = cv2.remap(texture.image, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    return np.where(raster.mask[..., None], colours, np.uint8(90)), raster.mask


def large_face(head, yaw=0.0):
    return place_faces(head, [(yaw, 0.0, 0.0)], side=300.0)


@pytest.mark.parametrize("yaw", [0.0, 30.0])
def test_a_texture_is_found_again_in_its_photo(head, yaw):
    faces, truth = large_face(head, yaw), painted(head)
    photo, _ = drawn(faces, truth)
    found = unwrap_texture(photo, faces, SIZE, keep_occluders=True)
    assert found.image.shape == (SIZE, SIZE, 3) and found.image.dtype == np.uint8
    seen = (found.validity > 0.9) & (atlas_of(head, SIZE).face > 0.9)
    assert seen.mean() > 0.07
    away = np.abs(found.image[seen].astype(float) - truth.image[seen])
    assert np.quantile(away, 0.95) < 12
    again, mask = drawn(faces, found)
    mask = cv2.erode(mask.astype(np.uint8), np.ones((25, 25))) > 0  # what is seen from the side is left to guesses
    assert np.abs(again[mask].astype(float) - photo[mask]).mean() < 6


@pytest.mark.parametrize("yaw", [0.0, 30.0])
def test_visible_skin_is_drawn_as_in_its_photo_up_to_the_border_of_the_face(head, yaw):
    """Spotted skin with lips and brows, from which nothing is to be left out."""
    size = 512
    atlas, faces = atlas_of(head, size), large_face(head, yaw)
    spots = 0.06 * np.sin(atlas.position / 3).sum(axis=2, keepdims=True)
    brows = np.where(atlas.brow_mm < 3, 0.5, 1.0)[..., None]
    skin = np.array([200, 150, 120]) * (1 + spots) * brows - [40, 60, 40] * atlas.lips[..., None]
    photo, _ = drawn(faces, Texture(np.clip(skin, 0, 255).astype(np.uint8), np.ones((size, size), np.float32)))
    again, mask = drawn(faces, unwrap_texture(photo, faces, size))
    raster = rasterize(faces.vertices[0], head.triangles, *photo.shape[:2])
    facing = atlas.normals(faces.vertices[0] * [1, -1, 1])[:, 2]
    shown = vertex_visibility(faces) & head.regions["face"] & (facing > 0.6)
    fields = np.column_stack([shown, ~head.regions["skin"]]).astype(np.float32)
    face, inner = np.moveaxis(interpolate(raster, head.triangles, fields), 2, 0)
    away = np.abs(again.astype(float) - photo).max(axis=2)[mask & (face > 0.99) & (inner < 0.01)]
    # Beside the nose, what is hidden is not told exactly from what is seen.
    assert away.mean() < 2 and np.quantile(away, 0.8) <= 2


def test_what_lies_behind_a_narrow_fit_is_not_painted_on_the_cheek(head):
    """The face in the photo is narrower than its fit: blue background lies where the cheek should be."""
    faces = large_face(head, 40.0)
    _, mask = drawn(faces, painted(head))
    shown = cv2.erode(mask.astype(np.uint8), np.ones((17, 17))) > 0
    photo = np.where(shown[..., None], np.uint8((200, 150, 120)), np.uint8((60, 90, 200)))
    atlas = atlas_of(head, SIZE)
    found = unwrap_texture(photo, faces, SIZE).image[(atlas.face > 0.9) & (atlas.beard < 0.05) & (atlas.hair < 0.1)]
    assert (found[:, 2] > found[:, 0]).mean() < 0.01


def test_validity_tells_seen_from_mirrored_from_painted(head):
    atlas = atlas_of(head, SIZE)
    faces = large_face(head, 60.0)  # it turns to the image left: the subject's left, at +x, faces the viewer
    found = unwrap_texture(drawn(faces, painted(head))[0], faces, SIZE, keep_occluders=True)
    x = atlas.position[..., 0]
    cheek = (atlas.face > 0.95) & (np.abs(np.abs(x) - 45) < 8)
    assert np.median(found.validity[cheek & (x > 0)]) > 0.95
    assert np.median(found.validity[cheek & (x < 0)]) == pytest.approx(0.5, abs=0.05)
    back = atlas.skin & (atlas.position[..., 2] < -60) & (np.abs(x) < 20)
    frontal = unwrap_texture(drawn(large_face(head), painted(head))[0], large_face(head), SIZE)
    assert back.any() and frontal.validity[back].max() == 0
    assert found.validity.min() >= 0 and found.validity.max() <= 1


def test_hidden_skin_has_the_colour_of_the_other_side(head):
    atlas, faces = atlas_of(head, SIZE), large_face(head, 60.0)
    truth = painted(head)
    symmetric = replace(truth, image=np.maximum(truth.image, atlas.mirrored(truth.image).astype(np.uint8)))
    found = unwrap_texture(drawn(faces, symmetric)[0], faces, SIZE, delight=True, keep_occluders=True)
    hidden = (atlas.face > 0.95) & (atlas.position[..., 0] < -35)
    away = np.abs(found.image[hidden].astype(float) - symmetric.image[hidden])
    assert np.median(away) < 14


def test_what_lies_off_the_photo_is_not_seen(head):
    faces = large_face(head)
    photo, _ = drawn(faces, painted(head))
    row = int(faces.landmarks68[0, 30, 1])
    cut = replace(faces, image_size=(photo.shape[1], row))
    found = unwrap_texture(photo[:row], cut, SIZE)
    atlas = atlas_of(head, SIZE)
    chin = (atlas.face > 0.95) & (atlas.position[..., 1] < -50)
    assert chin.any() and found.validity[chin].max() == 0
    nothing = unwrap_texture(photo, replace(faces, roi=faces.roi + np.float32(5000)), SIZE)
    assert nothing.validity.max() == 0


def test_shading_is_taken_out(head):
    faces = large_face(head)
    photo, _ = drawn(faces, Texture(np.full((SIZE, SIZE, 3), 150, np.uint8), np.ones((SIZE, SIZE), np.float32)))
    normals = atlas_of(head, SIZE).normals(faces.vertices[0] * [1, -1, 1])
    raster = rasterize(faces.vertices[0], head.triangles, *photo.shape[:2])
    light = interpolate(raster, head.triangles, 0.8 + 0.4 * normals[:, :1])
    lit = np.where(raster.mask[..., None], photo * light, photo).astype(np.uint8)
    face = (atlas_of(head, SIZE).face > 0.95) & (unwrap_texture(lit, faces, SIZE).validity > 0.9)
    shaded, flat = (unwrap_texture(lit, faces, SIZE, delight=delight).image[face].std() for delight in (False, True))
    assert flat < 0.4 * shaded


def test_fusing_takes_each_side_from_the_photo_that_sees_it(head):
    truth, atlas = painted(head), atlas_of(head, SIZE)
    faces = large_face(head, 50.0), large_face(head, -50.0)
    layers = [photo_layer(drawn(f, truth)[0], f, atlas, keep_occluders=True) for f in faces]
    fused, *sides = (texture_of_layers(some, atlas) for some in (layers, layers[:1], layers[1:]))
    face = atlas.face > 0.95
    away = [np.abs(t.image[face].astype(float) - truth.image[face]).mean() for t in (fused, *sides)]
    assert away[0] < min(away[1:])
    assert (fused.validity[face] >= np.maximum(sides[0].validity, sides[1].validity)[face] - 0.01).all()


def test_what_is_in_front_of_the_skin_is_left_out(root):
    """A blue cloth over the forehead."""
    photo = np.array(read_image(root / "samples" / "astronaut.jpg"))
    faces = FaceAligner()(photo).single(0)
    brows = faces.landmarks68[0, 17:27, 1].min()
    height = faces.landmarks68[0, 8, 1] - brows
    photo[: int(brows - 0.12 * height)] = (40, 60, 190)
    atlas = atlas_of(faces.head, 256)
    forehead = (atlas.face > 0.95) & (atlas.hair < 0.05) & (atlas.position[..., 1] > atlas.brow_top + 25)
    kept, removed = (unwrap_texture(photo, faces, 256, keep_occluders=keep).image for keep in (True, False))
    assert forehead.sum() > 50
    assert np.median(kept[forehead][:, 2]) > 150
    cheeks = np.median(removed[(atlas.plain > 0.9) & (np.abs(atlas.position[..., 1]) < 20)], axis=0)
    assert np.abs(np.median(removed[forehead], axis=0) - cheeks).max() < 35


def test_one_face_of_the_open_head_is_asked_for(head, toy_head):
    photo = np.zeros((240, 320, 3), np.uint8)
    with pytest.raises(ModelError, match="open head"):
        unwrap_texture(photo, place_faces(toy_head), SIZE)
    with pytest.raises(ValueError, match="one face"):
        unwrap_texture(photo, place_faces(head, [(0, 0, 0)] * 2), SIZE)
