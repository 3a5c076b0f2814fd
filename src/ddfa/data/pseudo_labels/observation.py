"""What several teachers predict for a photo, combined into one set of points."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.data.pseudo_labels.teacher import DEFAULT_VIEWS, Teacher, View
from ddfa.data.pseudo_labels.teacher_map import TeacherMap
from ddfa.head.model import HeadModel
from ddfa.regress.registry import find_bundle
from ddfa.regress.session import Regressor


def open_teachers(
    bundles: Sequence[Path], maps: Mapping[str, TeacherMap], views: tuple[View, ...] = DEFAULT_VIEWS
) -> dict[str, list[Teacher]]:
    """Open the networks of bundles, grouped by the heads of `teacher_maps`; each runs on one thread.

    Raises:
        ModelError: a bundle is damaged.
    """
    teachers: dict[str, list[Teacher]] = {name: [] for name in maps}
    for path in bundles:
        regressor = Regressor(find_bundle(path), threads=1)
        name = HeadModel.load(regressor.bundle.head_path).name
        teachers[name].append(Teacher(regressor, maps[name].teacher, views))
    return teachers


def observe(teachers: Sequence[Sequence[Teacher]], photos: list[UInt8], rois: Floats) -> tuple[Float32, Float32]:
    """Combine the predictions of several teachers: averaged over those of one head, concatenated over heads.

    Args:
        teachers: by their heads, in the order of the maps that are `joined`.
        photos: n images (H, W, 3) uint8 RGB.
        rois: (n, 4) squares in image px.

    Returns:
        (n, 2, K, 3) float32 as from `Teacher.observe`, with depth relative to the mean of the 68 landmarks; and (n,)
        float32, disagreement of views and teachers as a share of the face size.
    """
    groups, spreads, landmarks = list[Float32](), list[Float32](), list[Float32]()
    for group in teachers:
        views, own = zip(*(teacher.observe(photos, rois) for teacher in group), strict=True)
        # All heads have the 68 landmarks, which therefore define a common origin of depth.
        level = [view - [0, 0, 1] * view[:, :, -68:].mean(axis=2, keepdims=True) for view in views]
        groups.append(np.mean(level, axis=0))
        spreads += own
        landmarks += [view[:, :, -68:, :2] for view in views]
    each = np.stack(landmarks)
    middle = each.mean(axis=0)
    size = np.sqrt(np.prod(np.ptp(middle[:, 0], axis=1), axis=-1))
    # Teachers of different heads share nothing but the landmarks, so their disagreement is measured there.
    apart = np.linalg.norm(each - middle, axis=-1).mean(axis=(0, 2, 3)) / size
    seen = np.concatenate(groups, axis=2).astype(np.float32)
    return seen, np.hypot(np.max(spreads, axis=0), apart).astype(np.float32)
