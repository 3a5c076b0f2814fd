"""Fits to human 68-point annotations.

The 51 inner points attract the landmarks of the head. The 17 jaw points follow the visible contour (the 2D contour
convention of 300-W), which at larger yaw angles is another part of the head: `ddfa.data.pseudo_labels.contour_fit` fits
the occluding contour to them.
"""

import tarfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from ddfa.array_files import open_npz
from ddfa.arrays import Float32, Float64, Floats
from ddfa.data.pseudo_labels.contour_fit import refine
from ddfa.data.pseudo_labels.fit import Fit, FitConstraints, FitOptions, curvature, fit, to_head
from ddfa.data.pseudo_labels.occluding_contour import ContourFinder
from ddfa.data.sets.pts import parse_pts
from ddfa.errors import DataError, reading
from ddfa.files import check_regular, read_file
from ddfa.geometry.camera import project
from ddfa.head.linear import LinearPoints
from ddfa.head.model import HeadModel

_JAW = 17
_NOISE_MM = 0.8  # expected error of the annotations
_OUTLIER_MM = 8.0  # at this distance from the fit a point has a quarter of its weight
_ROUNDS = 4


def read_landmarks(path: Path, names: tuple[str, ...]) -> Float32:
    """Read human annotations of photos.

    Args:
        path: a folder or an uncompressed tar with a `.pts` file of the same name for each photo, or an `.npz` with
            `names` (n,) and `landmarks68` (n, 68, 2), px counted from 0.
        names: N photos, paths inside their own folder or tar.

    Returns:
        (N, 68, 2) float32 px, NaN for photos that are not annotated.

    Raises:
        DataError: the file is missing or damaged, a face does not have 68 points, or none of the photos is annotated.
    """
    found = _from_npz(path) if path.suffix == ".npz" else _from_pts(path)
    result = np.full((len(names), 68, 2), np.nan, np.float32)
    for number, name in enumerate(names):
        points = found.get(PurePosixPath(name).with_suffix("").as_posix())
        if points is not None:
            if points.shape != (68, 2):
                raise DataError(f"{path} has {len(points)} points for '{name}', not 68: remove them")
            result[number] = points
    if not np.isfinite(result).any():
        raise DataError(f"{path} annotates none of the photos: its names must be theirs")
    return result


def _from_npz(path: Path) -> dict[str, Float32]:
    with open_npz(path, DataError, "no file of annotations", "it needs names and landmarks68") as file:
        pairs = zip(file["names"].tolist(), file["landmarks68"].astype(np.float32), strict=True)
        return {PurePosixPath(name).with_suffix("").as_posix(): points for name, points in pairs}


def _from_pts(path: Path) -> dict[str, Float32]:
    with reading(path, DataError, "no source of annotations", "name a folder, tar or .npz"):
        if path.is_dir():
            texts = {p.relative_to(path).as_posix(): read_file(p, DataError) for p in sorted(path.rglob("*.pts"))}
        else:
            check_regular(path, DataError)
            with tarfile.open(path, "r:") as archive:
                members = [(m, archive.extractfile(m)) for m in archive if m.name.endswith(".pts")]
                texts = {member.name: file.read() for member, file in members if file is not None}
    return {PurePosixPath(name).with_suffix("").as_posix(): parse_pts(text, name) for name, text in texts.items()}


def fit_annotated(
    points: LinearPoints,
    targets: Floats,
    weights: Floats,
    head: HeadModel,
    first: Fit,
    human: Floats,
    options: FitOptions,
    hints: FitConstraints | None = None,
) -> Fit:
    """Fit heads to the predictions of teachers and to human annotations.

    What an annotation does not determine (the depth of a point, most of an outlier) is filled in from the last fit.
    This minimises a robust cost with one matrix for all heads (additive half-quadratic form, Geman and Yang, 1995).

    Args:
        points: K points of our head that teachers predict.
        targets: (n, K, 3) their predictions, image px.
        weights: (K,).
        head: our head.
        first: n fits without the annotations.
        human: (n, 68, 2) image px.
        options: weight of the teachers' points.
        hints: from the mesh teacher.

    Returns:
        The fits; their `residual` is that of the teachers' points.
    """
    landmarks = head.landmark_points
    both = LinearPoints(
        np.concatenate([points.mean, landmarks.mean]),
        np.concatenate([points.bases, landmarks.bases], axis=1),
        points.identities,
    )
    # Jaw points have no weight here: they mark the contour, not the jaw landmarks of the head.
    trust = np.where(np.arange(68) < _JAW, 0, (options.noise_mm / _NOISE_MM) ** 2)
    shares = np.concatenate([options.independent_points * np.asarray(weights) / np.sum(weights), trust])
    more = replace(options, independent_points=float(shares.sum()))
    found = first
    for _ in range(_ROUNDS):
        aims = np.concatenate([targets, _aims(head, found, human)], axis=1)
        found = fit(both, aims, shares, head.identity_std, more, hints)
    # The contour fit replaces all other observations by their quadratic form around this solution.
    known = curvature(both, shares, head.identity_std, more, hints)
    found = refine(ContourFinder(head), found, human[:, :_JAW], known)
    residual = to_head(found.pose, targets) - points.decode(found.identity, found.expression)
    return replace(found, residual=residual.astype(np.float32))


def _aims(head: HeadModel, found: Fit, human: Floats) -> Float64:
    """Targets (n, 68, 3) of the 68 landmarks, image px, from annotations and current fits."""
    own = head.decode_landmarks(found.identity, found.expression)
    aims = project(own.astype(np.float64), found.pose)
    gaps = human - aims[..., :2]
    distance = np.linalg.norm(gaps, axis=-1) / np.linalg.norm(found.pose[:, 0, :3], axis=1)[:, None]
    aims[..., :2] += gaps / (1 + (distance / _OUTLIER_MM) ** 2)[..., None] ** 2  # weights of the Geman-McClure cost
    return np.asarray(aims, np.float64)
