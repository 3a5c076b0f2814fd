"""Running the network: from RoIs of an image to parameters."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from ddfa.arrays import Float32, Floats, UInt8
from ddfa.errors import ModelError, reason
from ddfa.networks import open_network
from ddfa.regress.bundle import Bundle
from ddfa.regress.crop import cut_crops
from ddfa.regress.quality import QUALITY_OUTPUT, QUALITY_SIZE
from ddfa.regress.sampling import MIDDLE, RANGE, best_sampler, network_crops
from ddfa.regress.turned import turned_patch
from ddfa.sessions import Device

# Limits the memory of one run; larger batches are no faster per face.
_BATCH = 64
# Standard deviations; crops of noise reach about 20.
_ABSURD = 1000.0


class Regressor:
    """Regresses 3DMM parameters from RoIs of an image, all faces in one batch.

    Args:
        bundle: the model.
        threads: CPU threads, at least 1; None leaves the choice to ONNX Runtime.
        model_path: the network; None for that of the bundle.
        device: "cpu" or "cuda".

    Raises:
        ModelError: the network cannot be loaded or does not fit its bundle, or the device is not available.
    """

    def __init__(
        self, bundle: Bundle, threads: int | None = None, model_path: Path | None = None, device: Device = "cpu"
    ) -> None:
        self.bundle = bundle
        self._crops = 0
        path = model_path or bundle.model_path
        self._session = open_network(path, threads, device)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(f"{path} is another network: it has {len(inputs)} inputs, not one")
        self._input = inputs[0]
        outputs = {one.name: one.shape for one in self._session.get_outputs()}
        first, *others = outputs
        self._outputs = [first, *(name for name in others if name == QUALITY_OUTPUT)]
        for name, size in zip(self._outputs, (bundle.layout.size, QUALITY_SIZE), strict=False):
            found = next(reversed(outputs[name]), None)
            if found != size:
                what = "" if name == first else f" as '{name}'"
                raise ModelError(
                    f"bundle '{bundle.name}': the network returns {found} values{what}, not {size}: import or convert "
                    "it again"
                )

    def __call__(self, image: UInt8, roi: Floats) -> Float32:
        """Regress the faces in the given RoIs.

        Args:
            image: (H, W, 3) uint8 RGB.
            roi: (n, 4) squares in image px.

        Returns:
            (n, P) float32 parameters, de-whitened.
        """
        return self.params_from_inputs(self.inputs(image, roi))

    def inputs(self, image: UInt8, roi: Floats, roll_deg: Floats | None = None) -> Float32 | UInt8:
        """Cut the inputs of the network; inputs of several images can be concatenated before they are regressed.

        Args:
            image: (H, W, 3) uint8 RGB.
            roi: (n, 4) squares in image px.
            roll_deg: (n,) by how much the faces are turned clockwise: their crops are turned back about the centre of
                the RoI, see `ddfa.regress.turned`. 0 for none, which is the default.

        Returns:
            (n, 3, S, S) float32, or (n, S, S, 3) uint8 for a network that normalises its input.
        """
        if roll_deg is None or not np.any(roll_deg):
            return self._upright_inputs(image, roi)
        crops: list[Any] = []
        for square, roll in zip(roi, roll_deg, strict=True):
            patch, own = turned_patch(image, square, float(roll), self.bundle.input_size) if roll else (image, square)
            crops.append(self._upright_inputs(patch, own[None]))
        return np.asarray(np.concatenate(crops))

    def _upright_inputs(self, image: UInt8, roi: Floats) -> Float32 | UInt8:
        size, convention = self.bundle.input_size, self.bundle.convention
        if self._normalises or convention.is_original:
            return self.crop_inputs(cut_crops(image, roi, size, convention))
        self._crops += len(roi)
        crops = network_crops(image, roi, size, best_sampler(self._crops))
        return crops if self.bundle.channel_order == "RGB" else crops[:, ::-1]

    def params_from_crops(self, crops: UInt8) -> Float32:
        """Regress the faces in crops that are already cut.

        Args:
            crops: (n, S, S, 3) uint8 RGB.

        Returns:
            (n, P) float32 parameters, de-whitened.
        """
        return self.params_from_inputs(self.crop_inputs(crops))

    def crop_inputs(self, crops: UInt8) -> Float32 | UInt8:
        """Inputs of the network from crops (n, S, S, 3) uint8 RGB that are already cut, see `inputs`."""
        return crops if self._normalises else network_inputs(crops, self.bundle.channel_order)

    @property
    def _normalises(self) -> bool:
        """Whether the network accepts uint8 crops and normalises them, like those of `ddfa models convert`."""
        return bool(self._input.type == "tensor(uint8)")

    def params_from_inputs(self, inputs: Float32 | UInt8) -> Float32:
        """Run the network, in batches.

        Args:
            inputs: (n, ...), as returned by `inputs`.

        Returns:
            (n, P) float32 parameters, de-whitened.
        """
        return self.outputs_from_inputs(inputs)[0]

    def outputs_from_inputs(self, inputs: Float32 | UInt8) -> tuple[Float32, Float32 | None]:
        """Run the network and its quality head, in batches.

        Args:
            inputs: (n, ...), as returned by `inputs`.

        Returns:
            (n, P) float32 parameters, de-whitened; (n, 137) float32 of the quality head, see `ddfa.regress.quality`,
            or None for a bundle without.
        """
        sizes = (self.bundle.layout.size, QUALITY_SIZE)[: len(self._outputs)]
        if not len(inputs):
            empty = [np.zeros((0, size), np.float32) for size in sizes]
            return empty[0], empty[1] if len(empty) > 1 else None
        batches = (inputs[start : start + _BATCH] for start in range(0, len(inputs), _BATCH))
        try:
            results = [self._session.run(self._outputs, {self._input.name: batch}) for batch in batches]
        except Exception as error:  # ONNX Runtime's own exception types are not public
            raise ModelError(f"bundle '{self.bundle.name}': the network fails ({reason(error)})") from None
        whitened, *extra = (
            np.concatenate(parts).astype(np.float32, copy=False) for parts in zip(*results, strict=True)
        )
        _check_outputs(self.bundle.name, whitened, self.bundle.layout.size)
        if extra:
            _check_outputs(self.bundle.name, extra[0], QUALITY_SIZE)
        return self.bundle.whitening.dewhiten(whitened), extra[0] if extra else None


def _check_outputs(name: str, outputs: Float32, size: int) -> None:
    """Raise an error for outputs that cannot be those of a trained network.

    Args:
        name: of the bundle.
        outputs: (n, size) whitened parameters or logits.
        size: expected length of a row.

    Raises:
        ModelError: the shape is another one, or a number is not finite or far beyond any that occurs.
    """
    if outputs.ndim != 2 or outputs.shape[1] != size:
        raise ModelError(f"bundle '{name}': the network returns an array {outputs.shape}, expected {size} values each")
    unusable = np.flatnonzero(~(np.abs(outputs) < _ABSURD).all(axis=1))  # true for NaN as well
    if len(unusable):
        raise ModelError(
            f"bundle '{name}': the network returns numbers for face {unusable[0]} that are not finite or absurd: "
            "import or download the bundle again"
        )


def network_inputs(crops: UInt8, channel_order: Literal["RGB", "BGR"]) -> Float32:
    """Normalise crops (n, S, S, 3) uint8 RGB to network inputs (n, 3, S, S), (v - 127.5) / 128."""
    ordered = crops if channel_order == "RGB" else crops[..., ::-1]
    # A contiguous copy first: normalising a transposed view is several times slower.
    batch = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2), np.float32)
    batch -= MIDDLE
    batch /= RANGE
    return batch
