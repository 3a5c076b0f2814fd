"""The YuNet face detector at several scales (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023)."""

import math
from pathlib import Path

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.detect.detections import Detections, box_overlap
from ddfa.detect.proposals import SAMPLED_EVERY, STRIDE, ProposalNetwork, mark, sample
from ddfa.detect.tiles import Tiles, with_margin
from ddfa.detect.turned import best_of, detect_turned, overlapping
from ddfa.detect.yunet_network import YuNetNetwork
from ddfa.errors import DetectorError
from ddfa.files import shipped_bytes
from ddfa.sessions import Device

WEIGHTS = Path(__file__).parent / "assets" / "face_detection_yunet_2023mar.onnx"
WEIGHTS_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

# YuNet is trained on faces of 10 to 300 px; outside that range it misses faces and detects parts of faces. So it runs
# on the whole of every image at 192 to 384 px, which suits all faces that fill a large part of it, and again on larger
# images at up to `max_side` px, of which only small faces are kept.
# The side of an image is the square root of its area here, so that a panorama is not reduced to a few rows.
COARSE_SIDES = (192, 384)
FINE_SIDE = 1024
FINE_FACE_SIDE = 256.0
NMS_OVERLAP = 0.3
# The proposal network proposes faces of up to 80 px. With resolutions that differ by no more than this, larger ones
# have 30 px in the pass before, enough to be found.
PROPOSED_STEP = FINE_SIDE / COARSE_SIDES[1]
KNOWN_SIDE = 24.0  # px; faces that a pass finds smaller than this are looked at again in the next one
# Share of an image in tiles above which searching them takes longer than searching all of the image at once, measured
# with `benchmarks/detection_speed.py`.
CROWDED_ABOVE = 0.25
# Scores of upright faces are rarely below this. A photo whose best face is below, or that has none, is searched again,
# turned by 90, 180 and 270°, at low resolution: in AFLW2000-3D these are 4 % of the upright photos.
TURNED_BELOW = 0.85
TURNED_SIDE = 256
SCORE_THRESHOLD = 0.6


class YuNet:
    """The default detector: 0.3 MB of weights, a few milliseconds per image.

    The network runs twice on an image of more than 384 x 384 px: at low resolution for large faces, then at high
    resolution for small ones, only in the parts where the proposal network sees that there may be some; with `exact`,
    or if there may be some almost everywhere, on all of it. On a smaller image it runs once; an image of less than
    192 x 192 px is enlarged first. If the best face is weak, it also runs on small copies turned by 90, 180 and 270°.
    """

    def __init__(
        self,
        score_threshold: float = SCORE_THRESHOLD,
        max_side: int = FINE_SIDE,
        weights: Path = WEIGHTS,
        threads: int | None = None,
        device: Device = "cpu",
        exact: bool = False,
    ) -> None:
        """Load and verify the weights.

        Args:
            score_threshold: faces below this confidence are dropped.
            max_side: square root of the image area (px) in the last pass, in which a face needs about 20 px to be
                detected.
            weights: the ONNX file.
            threads: CPU threads; None leaves the choice to ONNX Runtime.
            device: "cpu" or "cuda".
            exact: search every part of the image; several times slower.

        Raises:
            ModelError: the device is not available.
            DetectorError: the weights are missing or are not the expected file.
        """
        self._max_side = max_side
        content = shipped_bytes(weights, WEIGHTS_SHA256, "the YuNet weights", DetectorError)
        self._network = YuNetNetwork(content, score_threshold, NMS_OVERLAP, threads, device)
        self._proposals = None if exact else ProposalNetwork(threads, device)

    def __call__(self, image: UInt8) -> Detections:
        """Detect the faces in an RGB uint8 image (H, W, 3).

        Returns:
            The faces, largest box first.
        """
        scale = min(1.0, self._max_side / _side(image))
        image = _resized(image, scale)  # once for all passes
        found = self._search(image)
        if not len(found) or found.scores.max() < TURNED_BELOW:
            side = min(_side(image), TURNED_SIDE if len(found) else COARSE_SIDES[1])
            copy = _resized(image, side / _side(image))
            turned = (detect_turned(self._search, copy, quarters) for quarters in (1, 2, 3))
            found = best_of([found, *(_scaled(one, _side(image) / side) for one in turned)])
        return _scaled(found, 1 / scale).largest_first()

    def _search(self, image: UInt8) -> Detections:
        """Detect the faces in an image in all passes that its size needs."""
        proposals = self._proposals
        lowest, *others = _sides(_side(image), proposals is not None)
        scale = lowest / _side(image)
        found = self._detect(_resized(image, scale), scale)
        known = _longer_sides(found) * scale >= KNOWN_SIDE
        if proposals is not None and others and _is_crowd(image, proposals, found.boxes[known]):
            proposals, others = None, others[-1:]
        for side in others:
            known = _longer_sides(found) * scale >= KNOWN_SIDE
            scale = side / _side(image)
            resized, boxes = _resized(image, scale), found.boxes * np.float32(scale)
            tiles = None if proposals is None else _tiles(resized, proposals, boxes[known], boxes[~known])
            fine = self._detect(resized, scale, tiles)
            fine = fine.select(np.flatnonzero(_longer_sides(fine) * scale <= FINE_FACE_SIDE))
            found = merge_passes(found if tiles is None else improved(found, fine), fine)
        return found

    def _detect(self, image: UInt8, scale: float, tiles: Tiles | None = None) -> Detections:
        """Detect faces in an image, or in tiles of it, in px of the image before it was resized by `scale`."""
        if tiles is not None and not len(tiles):
            return Detections.none()
        return _scaled(Detections.from_boxes(*self._network(image, tiles)), 1 / scale)


def _sides(side: float, proposals: bool) -> list[float]:
    """Sides of the passes over an image of a side, px, the lowest first."""
    least, most = COARSE_SIDES
    if side <= 1.02 * most:  # an image that has been reduced to it may be slightly larger
        return [max(side, least)]
    sides = [side]
    while proposals and sides[-1] > 1.02 * PROPOSED_STEP * most:
        sides.append(sides[-1] / PROPOSED_STEP)
    return [most, *sides[::-1]]


def _is_crowd(image: UInt8, proposals: ProposalNetwork, known: Float32) -> bool:
    """Whether there may be faces beside `known` ones (n, 4) in so many parts that searching all of it is faster."""
    part = sample(image)
    if not part.size:
        return False
    known_cells = np.zeros((image.shape[0] // STRIDE, image.shape[1] // STRIDE), np.uint8)
    mark(known_cells, known, True)
    cells = proposals(part) & (sample(known_cells, SAMPLED_EVERY // STRIDE) == 0)
    uncertain = SAMPLED_EVERY / _side(image)  # of a share estimated from so few squares
    return float(with_margin(cells).mean()) > CROWDED_ABOVE + uncertain


def _tiles(image: UInt8, proposals: ProposalNetwork, known: Float32, doubtful: Float32) -> Tiles:
    """Tiles around proposed faces of an image.

    Args:
        image: the image.
        proposals: the network.
        known: (n, 4) boxes of faces that need not be looked at again.
        doubtful: (m, 4) boxes of faces that have to be.
    """
    cells = proposals(image)
    mark(cells, doubtful, True)
    mark(cells, known, False)
    return Tiles.covering(cells, (image.shape[1], image.shape[0]))


def _side(image: UInt8) -> float:
    return math.sqrt(image.shape[0] * image.shape[1])


def _longer_sides(found: Detections) -> Float32:
    return np.asarray((found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0))


def _scaled(found: Detections, scale: float) -> Detections:
    return Detections(found.boxes * scale, found.scores)


def _resized(image: UInt8, scale: float) -> UInt8:
    """Resize an image: by halves, then bilinearly, which takes a fifth of the time of averaging by a fraction."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        halves = tuple(-(-side // 2) for side in image.shape[1::-1])
        image = np.asarray(cv2.resize(image, halves, interpolation=cv2.INTER_LINEAR), np.uint8)  # means of 2 x 2 px
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def merge_passes(coarse: Detections, fine: Detections) -> Detections:
    """Join the faces of two passes over one image.

    Args:
        coarse: faces of the pass at low resolution; all are kept.
        fine: faces of the pass at high resolution; one that repeats a coarse face, or is a part of one, is dropped.

    Returns:
        The coarse faces, then the remaining fine ones.
    """
    new = np.flatnonzero(~overlapping(fine.boxes, coarse.boxes))
    return Detections(
        np.concatenate([coarse.boxes, fine.boxes[new]]), np.concatenate([coarse.scores, fine.scores[new]])
    )


def improved(coarse: Detections, fine: Detections) -> Detections:
    """Replace faces of a pass at low resolution by the same ones of a pass at high resolution with higher scores.

    Faces are the same if the IoU of their boxes is at least 0.5: a part of a face does not replace it.
    """
    boxes, scores = coarse.boxes.copy(), coarse.scores.copy()
    for box, score in zip(fine.boxes, fine.scores, strict=True):
        worse = (box_overlap(boxes, box) >= 0.5) & (scores < score)
        boxes[worse], scores[worse] = box, score
    return Detections(boxes, scores)
