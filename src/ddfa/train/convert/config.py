"""The settings of `ddfa models convert`. Imports neither torch nor onnx."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from tyro.conf import Positional, arg

from ddfa.errors import ModelError, OutputError
from ddfa.options import Folder

FullInput: TypeAlias = Literal["float", "uint8", "image"]
Precision: TypeAlias = Literal["float32", "float16", "int8"]


@dataclass(frozen=True)
class ConvertConfig:
    """The network to convert, and its new form.

    Attributes:
        bundle: name or folder of the bundle.
        output: folder of the new bundle; for onnx-full a file.
        input: "float" for normalised images (n, 3, S, S), "uint8" for RGB crops (n, S, S, 3); for onnx-full also
            "image" for a whole image and a box. By default float, for onnx-full uint8.
        precision: of the arithmetic.
        calibration: folder or tar of photos with faces; required for int8, otherwise used for the comparison only.
        flip_tta: test-time flip: average the predictions for the crop and for its mirror image. More accurate, at
            twice the cost.
        ensemble: names or folders of other bundles whose predictions are averaged with those of the first. Works best
            for networks of different architectures.
        name: of the new bundle; that of the first by default.
        to: "bundle", or "onnx-full": one .onnx file from the input to landmarks, mesh, pose and blendshapes, for other
            programs; see docs/onnx.md.
        outputs: of onnx-full: names of the outputs to keep, all by default. Without vertices the file has 4 MB, not 19.
    """

    bundle: Positional[Annotated[str, arg(metavar="BUNDLE")]]
    output: Folder
    input: Annotated[FullInput | None, arg(metavar="float|uint8|image")] = None
    precision: Precision = "float32"
    calibration: Annotated[Path | None, arg(metavar="DIR|TAR")] = None
    flip_tta: bool = False
    ensemble: Annotated[tuple[str, ...], arg(metavar="BUNDLE ...")] = ()
    name: Annotated[str, arg(metavar="NAME")] = ""
    to: Literal["bundle", "onnx-full"] = "bundle"
    outputs: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()

    def __post_init__(self) -> None:
        if self.to == "bundle" and (self.input == "image" or self.outputs):
            raise ModelError("--input image and --outputs are for --to onnx-full")
        if self.to == "onnx-full" and self.output.suffix != ".onnx":
            raise OutputError(f"cannot write {self.output}: with --to onnx-full name an .onnx file")
