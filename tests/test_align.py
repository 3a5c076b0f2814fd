import multiprocessing

import cv2
import numpy as np
import pytest
from PIL import Image

from ddfa.align import FaceAligner
from ddfa.detect import Detections
from ddfa.errors import DetectorError, ImageError, ModelError
from ddfa.faces import Faces
from ddfa.geometry.camera import FLIP_Y
from ddfa.geometry.perspective import Camera, Intrinsics
from ddfa.geometry.pose import in_plane_deg
from ddfa.geometry.roi import FITTED_ENLARGEMENT, roi_from_boxes, roi_from_landmarks
from ddfa.images import read_image
from ddfa.regress.convention import PixelConvention

from .conftest import make_bundle


@pytest.fixture(scope="module")
def aligner(toy_bundle):
    return FaceAligner(toy_bundle, threads=1, any_roll=False)  # a face of noise may have any roll


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)


BOXES = np.array([[50, 60, 150, 170], [200, 80, 290, 190]], np.float32)


def test_faces_do_not_depend_on_each_other(aligner, image):
    together = aligner(image, boxes=BOXES)
    assert len(together) == 2 and together.image_size == (400, 300)
    for i in range(2):
        np.testing.assert_allclose(aligner(image, boxes=BOXES[i : i + 1]).params, together.params[i : i + 1], atol=1e-4)


def test_rois_follow_the_boxes_and_the_landmarks(aligner, image):
    np.testing.assert_array_equal(
        aligner(image, boxes=BOXES).roi, roi_from_boxes(BOXES, enlargement=FITTED_ENLARGEMENT)
    )
    points = np.random.default_rng(1).uniform(60, 160, (1, 68, 2)).astype(np.float32)
    faces = aligner(image, landmarks=points)
    np.testing.assert_array_equal(faces.roi, roi_from_landmarks(points))
    np.testing.assert_array_equal(faces.boxes[0, :2], points[0].min(axis=0))


def test_refine_regresses_again_around_the_first_landmarks(aligner, image):
    once, twice = aligner(image, boxes=BOXES), aligner(image, boxes=BOXES, refine=True)
    np.testing.assert_array_equal(twice.roi, roi_from_landmarks(once.landmarks68))
    np.testing.assert_array_equal(twice.boxes, once.boxes)


def test_refine_keeps_the_first_roi_where_landmarks_are_unusable(aligner, image, monkeypatch):
    nowhere = np.full((2, 4), np.nan, np.float32)
    monkeypatch.setattr("ddfa.located.roi_from_landmarks", lambda _: nowhere)
    np.testing.assert_array_equal(
        aligner(image, boxes=BOXES, refine=True).roi, roi_from_boxes(BOXES, enlargement=FITTED_ENLARGEMENT)
    )


def test_custom_detector(toy_bundle, image):
    points = np.random.default_rng(1).uniform(60, 160, (1, 68, 2)).astype(np.float32)

    def with_boxes(_):
        return Detections(BOXES, np.array([0.9, 0.8], np.float32))

    def with_landmarks(_):
        return Detections(BOXES[:1], np.array([0.9], np.float32), points)

    faces = FaceAligner(toy_bundle, detector=with_boxes, any_roll=False)(image)
    np.testing.assert_array_equal(faces.scores, np.array([0.9, 0.8], np.float32))
    faces = FaceAligner(toy_bundle, detector=with_landmarks, any_roll=False)(image)
    np.testing.assert_array_equal(faces.roi, roi_from_landmarks(points))


def test_detector_by_name(toy_bundle, image):
    assert type(FaceAligner(toy_bundle, detector="yunet").detector) is type(FaceAligner(toy_bundle).detector)
    with pytest.raises(DetectorError, match="unknown detector 'retina'"):
        FaceAligner(toy_bundle, detector="retina")


def test_no_face_is_a_result(toy_bundle, image):
    faces = FaceAligner(toy_bundle, detector=lambda _: Detections.none())(image, refine=True)
    assert len(faces) == 0 and faces.landmarks68.shape == (0, 68, 3)
    aligner = FaceAligner(toy_bundle)
    for nothing in (np.zeros((0, 4)), []):
        assert len(aligner(image, boxes=nothing)) == len(aligner(image, landmarks=nothing)) == 0


def test_original_bundles_truncate_the_roi(tmp_path, image):
    aligner = FaceAligner(make_bundle(tmp_path / "v2", convention=PixelConvention.V2), any_roll=False)
    side = aligner(image, boxes=BOXES).roi[:, 2] - aligner(image, boxes=BOXES).roi[:, 0]
    np.testing.assert_array_equal(side, [165, 158])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 10, 10), np.uint8),
        np.zeros((10, 10, 2), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        None,
    ],
)
def test_wrong_images(aligner, image):
    with pytest.raises(ImageError, match="pass a path, bytes, a Pillow image or an array"):
        aligner(image, boxes=BOXES)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[np.nan, 0, 10, 10]], "finite"),
        ([[10, 10, 10, 20]], "empty"),
        ([[20, 10, 10, 20]], "empty"),
        ([[1, 2, 3]], r"\(n, 4\)"),
        ([[1000, 1000, 1100, 1100]], "outside this image of 400 x 300"),
        ([[0, 0, 1e6, 1e6]], "or far larger"),
        ([[1, 2, 3, 4], [1, 2]], "one array of numbers"),
        ("yunet", "one array of numbers"),
    ],
)
def test_wrong_boxes(aligner, image, boxes, message):
    with pytest.raises(DetectorError, match=message):
        aligner(image, boxes=boxes)


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (np.zeros((1, 5, 2)), r"must be \(n, 68, 2\)"),
        (np.full((1, 68, 2), np.nan), "finite"),
        (np.zeros((1, 68, 2)), "empty"),
    ],
)
def test_wrong_landmarks(aligner, image, landmarks, message):
    with pytest.raises(DetectorError, match=message):
        aligner(image, landmarks=landmarks)


def test_boxes_and_landmarks_together(aligner, image):
    with pytest.raises(DetectorError, match="not both"):
        aligner(image, boxes=BOXES, landmarks=np.ones((1, 68, 2)))


def test_unknown_model():
    with pytest.raises(ModelError, match="no model bundle 'nowhere'"):
        FaceAligner("nowhere")


@pytest.mark.parametrize("threads", [0, -3])
def test_no_threads(toy_bundle, threads):
    with pytest.raises(ModelError, match="use 1 or more"):
        FaceAligner(toy_bundle, threads=threads)


def test_faces_of_several_images_are_regressed_together(aligner, image):
    other = np.ascontiguousarray(image[:200, ::-1])
    nobody = aligner.locate(image, boxes=np.zeros((0, 4), np.float32))
    located = [aligner.locate(image, boxes=BOXES), nobody, aligner.locate(other, boxes=BOXES[:1])]

    both, none, one = aligner.align_located(located, refine=True)

    assert len(none) == 0 and one.image_size == (400, 200)
    np.testing.assert_allclose(both.params, aligner(image, boxes=BOXES, refine=True).params, atol=1e-4)
    np.testing.assert_allclose(one.params, aligner(other, boxes=BOXES[:1], refine=True).params, atol=1e-4)
    assert aligner.align_located([]) == []


SEVERAL = Detections(
    np.array([[10, 10, 110, 110], [150, 20, 230, 100], [250, 40, 290, 80], [20, 200, 80, 260]], np.float32),
    np.array([0.7, 0.95, 0.9, 0.8], np.float32),
)


def test_limits_apply_to_detected_faces_only(toy_bundle, image, monkeypatch):
    monkeypatch.setattr("ddfa.fitter.distinct_faces", lambda landmarks, boxes, scores: np.ones(len(scores), bool))
    limited = FaceAligner(
        toy_bundle, lambda _: SEVERAL, threads=1, any_roll=False, min_score=0.8, min_size=50, max_faces=1
    )
    np.testing.assert_array_equal(limited(image).boxes, SEVERAL.boxes[[1]])
    np.testing.assert_array_equal(limited(image, boxes=SEVERAL.boxes).boxes, SEVERAL.boxes)
    # In an image reduced to half the size, a box of 40 px is one of 80 px of the photo.
    assert len(limited.locate(image, reduced_by=2).found) == 3
    with pytest.raises(DetectorError, match="--max-faces"):
        FaceAligner(toy_bundle, max_faces=-1)


def test_max_faces_keeps_the_largest_whatever_their_order(toy_bundle, image, monkeypatch):
    monkeypatch.setattr("ddfa.fitter.distinct_faces", lambda landmarks, boxes, scores: np.ones(len(scores), bool))
    unsorted = SEVERAL.select(np.array([2, 0, 3, 1]))
    faces = FaceAligner(toy_bundle, lambda _: unsorted, threads=1, any_roll=False, max_faces=2)(image)
    np.testing.assert_array_equal(faces.boxes, SEVERAL.boxes[[0, 1]])


def test_a_face_detected_twice_appears_once(toy_bundle, image):
    twice = Detections(np.concatenate([BOXES, BOXES[:1] + 4]), np.array([0.7, 0.8, 0.9], np.float32))
    aligner = FaceAligner(toy_bundle, lambda _: twice, threads=1, any_roll=False)
    np.testing.assert_array_equal(aligner(image).boxes, twice.boxes[1:])
    assert len(aligner(image, boxes=twice.boxes)) == 3


def test_lower_min_score_reaches_the_detector(toy_bundle):
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    assert len(FaceAligner(toy_bundle, min_score=0.01).detector(image)) > len(FaceAligner(toy_bundle)(image)) == 0


@pytest.mark.parametrize(
    ("photo", "count"), [("cases/ghost-face/crop.jpg", 1), ("data/reference/photos/three_profiles.jpg", 3)]
)
@pytest.mark.parametrize("refine", [False, True])
def test_each_person_once(shared_data, photo, count, refine):
    assert len(FaceAligner(threads=1)(read_image(shared_data.parent / photo), refine=refine)) == count


def test_the_camera_is_that_of_the_results(toy_bundle) -> None:
    camera = Camera(intrinsics=Intrinsics(300, 300, 99.5, 99.5), size=(200, 200))
    aligner = FaceAligner(toy_bundle, camera=camera)
    faces = aligner(np.full((200, 200, 3), 90, np.uint8), boxes=np.array([[50, 50, 120, 120]], np.float32))
    pose = faces.perspective
    assert faces.camera is camera and pose.rotation.shape == (1, 3, 3) and pose.distance_mm.shape == (1,)
    with pytest.raises(ImageError, match="intrinsics for it"):
        aligner(np.zeros((100, 200, 3), np.uint8))
    with pytest.raises(ModelError, match="camera"):
        _ = FaceAligner(toy_bundle)(np.zeros((200, 200, 3), np.uint8), boxes=faces.boxes).perspective


def test_several_images_in_one_call(aligner):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (height, 300, 3), np.uint8) for height in (240, 300, 200)]
    boxes = [BOXES, np.zeros((0, 4), np.float32), BOXES[:1]]
    together = aligner(images, boxes=boxes, refine=True)
    assert [len(faces) for faces in together] == [2, 0, 1] and together[1].image_size == (300, 300)
    for image, given, faces in zip(images, boxes, together, strict=True):
        alone = aligner(image, boxes=given, refine=True)
        np.testing.assert_allclose(faces.params, alone.params, atol=1e-4)
    assert aligner([]) == [] and len(aligner(tuple(images))) == 3
    with pytest.raises(DetectorError, match="as many"):
        aligner(images, boxes=boxes[:2])
    with pytest.raises(ImageError, match="image 1 of the list"):
        aligner([images[0], np.zeros((3, 3, 2), np.uint8)])


def test_faces_of_low_quality_are_dropped_unless_they_are_passed(root):
    image = read_image(root / "samples" / "astronaut.jpg")
    upside_down = np.ascontiguousarray(image[::-1, ::-1])
    every = FaceAligner(threads=1, regions=False, min_quality=0, any_roll=False)
    (box,) = every(image).boxes
    turned = np.array([[*(np.array(image.shape[1::-1]) - 1 - box[2:]), *(np.array(image.shape[1::-1]) - 1 - box[:2])]])
    assert every(image).quality[0] > 0.95 and every(upside_down, turned).quality[0] < 0.3
    strict = FaceAligner(threads=1, regions=False, min_quality=0.999999)
    assert len(strict(image)) == 0 and len(strict(image, box[None])) == 1


def turned(image, degrees):
    """The image turned clockwise on a larger canvas, and the affine map (2, 3) of its points."""
    height, width = image.shape[:2]
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    size = round(width * abs(c) + height * abs(s)), round(width * abs(s) + height * abs(c))
    matrix = np.array([[c, -s, 0], [s, c, 0]])
    matrix[:, 2] = (np.array(size) - 1) / 2 - matrix[:, :2] @ ((np.array([width, height]) - 1) / 2)
    return np.asarray(cv2.warpAffine(image, matrix, size, borderValue=(110, 110, 110)), np.uint8), matrix


def compare(aligner, photo, upright, degrees, **given):
    """Largest landmark error in % of the face size and largest roll error in degrees, over all faces of a photo."""
    image, matrix = turned(photo, degrees)
    faces = aligner(image, **{name: value(matrix) for name, value in given.items()}, refine=True)
    assert len(faces) == len(upright)
    errors = []
    for face in upright.singles():
        points = face.landmarks68[0, :, :2]
        there = points @ matrix[:, :2].T + matrix[:, 2]
        distance = np.linalg.norm(faces.landmarks68[..., :2] - there, axis=2).mean(axis=1)
        best = int(np.argmin(distance))
        roll = in_plane_deg(faces.rotation[best]) - in_plane_deg(face.rotation[0]) - degrees
        size = np.sqrt(np.prod(np.ptp(points, axis=0)))
        errors.append((100 * distance[best] / size, abs((roll + 180) % 360 - 180)))
    return np.max(errors, axis=0)


@pytest.mark.parametrize("sample", ["astronaut", "grace_hopper", "test1"])
def test_any_roll(root, sample):
    photo = read_image(root / "samples" / f"{sample}.jpg")
    aligner = FaceAligner(threads=1)
    upright = aligner(photo, refine=True)
    for degrees in range(45, 360, 45):
        nme, roll = compare(aligner, photo, upright, degrees)
        assert nme < 3 and roll < 3, (degrees, nme, roll)


@pytest.mark.parametrize("degrees", [90, 150, 180, -60])
def test_any_roll_of_own_boxes(root, degrees):
    photo = read_image(root / "samples" / "grace_hopper.jpg")
    aligner = FaceAligner(threads=1, detector=lambda _: pytest.fail("the detector is not used"))
    corners = np.array([[177, 112], [359, 112], [359, 329], [177, 329]])
    upright = aligner(photo, boxes=[[177, 112, 359, 329]], refine=True)

    def boxes(matrix):
        points = corners @ matrix[:, :2].T + matrix[:, 2]
        return [[*points.min(axis=0), *points.max(axis=0)]]

    nme, roll = compare(aligner, photo, upright, degrees, boxes=boxes)
    assert nme < 3 and roll < 3


def test_parameters_mean_the_same_at_any_roll(root):
    """Landmarks, mesh, scale and translation of a turned face follow from its parameters and its RoI."""
    photo = np.ascontiguousarray(read_image(root / "samples" / "grace_hopper.jpg")[::-1, ::-1])
    face = FaceAligner(threads=1)(photo)
    assert abs(abs(in_plane_deg(face.rotation[0])) - 180) < 10
    points = face.head.decode_landmarks(face.identity, face.expression)[0]
    there = face.scale[0] * FLIP_Y * (points @ face.rotation[0].T) + face.translation[0]
    assert np.abs(there - face.landmarks68[0])[:, :2].max() < 0.05 * np.ptp(there[:, 0])
    fresh = Faces(face.boxes, face.scores, face.params, face.roi, face.model, face.image_size)
    np.testing.assert_array_equal(fresh.vertices, face.vertices)


def test_upright_faces_do_not_depend_on_the_option(root):
    photo = read_image(root / "samples" / "test1.jpg")
    with_, without = (FaceAligner(threads=1, any_roll=value)(photo) for value in (True, False))
    np.testing.assert_array_equal(with_.params, without.params)
    np.testing.assert_array_equal(with_.roi, without.roi)


@pytest.mark.parametrize("model", ["default", "v2_mb1"])
def test_upside_down(shared_data, model, request):
    bundle = None if model == "default" else request.getfixturevalue(model)
    faces = FaceAligner(bundle, threads=1)(read_image(shared_data.parent / "cases" / "upside-down" / "rot180.jpg"))
    assert len(faces) == 1 and abs(abs(faces.euler_deg[0, 2]) - 177) < 3


def test_a_wrong_roll_is_corrected_where_the_quality_is_poor(root, monkeypatch):
    monkeypatch.setattr("ddfa.align.RollNetwork", lambda *_: lambda image, roi: np.zeros(len(roi), np.float32))
    photo = read_image(root / "samples" / "grace_hopper.jpg")
    aligner = FaceAligner(threads=1)
    upright = aligner(photo, refine=True)
    nme, roll = compare(aligner, photo, upright, 180)
    assert nme < 3 and roll < 3


def test_every_kind_of_image_gives_the_same_faces(aligner, root):
    path = root / "samples" / "test1.jpg"
    image = read_image(path)
    given = [path, str(path), path.read_bytes(), Image.fromarray(image), image, image / 255, image[..., [0, 1, 2, 2]]]
    given[-1][..., 3] = 255
    boxes = [BOXES] * len(given)
    first, *others = aligner(given, boxes=boxes)
    for faces, one in zip(others, given[1:], strict=True):
        np.testing.assert_allclose(faces.params, first.params, atol=1e-4)
        np.testing.assert_array_equal(aligner(one, boxes=BOXES).image, image)


def test_plain_arrays_of_a_detector(toy_bundle):
    boxes = np.concatenate([BOXES, [[0.5], [0.9]]], axis=1)
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    expected = FaceAligner(toy_bundle, threads=1)(image, boxes=BOXES).params
    for found in (boxes, boxes.tolist(), (BOXES, boxes[:, 4])):
        faces = FaceAligner(toy_bundle, lambda _, found=found: found, threads=1, any_roll=False)(image)
        assert sorted(faces.scores.tolist()) == pytest.approx([0.5, 0.9])
        order = np.argsort(faces.scores)
        np.testing.assert_allclose(faces.params[order], expected, atol=1e-4)
    assert len(FaceAligner(toy_bundle, lambda _: [], threads=1)(image)) == 0


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_aligner_works_in_other_processes(toy_bundle, method):
    """After use in this one, whose threads do not exist in a forked process."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"{method} does not exist on this system")
    aligner = FaceAligner(toy_bundle, threads=2, min_size=3.0, camera=Camera(fov_deg=60))
    images = [np.random.default_rng(seed).integers(0, 256, (240, 320, 3), np.uint8) for seed in range(2)]
    here = [aligner(image, boxes=BOXES) for image in images]
    with multiprocessing.get_context(method).Pool(1) as pool:
        there = pool.starmap(aligner, [(image, BOXES) for image in images])
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(other.params, one.params, atol=1e-5)
        np.testing.assert_allclose(other.vertices, one.vertices, atol=1e-2)
        assert other.camera == one.camera
