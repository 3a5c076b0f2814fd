"""Tracks: ids, lost and found, cuts, smoothing of faces with known truth."""

from dataclasses import replace

import numpy as np
import pytest

from ddfa.align import FaceAligner
from ddfa.detect import Detections
from ddfa.geometry.pose import in_plane_deg, matrix_from_euler
from ddfa.images import read_image
from ddfa.person.compensation import IdentityCompensation
from ddfa.person.motion import motion_of, moved
from ddfa.video.io.source import Frame
from ddfa.video.tracking.identity import IdentityMean
from ddfa.video.tracking.shot_boundary import ShotBoundaryDetector
from ddfa.video.tracking.smoother import TrackSmoother
from ddfa.video.tracking.tracker import FaceTracker

from ...conftest import make_head
from ...face_factory import place_faces
from ...rendered_face import RenderedFace


@pytest.fixture(scope="module")
def face():
    return place_faces(make_head(), [(20.0, -10.0, 5.0)])


def test_motion_and_back(face) -> None:
    again = moved(face, motion_of(face), face.identity[0])
    np.testing.assert_allclose(again.vertices, face.vertices, atol=1e-3)
    turned = moved(face, replace(motion_of(face), rotation=matrix_from_euler([0, 30, 0])), face.identity[0])
    np.testing.assert_allclose(turned.euler_deg[0], [0, 30, 0], atol=1e-4)
    np.testing.assert_allclose(turned.translation, face.translation, atol=1e-3)


def test_identity_settles_and_outliers_hardly_count() -> None:
    rng = np.random.default_rng(0)
    truth, settled = rng.normal(size=20), IdentityMean()
    for k in range(200):
        settled.add(truth + rng.normal(0, 0.3, 20) + (8 if k % 20 == 19 else 0))
    assert np.abs(settled.identity - truth).mean() < 0.15


def test_exchange_keeps_the_face_in_its_place(face) -> None:
    """An identity that looks like an expression and a move is made up for entirely, as far as the ridge lets it."""
    head = face.head
    bases = np.concatenate([1.1 * head.expression_basis[:2], head.identity_basis[2:]])
    head = replace(head, identity_basis=bases.astype(np.float32))
    identity = np.array([0.5, -0.4, 0, 0, 0], np.float32)
    seen = moved(replace(face, model=replace(face.model, head=head)), motion_of(face), identity)
    motion = IdentityCompensation(head, face.layout)(motion_of(seen), identity)
    left = np.abs(moved(seen, motion, np.zeros(5)).landmarks68 - seen.landmarks68).mean()
    lost = np.abs(moved(seen, motion_of(seen), np.zeros(5)).landmarks68 - seen.landmarks68).mean()
    assert left < 0.15 * lost


@pytest.mark.parametrize("ahead", [0, 3])
def test_a_still_face_is_three_times_calmer(face, ahead: int) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (80, face.params.shape[1])) * np.where(np.arange(face.params.shape[1]) < 12, 1e-3, 0.1)
    noise[:, [3, 7]] = rng.normal(0, 0.3, (80, 2))
    raw = [replace(face, params=face.params + row.astype(np.float32)) for row in noise]
    steady = TrackSmoother(IdentityCompensation(face.head, face.layout), ahead)
    given = [steady.add(k / 25, one) for k, one in enumerate(raw)]
    smooth = [one for one in given if one is not None] + steady.finish()
    assert len(smooth) == len(raw)

    def jitter(faces) -> float:
        return float(np.square(np.diff([one.landmarks68[0, :, :2] for one in faces][10:], 2, axis=0)).mean() ** 0.5)

    assert jitter(smooth) < jitter(raw) / 3


@pytest.mark.parametrize("ahead", [0, 3])
def test_lag_is_under_a_frame(face, ahead: int) -> None:
    steady = TrackSmoother(IdentityCompensation(face.head, face.layout), ahead)
    motion, yaws = motion_of(face), [-60 + 2.4 * k for k in range(50)]  # 60 degrees/s at 25 frames/s
    faces = [moved(face, replace(motion, rotation=matrix_from_euler([y, 0, 0])), face.identity[0]) for y in yaws]
    given = [steady.add(k / 25, one) for k, one in enumerate(faces)]
    smooth = [one for one in given if one is not None] + steady.finish()
    behind = np.array(yaws) - [one.euler_deg[0, 0] for one in smooth]
    assert np.abs(behind[25:-5]).max() < (2.4 if ahead == 0 else 0.3)


@pytest.fixture(scope="module")
def blinking_frames() -> list[Frame]:
    """A face at rest that blinks once, for 3 of 27 frames."""
    rendered = RenderedFace(seed=2)
    opened, closed = rendered.draw(), rendered.draw(eyeBlinkLeft=1.0, eyeBlinkRight=1.0)
    noise = np.random.default_rng(0)
    images = [closed if 12 <= k < 15 else opened for k in range(27)]
    noisy = [np.clip(image + noise.normal(0, 2, image.shape), 0, 255).astype(np.uint8) for image in images]
    return [Frame(image, k / 25, k) for k, image in enumerate(noisy)]


@pytest.mark.parametrize("ahead", [0, 4])
def test_a_blink_of_three_frames_is_seen(blinking_frames, ahead: int) -> None:
    aligner = FaceAligner(threads=1)
    blinks = [aligner.head.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]

    def tracked(smooth: bool) -> np.ndarray:
        tracker = FaceTracker(aligner, smooth=smooth, look_ahead=ahead)
        return np.array([faces[0].faces.blendshapes[0, blinks].mean() for _, faces in tracker.follow(blinking_frames)])

    raw, smooth = tracked(False), tracked(True)
    assert raw[12:15].min() > 0.3 and raw[:12].max() < 0.15
    assert smooth[12:15].max() > 0.8 * raw[12:15].max()
    assert (smooth > smooth.max() / 2).sum() in (2, 3, 4)


def test_cuts() -> None:
    rng = np.random.default_rng(0)
    first, second = (np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8) for _ in range(2))
    is_cut = ShotBoundaryDetector()
    shots = [first, np.roll(first, 4, 1), np.roll(first, 8, 1), np.roll(first, 8, 1) // 2, second, second]
    assert [is_cut(shot) for shot in shots] == [False, False, False, False, True, False]


def test_damaged_frames_are_no_cuts() -> None:
    """A decoder fills what is missing with green; the shot goes on, and ends two seconds later."""
    rng = np.random.default_rng(0)
    first, second = (np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8) for _ in range(2))
    green = first.copy()
    green[60:] = (0, 135, 0)
    jumps = ShotBoundaryDetector()
    shots = [first] * 5 + [green, second] + [first] * 50 + [second] * 20 + [green] * 13
    jumped = [jumps(shot) for shot in shots]
    assert jumped[5] and jumped[7] and jumped[57] and jumped[77] and sum(jumped) == 5
    assert jumps.cuts == 2


def frames_of(pictures):
    return [Frame(picture, k / 25, k) for k, picture in enumerate(pictures)]


def test_two_people_keep_their_ids(root, aligner) -> None:
    photo = read_image(root / "samples" / "test1.jpg")
    pictures = [np.roll(photo, 3 * k, axis=1) for k in range(8)]
    tracker = FaceTracker(aligner, look_ahead=2)
    done = list(tracker.follow(frames_of(pictures)))
    assert [frame.index for frame, _ in done] == list(range(8))
    assert all([face.id for face in faces] == [0, 1] for _, faces in done)
    assert tracker.follower.detections == 1
    x = [faces[0].faces.landmarks68[0, :, 0].mean() for _, faces in done]
    assert np.abs(np.diff(x) - 3).max() < 2


def test_a_face_is_lost_and_found(root, aligner) -> None:
    photo = read_image(root / "samples" / "astronaut.jpg")
    gone = photo.copy()
    gone[:300] = np.random.default_rng(0).integers(100, 120, gone[:300].shape, dtype=np.uint8)
    tracker = FaceTracker(aligner)
    shown = [len(tracker(frame)) for frame in frames_of([photo] * 3 + [gone] * 15 + [photo] * 6)]
    assert shown[:3] == [1, 1, 1] and shown[17] == 0 and shown[-1] == 1


@pytest.mark.parametrize("quarters", [1, 2])
def test_turned_people_are_tracked(root, aligner, quarters: int) -> None:
    photo = np.rot90(read_image(root / "samples" / "astronaut.jpg"), -quarters)
    tracker = FaceTracker(aligner, smooth=False)
    pictures = [np.ascontiguousarray(np.roll(photo, 2 * k, axis=0)) for k in range(24)]  # checked twice
    tracks = [tracker(frame) for frame in frames_of(pictures)]
    assert all([face.id for face in faces] == [0] for faces in tracks)
    tilt = np.array([in_plane_deg(faces[0].faces.rotation[0]) for faces in tracks])
    assert np.abs((tilt - 90 * quarters + 180) % 360 - 180).max() < 12
    y = [faces[0].faces.landmarks68[0, :, 1].mean() for faces in tracks]
    assert np.abs(np.diff(y) - 2).max() < 2


def test_no_face_no_track(aligner) -> None:
    tracker = FaceTracker(aligner)
    assert [tracker(frame) for frame in frames_of([np.full((120, 160, 3), 90, np.uint8)] * 3)] == [[], [], []]


def test_detections_that_run_off_the_picture_end_a_track(toy_bundle) -> None:
    boxes = Detections.from_boxes(np.array([[50, 50, 120, 120]], np.float32))
    aligner = FaceAligner(toy_bundle, lambda image: boxes)
    tracker = FaceTracker(aligner, smooth=False, check=lambda image: Detections.none())
    ids = [[face.id for face in tracker(frame)] for frame in frames_of([np.full((200, 200, 3), 7, np.uint8)] * 3)]
    assert ids[0] == [0]
