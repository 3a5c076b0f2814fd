"""Import of original 3DDFA checkpoints as model bundles."""

import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch

from ddfa.errors import ModelError, reading, reason
from ddfa.files import check_regular
from ddfa.head.model import HeadModel
from ddfa.head.readers import read_whitening
from ddfa.regress.bundle import MODEL_FILE, Bundle, write_bundle
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout
from ddfa.regress.session import Regressor
from ddfa.regress.whitening import Whitening
from ddfa.train.convert.bundle import head_files
from ddfa.train.convert.onnx_export import export_onnx
from ddfa.train.networks import MobileNetV1

# Number of parameters -> layout, as in the original code.
_LAYOUTS = {62: ParamLayout(40, 10), 72: ParamLayout(40, 20), 141: ParamLayout(100, 29)}
_LICENCE = "weights of original 3DDFA (MIT); basis derived from the Basel Face Model: academic use only"


def import_3ddfa(
    checkpoint: Path,
    basis: Path,
    whitening: Path,
    output: Path,
    convention: Literal["auto", "v1", "v2"] = "auto",
) -> Bundle:
    """Make a self-contained bundle of an original 3DDFA model; the files are copied into it.

    Args:
        checkpoint: V1 `.pth.tar`, V2 `.pth` or V2 `.onnx`.
        basis: V1 `train.configs` folder or V2 `bfm_noneck_v3.pkl`; both work with both checkpoints.
        whitening: V1 `param_whitening.pkl` or V2 `param_mean_std_62d_120x120.pkl`, that of the checkpoint.
        output: the bundle's folder.
        convention: pixel convention; "auto" for V1 with checkpoints that have the layer names of V1, else V2.

    Returns:
        The bundle, verified.

    Raises:
        ModelError: a file is missing, damaged, or does not fit the others.
        OutputError: the bundle cannot be written.
    """
    mean, std = read_whitening(whitening)
    head = HeadModel.load(basis)
    if not head.name.startswith("bfm"):
        raise ModelError(f"{basis} is not an original basis: name a V1 train.configs folder or a V2 .pkl")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / MODEL_FILE
        width, detected = _convert(checkpoint, model)
        layout = _layout(len(mean), head)
        location, files = head_files(basis)
        bundle = Bundle(
            name=output.name,
            architecture="unknown" if width is None else f"mobilenet_v1_{100 * width:03.0f}.{head.name}",
            convention=detected if convention == "auto" else PixelConvention(convention),
            layout=layout,
            whitening=Whitening(mean, std),
            licence=_LICENCE,
            channel_order="BGR",
            head=location,
            training_data="300W-LP, by the authors of 3DDFA",
        )
        _try_out(bundle, model)
        return write_bundle(bundle, output, {MODEL_FILE: model} | files)


def _layout(size: int, head: HeadModel) -> ParamLayout:
    layout = _LAYOUTS.get(size)
    if layout is None:
        raise ModelError(f"whitening has {size} parameters, original models have {', '.join(map(str, _LAYOUTS))}")
    if len(head.identity_basis) < layout.identity or len(head.expression_basis) < layout.expression:
        raise ModelError(f"the basis has fewer modes than {layout.identity} + {layout.expression}: use the full one")
    return layout


def _convert(checkpoint: Path, model: Path) -> tuple[float | None, PixelConvention]:
    """Write the network as ONNX with a dynamic batch; return its width, if known, and the convention of its version."""
    if not checkpoint.is_file():
        raise ModelError(f"no checkpoint at {checkpoint}: name a .pth.tar, .pth or .onnx file")
    if checkpoint.suffix == ".onnx":
        return _free_batch(checkpoint, model), PixelConvention.V2
    state, convention = _read_state(checkpoint)
    try:
        width = state["conv1.weight"].shape[0] / 32
        network = MobileNetV1(len(state["fc.bias"]), width)
        network.load_state_dict(state)
    except Exception as error:  # of torch, for tensors of any shape and kind
        raise ModelError(
            f"{checkpoint} is not a MobileNet-V1 of 3DDFA ({reason(error)}): convert it to .onnx"
        ) from None
    export_onnx(network, model)
    return width, convention


def _read_state(checkpoint: Path) -> tuple[dict[str, Any], PixelConvention]:
    """Read the weights under our names; V2 calls the regression head `fc_param`."""
    check_regular(checkpoint, ModelError)
    with reading(checkpoint, ModelError, "not a readable checkpoint of plain tensors", "name another"):
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        stored = {name.removeprefix("module."): value for name, value in content.get("state_dict", content).items()}
    convention = PixelConvention.V2 if "fc_param.weight" in stored else PixelConvention.V1
    names = {name: name.replace("fc_param.", "fc.") for name in stored if not name.startswith("fc_lm.")}
    return {new: stored[old] for old, new in names.items()}, convention


def _free_batch(source: Path, target: Path) -> float | None:
    """Copy an ONNX file with a dynamic batch; return the width if it is a MobileNet-V1 by its shapes."""
    try:
        network = onnx.load(source)
        for value in (network.graph.input[0], network.graph.output[0]):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        onnx.save(network, target)
    except Exception as error:  # protobuf and onnx raise their own errors
        raise ModelError(f"{source} is not a readable ONNX network ({reason(error)})") from None
    weights = {tensor.name: tensor.dims for tensor in network.graph.initializer}
    first = next((node for node in network.graph.node if node.op_type == "Conv"), None)
    if first is None or weights[first.input[1]][2] != 3:
        return None
    return float(weights[first.input[1]][0] / 32)


def _try_out(bundle: Bundle, model: Path) -> None:
    """Check that the network treats the images of a batch independently."""
    regressor = Regressor(bundle, model_path=model, threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (2, 120, 120, 3), np.uint8)
    whiten = bundle.whitening.whiten
    both, single = whiten(regressor.params_from_crops(crops)), whiten(regressor.params_from_crops(crops[1:]))
    if np.abs(both[1:] - single).max() > 1e-3:
        raise ModelError("the network mixes the faces of a batch: it cannot be used")
