"""`ddfa models convert`: a bundle's network in another form, compared with the original; or all of it in one file."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import Float32, UInt8
from ddfa.data.sets.photos import Photos
from ddfa.errors import DataError, ModelError
from ddfa.geometry.camera import project
from ddfa.head.model import HeadModel
from ddfa.regress.bundle import MODEL_FILE, Bundle, write_bundle
from ddfa.regress.crop import cut_crops
from ddfa.regress.registry import find_bundle
from ddfa.regress.session import Regressor, network_inputs
from ddfa.train.convert.config import ConvertConfig, Precision
from ddfa.train.convert.flip_ensemble import average_with_flip
from ddfa.train.convert.full_graph import write_full_graph
from ddfa.train.convert.model_ensemble import average_models
from ddfa.train.convert.quantize import accept_uint8_crops, quantize

# Maximum displacement of the landmarks, mean over all crops, as a share of the crop side.
TOLERANCE: Final[dict[Precision, float]] = {"float32": 1e-5, "float16": 1e-3, "int8": 5e-3}
_FEWEST, _MOST = 16, 256  # faces to calibrate on


def convert_to_full(config: ConvertConfig) -> tuple[Bundle, float]:
    """Write one file with the whole computation, of the network in the form that the other options describe.

    Args:
        config: which bundle, which form.

    Returns:
        The bundle that it was made from, whose folder is gone; the distance of its landmarks as `convert` returns it.

    Raises:
        ModelError: as `convert`, and for bundles with an original pixel convention.
        DataError: too few photos to calibrate on.
        OutputError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle, distance = convert(
            replace(config, to="bundle", input="float", outputs=(), output=Path(folder) / "bundle")
        )
        write_full_graph(bundle, config.output, config.input or "uint8", config.outputs)
    return bundle, distance


def convert(config: ConvertConfig) -> tuple[Bundle, float]:
    """Write a bundle with the network in another form.

    Args:
        config: which bundle, which form.

    Returns:
        The new bundle, and the mean distance of its landmarks from those of the same network in float32, crop px.

    Raises:
        ModelError: the bundle cannot be used, or the landmarks of the new network differ too much.
        DataError: too few photos to calibrate on.
        OutputError: the folder cannot be written.
    """
    source = find_bundle(config.bundle)
    others = [find_bundle(name) for name in config.ensemble]
    calibration, held_out = _crops(config, source)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / MODEL_FILE
        original = source.model_path
        if others:
            original = Path(folder) / "ensemble.onnx"
            average_models([source, *others], original)
        if config.flip_tta:
            plain, original = original, Path(folder) / "flip.onnx"
            average_with_flip(source, original, plain)
        inputs = network_inputs(calibration, source.channel_order)
        quantize(original, model, config.precision, inputs)
        kinds = "+".join(dict.fromkeys(bundle.architecture for bundle in (source, *others)))
        changed = replace(source, architecture=_described(kinds, config), name=config.name or source.name)
        if config.precision != "float32" or config.flip_tta or others:
            changed = replace(changed, accuracy={})  # the figures of the original do not apply
        if config.input == "uint8":
            accept_uint8_crops(model, source.input_size, source.channel_order)
            changed = replace(changed, channel_order="RGB")
        distance = _distance(source, original, changed, model, held_out)
        limit = TOLERANCE[config.precision] * source.input_size
        if not distance <= limit:
            raise ModelError(
                f"the {config.precision} network moves landmarks by {distance:.3f} px, more than {limit:.3f} px: "
                "calibrate with photos like those of the application, or choose a higher precision"
            )
        files = {name: source.folder / name for name in source.files} if source.folder else {}
        return write_bundle(changed, config.output, files | {MODEL_FILE: model}), distance


def _described(architecture: str, config: ConvertConfig) -> str:
    marks = [config.precision] * (config.precision != "float32") + ["uint8"] * (config.input == "uint8")
    return "-".join([architecture, *(["flip"] if config.flip_tta else []), *marks])


def _crops(config: ConvertConfig, bundle: Bundle) -> tuple[UInt8, UInt8]:
    """Crops (n, S, S, 3) for calibration, and others for the comparison."""
    if config.calibration is None:
        if config.precision == "int8":
            raise DataError("int8 needs photos with faces to calibrate on: name them with --calibration")
        size = bundle.input_size
        noise = np.random.default_rng(0).integers(0, 256, (_FEWEST, size, size, 3), np.uint8)
        return noise, noise
    crops = faces_of(Photos(config.calibration), bundle)
    if len(crops) < _FEWEST:
        raise DataError(f"{config.calibration} shows {len(crops)} faces, {_FEWEST} are needed: add photos")
    return crops[1::2], crops[::2]


def faces_of(photos: Photos, bundle: Bundle) -> UInt8:
    """Crops (n, S, S, 3) uint8 of the largest face in each photo, as the network of the bundle receives them."""
    aligner, crops = FaceAligner(bundle), list[UInt8]()
    for name in photos.names:
        photo = photos.read(name)
        faces = aligner(photo, refine=True)
        crops += list(cut_crops(photo, faces.roi[:1], bundle.input_size, bundle.convention))
        if len(crops) == _MOST:
            break
    return np.array(crops, np.uint8)


def _distance(old: Bundle, original: Path, new: Bundle, model: Path, crops: UInt8) -> float:
    """Mean distance of the landmarks of two networks, crop px, each with the input format of its bundle."""
    head = HeadModel.load(old.head_path)
    before = _landmarks(old, head, Regressor(old, model_path=original).params_from_crops(crops))
    after = _landmarks(new, head, Regressor(new, model_path=model).params_from_crops(crops))
    return float(np.linalg.norm(before - after, axis=-1).mean())


def _landmarks(bundle: Bundle, head: HeadModel, params: Float32) -> Float32:
    pose, identity, expression = bundle.layout.split(params)
    points = head.decode_landmarks(identity, expression)
    return np.asarray(project(points, pose)[..., :2], np.float32)
