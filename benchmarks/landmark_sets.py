"""The landmark set wflw98 against networks that were trained on WFLW, whose annotations are not free.

    python benchmarks/landmark_sets.py SET.npz NETWORK.onnx [NETWORK.onnx ...] [--model BUNDLE] [--max-yaw DEG]

SET is a set of photos as for `ddfa bench landmarks`, of which the faces with an estimated yaw up to --max-yaw are used.
The networks map BGR crops (1, 3, S, S) in 0..1 to 98 points in
0..1 (PFLD). The reference is the mean of their predictions in crops of 1.1 and 1.3 times the longer side of the
annotated landmarks' box. Printed is the mean distance of the points of each part, in % of the distance of the outer
corners of the eyes. The networks' jaw is the visible outline; that of the mesh does not slide.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from ddfa import FaceAligner
from ddfa.arrays import Float64, UInt8
from ddfa.bench.sets import AnnotatedSet, true_landmarks
from ddfa.data.pseudo_labels.points_teacher import crop_affine
from ddfa.progress import track
from ddfa.sessions import Session, open_session, session_options

POINTS = 98
SIDES = (1.1, 1.3)
OUTER_CORNERS = (60, 72)
PARTS = {
    "jaw": slice(0, 33),
    "brows": slice(33, 51),
    "nose": slice(51, 60),
    "eyes": slice(60, 76),
    "mouth": slice(76, 96),
    "pupils": slice(96, 98),
    "without the jaw": slice(33, 98),
    "all": slice(0, 98),
}


def reference_points(network: Session, photo: UInt8, landmarks: Float64) -> Float64:
    """The network's points (98, 2) of one face, image px; `landmarks` (68, 2) place the crops."""
    entry = network.get_inputs()[0]
    side, found = entry.shape[3], []
    for factor in SIDES:
        affine = crop_affine(landmarks, factor, side)
        crop = cv2.warpAffine(photo, affine, (side, side), flags=cv2.INTER_LINEAR)
        values = np.ascontiguousarray(crop[None, ..., ::-1].astype(np.float32).transpose(0, 3, 1, 2) / 255)
        output = np.asarray(network.run(None, {entry.name: values})[0], np.float64).ravel()[: 2 * POINTS]
        found.append((output.reshape(POINTS, 2) * side - affine[:, 2]) / affine[0, 0])
    return np.mean(found, axis=0)


def main() -> None:
    """Measure and print one line per part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("networks", type=Path, nargs="+")
    parser.add_argument("--model", default="default")
    parser.add_argument("--max-yaw", type=float, default=25.0)
    parser.add_argument("--limit", type=int, default=0, help="use only the first N photos; 0 means all")
    options = parser.parse_args()
    data = AnnotatedSet.load(options.set)
    data = data.subset(range(min(options.limit or len(data), len(data))))
    landmarks = true_landmarks(data)[..., :2].astype(np.float64)
    aligner = FaceAligner(options.model, threads=1, regions=False, min_quality=0)
    networks = [open_session(str(path), session_options(threads=1)) for path in options.networks]
    ratios = []
    for number, name in enumerate(track(data.names, "aligning")):
        photo = data.photos.read(name)
        box = np.concatenate([landmarks[number].min(axis=0), landmarks[number].max(axis=0)])
        faces = aligner(photo, boxes=box[None].astype(np.float32), refine=True)
        if abs(faces.euler_deg[0, 0]) > options.max_yaw:
            continue
        truth = np.mean([reference_points(network, photo, landmarks[number]) for network in networks], axis=0)
        size = np.linalg.norm(np.subtract(*truth[list(OUTER_CORNERS)]))
        ratios.append(np.linalg.norm(faces.landmarks("wflw98")[0, :, :2] - truth, axis=1) / size)
    if not ratios:
        raise SystemExit(f"no face of {options.set} is turned by at most {options.max_yaw:g} degrees")
    errors = 100 * np.mean(ratios, axis=0)
    print(f"wflw98 of {options.model} on {len(ratios)} photos of {options.set.stem}, % of the eye corners' distance")
    for part, points in PARTS.items():
        print(f"{part:16} {errors[points].mean():.1f}")


if __name__ == "__main__":
    main()
