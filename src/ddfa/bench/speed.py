"""Speed of face alignment: the network alone, every stage compared with original 3DDFA, and the whole from JPEG bytes.

The stages of original 3DDFA (crop with `cv2.resize`, one NumPy decode per face) are reimplemented here, to be timed in
the same run. All figures are wall time.
"""

from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, UInt8
from ddfa.bench.chart import Chart
from ddfa.bench.predict import Watch
from ddfa.bench.report import Report, Sheet
from ddfa.bench.runtimes import Runtime, runner
from ddfa.bench.timing import Timing, Work, side_by_side
from ddfa.data.sets.photos import Photos
from ddfa.detect import default_detector
from ddfa.errors import DataError, DetectorError
from ddfa.faces import Faces
from ddfa.regress.bundle import Bundle
from ddfa.regress.crop import affine_crop, original_crop
from ddfa.regress.sampling import MIDDLE, RANGE, network_crops

_DECODED: Final = 32  # faces decoded at once


def regression(
    bundles: Sequence[Bundle],
    runtimes: Sequence[Runtime],
    threads: Sequence[int],
    batches: Sequence[int],
    rounds: int,
    watch: Watch = iter,
) -> Report:
    """Time the networks alone, normalisation of the crops included.

    Args:
        bundles: the models; speed-ups are relative to the last one.
        runtimes: the libraries that run them.
        threads: CPU threads, one setting after the other.
        batches: crops per call, one setting after the other.
        rounds: how often each is timed.
        watch: shows progress.

    Returns:
        Milliseconds per face and speed-ups; the chart shows faces per second over the batch size.
    """
    rows, record = list[tuple[str, ...]](), list[dict[str, object]]()
    lines: dict[str, list[float]] = {}
    settings = [(runtime, count, batch) for runtime in runtimes for count in threads for batch in batches]
    for k in watch(range(len(settings))):
        runtime, count, batch = settings[k]
        works = {bundle.name: (batch, _regress(bundle, runtime, count, batch)) for bundle in bundles}
        timings = side_by_side(works, rounds)
        for timing in timings:
            ratio = timing.speedup_over(timings[-1])
            rows.append(
                (timing.name, runtime, str(count), str(batch), f"{timing.milliseconds:.3f}",
                 f"{timing.per_second:.0f}", f"{ratio:.2f}")
            )  # fmt: skip
            record.append(
                {"model": timing.name, "runtime": runtime, "threads": count, "batch": batch,
                 "ms_per_face": timing.milliseconds, "speedup": ratio}
            )  # fmt: skip
            lines.setdefault(f"{timing.name}, {runtime}, {count}", []).append(timing.per_second)
    title = f"Regression of {bundles[0].input_size} px crops; speed-up over {bundles[-1].name} in the same run"
    columns = ("model", "runtime", "threads", "batch", "ms/face", "faces/s", "speed-up")
    x = np.asarray(batches, np.float64)
    chart = Chart(
        "Regression", "batch", "faces per second",
        {name: (x, np.asarray(y)) for name, y in lines.items()}, float(x.max()), 1.1 * max(map(max, lines.values())),
    )  # fmt: skip
    return Report(Sheet(title, columns, rows), record, chart, {"rounds": rounds})


def _regress(bundle: Bundle, runtime: Runtime, threads: int, batch: int) -> Work:
    run = runner(bundle, runtime, threads)
    size = bundle.input_size
    crops = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    return lambda: run(crops)


def stages(aligner: FaceAligner, photos: Photos, rounds: int, watch: Watch = iter) -> Sheet:
    """Time every stage on the first photo that shows a face, some of them compared with original 3DDFA.

    Args:
        aligner: the model and its detector.
        photos: photos with faces.
        rounds: how often each is timed.
        watch: shows progress.

    Returns:
        A table: milliseconds per face (detection and JPEG: per photo) and speed-ups.

    Raises:
        DataError: no photo shows a face.
    """
    from ddfa.draw.overlay import draw_overlay
    from ddfa.regress.sampling_kernel import sample

    image, faces = first_face(aligner, photos)
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    many = _repeated(faces, _DECODED)
    roi, size = faces.roi[0], faces.crop_size
    parts = faces.layout.split(many.params)
    crops = np.repeat(affine_crop(image, roi, size)[None], _DECODED, axis=0)
    run = runner(aligner.bundle, "onnxruntime", 1)
    exact = default_detector(threads=1, exact=True)

    def end_to_end() -> Float32:
        decoded = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB), np.uint8)
        return aligner(decoded).landmarks68

    works: dict[str, tuple[int, Work]] = {
        "decode JPEG": (1, lambda: cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB)),
        "detect": (1, lambda: aligner.detector(image)),
        "detect, yunet:exact": (1, lambda: exact(image)),
        "crop, normalised": (1, lambda: network_crops(image, roi[None], size, sample)),
        "crop, normalised, original 3DDFA": (1, lambda: input_like_original(image, roi, size)),
        "regress, batch 1": (1, lambda: run(crops[:1])),
        f"regress, batch {_DECODED}": (_DECODED, lambda: run(crops)),
        **_region_works(aligner, image, many),
        f"68 landmarks, batch {_DECODED}": (_DECODED, lambda: _fresh(many).landmarks68),
        f"dense mesh, batch {_DECODED}": (_DECODED, lambda: _fresh(many).vertices),
        "dense mesh, original 3DDFA": (
            _DECODED,
            decode_like_original(many, parts.pose, parts.identity, parts.expression),
        ),
        "overlay": (1, lambda: draw_overlay(image, faces)),
        "from JPEG bytes to landmarks": (1, end_to_end),
    }
    timings = {timing.name: timing for timing in side_by_side(works, rounds, watch=watch)}
    originals = {
        "crop, normalised": "crop, normalised, original 3DDFA",
        f"dense mesh, batch {_DECODED}": "dense mesh, original 3DDFA",
    }
    rows = [_stage_row(timing, timings.get(originals.get(name, ""))) for name, timing in timings.items()]
    height, width = image.shape[:2]
    title = f"Stages of '{aligner.bundle.name}' on a photo of {width} x {height} px with {len(faces)} face(s)"
    return Sheet(title, ("measure", "ms", "speed-up over original 3DDFA"), rows)


def _region_works(aligner: FaceAligner, image: UInt8, many: Faces) -> dict[str, tuple[int, Work]]:
    """Region networks, from landmarks to merged units; none if the model has none."""
    networks = aligner.regions
    if networks is None:
        return {}

    def refine(faces: Faces) -> Work:
        images = [image] * len(faces)
        landmarks, rotation, first = faces.landmarks68, faces.rotation, faces.expression
        return lambda: networks(images, landmarks, rotation, first).merged(first)

    return {
        "region networks, batch 1": (1, refine(many[:1])),
        f"region networks, batch {_DECODED}": (_DECODED, refine(many)),
    }


def _stage_row(timing: Timing, original: Timing | None) -> tuple[str, ...]:
    ratio = "" if original is None else f"{timing.speedup_over(original):.2f}"
    return timing.name, f"{timing.milliseconds:.3f}", ratio


def first_face(aligner: FaceAligner, photos: Photos) -> tuple[UInt8, Faces]:
    """The first photo that shows a face, and its largest face.

    Raises:
        DataError: none does.
    """
    for name in photos.names:
        image = photos.read(name)
        try:
            faces = aligner(image)
        except DetectorError:
            continue
        if len(faces):
            return image, faces[:1]
    raise DataError("no photo shows a face: name photos with faces for the stages (--photos)")


def input_like_original(image: UInt8, roi: Float32, size: int) -> Float32:
    """The network's input as in original 3DDFA: cropped and resized, then normalised.

    Args:
        image: (H, W, 3) uint8.
        roi: (4,) x0, y0, x1, y1 px.
        size: side S of the crop.

    Returns:
        (1, 3, S, S) float32.
    """
    crop = original_crop(image, roi, size).astype(np.float32)
    return np.asarray((crop.transpose(2, 0, 1)[None] - np.float32(MIDDLE)) / np.float32(RANGE))


def decode_like_original(
    faces: Faces, pose: Float32, identity: Float32, expression: Float32
) -> Callable[[], list[Float32]]:
    """The dense mesh as in original 3DDFA: face by face, u + W_id a + W_exp b, then pose, then crop to image.

    Args:
        faces: n faces, of which head, RoIs and crop size are used.
        pose: (n, 3, 4).
        identity: (n, I).
        expression: (n, E).

    Returns:
        A function that returns n arrays (3, V) float32.
    """
    head = faces.head
    mean = head.mean.reshape(-1, 1)
    shape = np.ascontiguousarray(head.identity_basis.reshape(len(head.identity_basis), -1).T)
    motion = np.ascontiguousarray(head.expression_basis.reshape(len(head.expression_basis), -1).T)
    size = faces.crop_size

    def decode() -> list[Float32]:
        meshes = []
        for p, a, b, roi in zip(pose, identity, expression, faces.roi, strict=True):
            points = (mean + shape @ a[:, None] + motion @ b[:, None]).reshape(3, -1, order="F")
            crop = p[:, :3] @ points + p[:, 3:]
            scale = (roi[2:] - roi[:2]) / size
            crop[0] = (crop[0] + 0.5) * scale[0] + roi[0]
            crop[1] = (size - 0.5 - crop[1]) * scale[1] + roi[1]
            crop[2] *= scale.mean()
            meshes.append(crop.astype(np.float32))
        return meshes

    return decode


def _repeated(faces: Faces, count: int) -> Faces:
    return faces[np.zeros(count, np.intp)]


def _fresh(faces: Faces) -> Faces:
    """Copies of faces, without derived values."""
    return faces[:]
