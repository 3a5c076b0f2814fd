"""How far the mesh moves with each score, relative to our head: the gains of `ddfa.data.pseudo_labels.mesh_scores`.

    python tools/calibrate_scores.py --data data/regions

The displacements of mesh points in frontal photos (`mesh_points.DIFFERENCES`, in millimetres of our head) are regressed
on all 52 scores together. The gain of a unit is the displacement per score projected onto what the same unit moves in
our head; the cosine says whether both have the same direction.
"""

from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from ddfa.arrays import Float64
from ddfa.data.pseudo_labels.mesh_points import DIFFERENCES, OBSERVED_POINTS, head_differences, observed_differences
from ddfa.data.pseudo_labels.mesh_scores import MIN_PRESENCE, exclusive_gaze
from ddfa.data.regions.labels import RegionLabels, neutral_faces
from ddfa.head.model import HeadModel

_FRONTAL_DEG = 15.0  # |yaw| and |pitch|
_RIDGE = 0.02  # standard deviation of a score below which its displacement is shrunk
_CORNERS = (36, 45)  # outer corners of the eyes: they define roll and scale


def displacements(labels: RegionLabels, head: HeadModel) -> Float64:
    """Differences (n, D, 2) of mesh points times the gains of `DIFFERENCES`, mm of the head, eyes level, y up."""
    right, left = (labels.points[:, OBSERVED_POINTS.index(point)].astype(np.float64) for point in _CORNERS)
    apart = float(np.linalg.norm(np.subtract(*head.landmark_points.mean[list(_CORNERS)])))
    axis = (left - right) / np.sum((left - right) ** 2, axis=1, keepdims=True) * apart
    level = np.stack([axis, np.stack([axis[:, 1], -axis[:, 0]], axis=1)], axis=1)
    gains = np.array([row.gain for row in DIFFERENCES])[:, None]
    return gains * np.einsum("nij,ndj->ndi", level, observed_differences(labels.points))


def main(data: Path) -> None:
    """Print the gain, its cosine and the value at rest of every score.

    Args:
        data: folder of `ddfa data regions`.
    """
    head = HeadModel.load()
    names = head.expression_names
    corpora = [RegionLabels.load(path) for path in sorted(data.glob("*_labels.npz"))]
    scores, moved = list[Float64](), list[Float64]()
    for labels in corpora:
        frontal = (labels.presence > MIN_PRESENCE) & (np.abs(labels.pose_deg[:, :2]) < _FRONTAL_DEG).all(axis=1)
        scores.append(exclusive_gaze(names, labels.scores)[frontal].astype(np.float64))
        moved.append(displacements(labels, head)[frontal])
    every = np.concatenate(scores)
    noise = np.array([row.noise for row in DIFFERENCES])[:, None]
    rows = (np.concatenate(moved) / noise).reshape(len(every), -1)
    centred = every - every.mean(axis=0)
    matrix = centred.T @ centred + len(every) * _RIDGE**2 * np.eye(len(names))
    found = np.linalg.solve(matrix, centred.T @ (rows - rows.mean(axis=0)))
    points = head_differences(head)
    own = (points.bases[points.identities :, :, :2] / noise).reshape(len(names), -1)
    rest = np.median(every[neutral_faces(names, every)], axis=0)
    along, size = np.sum(found * own, axis=1), np.linalg.norm(own, axis=1)
    table = Table("unit", "gain", "cosine", "at rest", "98 %", title=f"scores of {len(every)} frontal photos")
    for k, name in enumerate(names):
        gain, cosine = (along[k] / np.maximum(scale * size[k], 1e-9) for scale in (size[k], np.linalg.norm(found[k])))
        table.add_row(name, f"{gain:.2f}", f"{cosine:.2f}", f"{rest[k]:.2f}", f"{np.quantile(every[:, k], 0.98):.2f}")
    Console().print(table)


if __name__ == "__main__":
    tyro.cli(main)
