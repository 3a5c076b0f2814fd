"""Landmarks in the formats of annotation tools: .pts and COCO keypoints."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ddfa.arrays import Floats
from ddfa.export.plain import exact
from ddfa.faces import Faces
from ddfa.files import write_atomically
from ddfa.raster.visibility import hidden_landmarks

_LABELLED, _VISIBLE = 1, 2  # COCO's visibility flags


def write_pts(path: Path, points: Floats) -> None:
    """Write the landmarks of a face as `.pts`, as 300-W does: pixels are counted from 1.

    Args:
        path: the file.
        points: (K, 2 or 3) image px, counted from 0.

    Raises:
        OutputError: it cannot be written.
    """
    rows = "".join(f"{x:.3f} {y:.3f}\n" for x, y in np.asarray(points)[:, :2] + 1)
    write_atomically(path, f"version: 1\nn_points: {len(points)}\n{{\n{rows}}}\n".encode("ascii"))


def coco_keypoints(faces: Faces, file_name: str, landmarks: str = "ibug68") -> dict[str, Any]:
    """Describe the faces of a photo as a COCO keypoints data set.

    Args:
        faces: the faces.
        file_name: of the photo.
        landmarks: the set of landmarks, see `Faces.landmarks`.

    Returns:
        The data set: one image, one annotation per face, the category "face". The flag of a keypoint is 2 if it is
        visible, 1 if it is hidden by the head itself or outside the photo.
    """
    points = faces.landmarks(landmarks)
    width, height = faces.image_size
    annotations = []
    for index, face in enumerate(points):
        inside = ((face[:, :2] > -0.5) & (face[:, :2] < np.array([width, height]) - 0.5)).all(axis=1)
        seen = inside & ~hidden_landmarks(face, faces.vertices[index], faces.head)
        flags = np.where(seen, _VISIBLE, _LABELLED)
        keypoints = [[*point, flag] for point, flag in zip(exact(face[:, :2]), flags.tolist(), strict=True)]
        x0, y0, x1, y1 = exact(faces.boxes[index])
        annotations.append(
            {
                "id": index + 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
                "iscrowd": 0,
                "num_keypoints": len(face),
                "keypoints": [number for keypoint in keypoints for number in keypoint],
                "score": exact(faces.scores[index]),
            }
        )
    names = [f"{landmarks}_{k}" for k in range(points.shape[1])]
    return {
        "images": [{"id": 1, "file_name": file_name, "width": width, "height": height}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "face", "supercategory": "person", "keypoints": names, "skeleton": []}],
    }


def write_coco(path: Path, faces: Faces, file_name: str, landmarks: str = "ibug68") -> None:
    """Write `coco_keypoints` as JSON.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomically(path, json.dumps(coco_keypoints(faces, file_name, landmarks), ensure_ascii=False).encode())
