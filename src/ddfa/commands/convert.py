"""`ddfa models convert`: convert the network of a bundle."""

from typing import Annotated

import tyro

from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.exit_codes import OK
from ddfa.progress import Bar
from ddfa.train.convert.config import ConvertConfig

_Convert = Annotated[ConvertConfig, tyro.conf.arg(name="")]


def convert(config: _Convert, messages: MessageOptions = MESSAGES) -> int:
    """Convert a bundle: uint8 input, float16, int8, test-time flip, an ensemble with other bundles, or one ONNX file.

    Args:
        config: which bundle, and how it is converted.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.convert.pipeline import convert as convert_bundle
    from ddfa.train.convert.pipeline import convert_to_full

    full = config.to == "onnx-full"
    with Bar("converting and comparing"):
        bundle, distance = convert_to_full(config) if full else convert_bundle(config)
    path = config.output if full else bundle.model_path
    size = path.stat().st_size / 1e6
    text = f"{bundle.architecture}: {path}, {size:.1f} MB; landmarks move by {distance:.4f} px"
    messages.result(text, architecture=bundle.architecture, file=str(path), megabytes=round(size, 1), moved_px=distance)
    return OK
