"""`ddfa models convert`: convert the network of a bundle."""

from typing import Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from ddfa.exit_codes import OK
from ddfa.train.convert.pipeline import ConvertConfig, convert_to_full
from ddfa.train.convert.pipeline import convert as convert_bundle

_Convert = Annotated[ConvertConfig, tyro.conf.arg(name="")]


def convert(config: _Convert) -> int:
    """Convert a bundle: uint8 input, float16, int8, test-time flip, an ensemble with other bundles, or one ONNX file.

    Args:
        config: which bundle, and how it is converted.

    Returns:
        Exit code 0.
    """
    full = config.to == "onnx-full"
    bundle, distance = convert_to_full(config) if full else convert_bundle(config)
    path = config.output if full else bundle.model_path
    size = path.stat().st_size / 1e6
    text = f"{bundle.architecture}: {path}, {size:.1f} MB; landmarks move by {distance:.4f} px"
    Console().print(escape(text), soft_wrap=True)
    return OK
