import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ddfa.data.pseudo_labels.points_teacher import JAW, WFLW_INNER, PointsTeacher, crop_affine
from ddfa.data.registration.landmark_placement import MIRRORED
from ddfa.errors import DataError

SIDE = 32


def write_network(path, outputs, side=SIDE, channels=3):
    """A network whose outputs are all the centre of mass of the crop's first channel (B): x, y, x, y, ..."""
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    grid = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32) / side
    nodes = [
        helper.make_node("Gather", ["input", "zero"], ["blue"], axis=1),
        helper.make_node("Reshape", ["blue", "flat"], ["row"]),
        helper.make_node("ReduceSum", ["row"], ["mass"], keepdims=1),
        helper.make_node("MatMul", ["row", "grid"], ["moment"]),
        helper.make_node("Div", ["moment", "mass"], ["centre"]),
        helper.make_node("Tile", ["centre", "repeats"], ["many"]),
        helper.make_node("Slice", ["many", "start", "end", "axis"], ["output"]),
    ]
    values = {
        "zero": np.array([0]), "flat": np.array([1, side * side]), "grid": grid,
        "repeats": np.array([1, outputs // 2 + 1]), "start": np.array([0]), "end": np.array([outputs]),
        "axis": np.array([1]),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "centre",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, channels, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, outputs])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def landmarks():
    rng = np.random.default_rng(0)
    return rng.uniform([40, 30], [100, 110], (1, 68, 2))


@pytest.mark.parametrize("outputs", [136, 143, 196])
def test_points_return_to_the_photo(tmp_path, landmarks, outputs):
    """A blue spot on black is the centre of mass of every crop and of every mirrored one."""
    photo = np.zeros((160, 150, 3), np.uint8)
    photo[62:72, 80:90, 2] = 255
    if outputs < 196:  # (x - 127) / 127: grey is 0, and the other channels are not read
        photo[..., 2] = np.where(photo[..., 2] > 0, 255, 127)
        photo[..., :2] = 255
        photo = np.pad(photo[20:130, 25:145], ((20, 30), (25, 5), (0, 0)), mode="edge")
    teacher = PointsTeacher(write_network(tmp_path / "net.onnx", outputs))
    found = teacher.observe([photo], landmarks)
    assert found.shape == (1, 51, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found, np.broadcast_to([84.5, 66.5], (1, 51, 2)), atol=0.6)


def test_inner_points_of_98_are_those_of_68():
    assert len(WFLW_INNER) == 68 - JAW and len(set(WFLW_INNER)) == 51
    # The mirror map of WFLW, for the points used, must be that of iBUG.
    pairs = {33: 46, 34: 45, 35: 44, 36: 43, 37: 42, 51: 51, 52: 52, 53: 53, 54: 54, 55: 59, 56: 58, 57: 57}
    pairs |= {60: 72, 61: 71, 63: 69, 64: 68, 65: 75, 67: 73}
    pairs |= {76: 82, 77: 81, 78: 80, 79: 79, 87: 83, 86: 84, 85: 85, 88: 92, 89: 91, 90: 90, 95: 93, 94: 94}
    pairs |= {right: left for left, right in pairs.items()}
    mirrored = MIRRORED[JAW:] - JAW
    np.testing.assert_array_equal([pairs[int(k)] for k in WFLW_INNER], WFLW_INNER[mirrored])


def test_the_crop_is_centred_on_the_landmarks(landmarks):
    affine = crop_affine(landmarks[0], 1.2, SIDE)
    low, high = landmarks[0].min(axis=0), landmarks[0].max(axis=0)
    np.testing.assert_allclose(affine[:, :2] @ ((low + high) / 2) + affine[:, 2], (SIDE - 1) / 2)
    assert (high - low).max() * affine[0, 0] == pytest.approx(SIDE / 1.2)


@pytest.mark.parametrize("kind", ["missing", "text", "few", "channels"])
def test_other_files_are_refused(tmp_path, kind):
    path = tmp_path / "net.onnx"
    if kind == "text":
        path.write_text("no network")
    if kind == "few":
        write_network(path, 100)
    if kind == "channels":
        write_network(path, 136, channels=4)
    with pytest.raises(DataError, match="points teacher"):
        PointsTeacher(path)
