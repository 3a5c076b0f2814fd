"""Features of a bundle's network for crops, and the errors of the landmarks that it predicts for them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from ddfa.array_files import open_npz
from ddfa.arrays import Float32
from ddfa.data.quality.samples import QualitySample, QualitySamples
from ddfa.errors import DataError, ModelError
from ddfa.face_model import FaceModel
from ddfa.files import atomic_path, make_folder
from ddfa.jobs import run_missing
from ddfa.regress.bundle import Bundle
from ddfa.regress.session import network_inputs
from ddfa.sessions import open_session, session_options

_CHUNK: Final = 256  # samples per task
# What may follow the pooling of a regressor: layers that mix features into parameters.
_LINEAR: Final = ("Gemm", "MatMul", "Add", "Flatten", "Reshape", "Squeeze", "Identity")
_FIELDS: Final = ("features", "errors", "sizes", "occluded")
_FEATURES: Final = "quality_features"


@dataclass(eq=False)
class FeatureSet:
    """Samples as the quality head is trained on them.

    Attributes:
        features: (n, C, h, w) float16, the last feature maps of the network.
        errors: (n, 68, 2) float32, predicted minus true landmarks as a share of the crop side; NaN without a face.
        sizes: (n,) float32, sqrt(w h) of the true landmarks' bounding box as a share of the crop side; NaN without.
        occluded: (n, 68) float32, 1 for hidden landmarks, 0 for visible ones, NaN where this is not known.
    """

    features: NDArray[np.float16]
    errors: Float32
    sizes: Float32
    occluded: Float32

    def __len__(self) -> int:
        return len(self.features)

    def select(self, rows: slice) -> "FeatureSet":
        """Some of the samples."""
        return FeatureSet(self.features[rows], self.errors[rows], self.sizes[rows], self.occluded[rows])

    @staticmethod
    def load(path: Path) -> "FeatureSet":
        """Read a part that `feature_set` wrote.

        Raises:
            DataError: it is missing or damaged.
        """
        with open_npz(path, DataError, "no part of the features", "remove it and repeat the command") as file:
            return FeatureSet(*(file[name] for name in _FIELDS))


def feature_set(
    bundle: Bundle, samples: QualitySamples, count: int, folder: Path, seed: int = 0, workers: int = 0
) -> FeatureSet:
    """Draw samples and run the network on them.

    Args:
        bundle: the network.
        samples: the source of the samples.
        count: number of samples.
        folder: receives the parts, so that an interrupted job is resumed.
        seed: of the samples.
        workers: processes; 0 means one per core.

    Raises:
        ModelError: the network has no feature map that is pooled.
    """
    make_folder(folder)
    starts = range(0, count, _CHUNK)
    parts = [folder / f"{start:07d}.npz" for start in starts]
    tasks = [(seed + start, min(_CHUNK, count - start), part) for start, part in zip(starts, parts, strict=True)]
    run_missing(partial(_open_extractor, bundle, samples), parts, tasks, workers, "extract features", "spawn")
    loaded = [FeatureSet.load(part) for part in parts]
    return FeatureSet(*(np.concatenate([getattr(part, name) for part in loaded]) for name in _FIELDS))


def _open_extractor(bundle: Bundle, samples: QualitySamples) -> Callable[[tuple[int, int, Path]], None]:
    cv2.setNumThreads(1)
    session = open_session(with_features(onnx.load(bundle.model_path)).SerializeToString(), session_options(1))
    model = FaceModel.of(bundle)

    def extract(task: tuple[int, int, Path]) -> None:
        seed, count, part = task
        drawn = samples.samples(count, seed)
        inputs = network_inputs(np.stack([one.crop for one in drawn]), bundle.channel_order)
        output, features = session.run(["output", _FEATURES], {session.get_inputs()[0].name: inputs})
        result = _measured(model, bundle.whitening.dewhiten(output), np.asarray(features, np.float16), drawn)
        with atomic_path(part) as temporary:
            np.savez(temporary, **{name: getattr(result, name) for name in _FIELDS})

    return extract


def _measured(
    model: FaceModel, params: Float32, features: NDArray[np.float16], drawn: list[QualitySample]
) -> FeatureSet:
    side = model.crop_size
    roi = np.tile(np.array([-0.5, -0.5, side - 0.5, side - 0.5], np.float32), (len(params), 1))
    predicted = model.decode(model.head.landmark_points, params, roi)[..., :2]
    true = np.stack([one.landmarks for one in drawn])
    sizes = np.sqrt(np.prod(true.max(axis=1) - true.min(axis=1), axis=1)) / side
    return FeatureSet(
        features,
        np.asarray((predicted - true) / side, np.float32),
        np.asarray(sizes, np.float32),
        np.stack([one.occluded for one in drawn]),
    )


def with_features(network: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a regressor with the feature map before its pooling as a second output, `quality_features`.

    Args:
        network: its first output is the result of linear layers on a pooled feature map.

    Raises:
        ModelError: it is not.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    name = feature_map(copy)
    copy.graph.node.append(helper.make_node("Identity", [name], [_FEATURES]))
    copy.graph.output.append(helper.make_tensor_value_info(_FEATURES, onnx.TensorProto.FLOAT, None))
    return copy


def feature_map(network: onnx.ModelProto) -> str:
    """Name of the feature map (n, C, h, w) that a regressor pools.

    Raises:
        ModelError: its output is not the result of linear layers on a pooled feature map.
    """
    producers = {name: node for node in network.graph.node for name in node.output}
    node = producers.get(network.graph.output[0].name)
    while node is not None and node.op_type in _LINEAR:
        node = producers.get(node.input[0])
    if node is None or node.op_type not in ("GlobalAveragePool", "ReduceMean", "AveragePool", "Conv"):
        raise ModelError(
            "the network does not end with pooling and linear layers: train the quality head of a bundle without "
            "test-time flip or ensemble, and convert that one"
        )
    return str(node.input[0])
