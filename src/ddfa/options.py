"""Options that mean the same in every command and in the settings of training: each is defined once, here.

An argument or a field of one of these types has the option's name, help, metavar and short form; its default is the
command's own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from tyro.conf import FlagCreatePairsOff, arg


def none_is(words: str) -> Callable[[str], str]:
    """How help names a default of None."""
    return lambda default: f"(default: {words if default == 'None' else default})"


Quiet: TypeAlias = FlagCreatePairsOff[Annotated[bool, arg(aliases=["-q"], help="print errors only.")]]
Verbose: TypeAlias = FlagCreatePairsOff[
    Annotated[
        bool,
        arg(aliases=["-v"], help="print to stderr: versions, time and memory, and where an error comes from."),
    ]
]
Json: TypeAlias = FlagCreatePairsOff[
    Annotated[bool, arg(help="print results to stdout as JSON, one object per line, instead of text.")]
]
Overwrite: TypeAlias = Annotated[bool, arg(help="replace files that exist; otherwise a file that exists is an error.")]
Limit: TypeAlias = Annotated[int, arg(metavar="N", help="use only the first N photos or frames; 0 for all.")]
Start: TypeAlias = Annotated[
    float, arg(metavar="SECONDS", help="begin so many seconds after the beginning of the video.")
]
Duration: TypeAlias = Annotated[
    float | None,
    arg(metavar="SECONDS", help="use only so many seconds of the video.", help_behavior_hint=none_is("all")),
]
Every: TypeAlias = Annotated[int, arg(metavar="N", help="use each so manyth frame of a video.")]
Folder: TypeAlias = Annotated[Path, arg(aliases=["-o"], metavar="DIR")]
"""--output: a folder, created if it does not exist."""
File: TypeAlias = Annotated[Path, arg(aliases=["-o"], metavar="FILE")]
"""--output: one file."""
MaybeFile: TypeAlias = Annotated[Path | None, arg(aliases=["-o"], metavar="FILE")]
MaybeFolder: TypeAlias = Annotated[Path | None, arg(aliases=["-o"], metavar="DIR")]
ModelName: TypeAlias = Annotated[
    str | None,
    arg(metavar="BUNDLE", help="name or folder of a model bundle.", help_behavior_hint=none_is("the shipped one")),
]
DetectorName: TypeAlias = Annotated[
    str,
    arg(
        metavar="NAME",
        help="yunet; yunet:exact, which searches every part of a photo and is slower; dlib; or dlib:FILE.dat for boxes "
        "with 68 landmarks.",
    ),
]
Refine: TypeAlias = Annotated[
    bool, arg(help="regress twice, the second time on a crop around the first landmarks: slower, more accurate.")
]
Regions: TypeAlias = Annotated[
    bool, arg(help="refine the blendshapes with region networks, which read eyes and mouth at full resolution.")
]
Threads: TypeAlias = Annotated[
    int | None, arg(metavar="N", help="CPU threads of the networks.", help_behavior_hint=none_is("all"))
]
TorchThreads: TypeAlias = Annotated[int, arg(metavar="N", help="CPU threads of the networks.")]
MaxPixels: TypeAlias = Annotated[
    int,
    arg(metavar="N", help="maximum width times height of a photo or frame; larger ones are refused undecoded."),
]
TextureSize: TypeAlias = Annotated[int, arg(metavar="N", help="side of the texture in px, 64 to 4096.")]
Delight: TypeAlias = Annotated[bool, arg(help="remove shading from the texture.")]
KeepOccluders: TypeAlias = Annotated[
    bool, arg(help="leave hair, hats, glasses and hands on the texture that are in front of the skin in the photo.")
]
Style: TypeAlias = Annotated[
    str,
    arg(
        metavar="STYLES",
        help='what is drawn, joined by "+": landmarks, mesh, wireframe, pose, depth, normals, pncc, uv, regions; or '
        "none.",
    ),
]
Label: TypeAlias = Annotated[bool, arg(help='write "SYNTHETIC FACE" into the image or every frame.')]
Workers: TypeAlias = Annotated[
    int, arg(metavar="N", help="processes (of `ddfa serve`: threads) that share the work; 0 for one per core.")
]
Seed: TypeAlias = Annotated[int, arg(metavar="N", help="seed of everything random.")]
Worst: TypeAlias = Annotated[
    float, arg(metavar="SHARE", help="share of the labels to leave out, those with the largest fit error.")
]
Resume: TypeAlias = Annotated[bool, arg(help="continue from the last checkpoint in the run folder.")]
Count: TypeAlias = Annotated[int, arg(metavar="N", help="how many images to make, or faces to show.")]
PictureSide: TypeAlias = Annotated[int, arg(metavar="PX", help="side of the images in px.")]
Margin: TypeAlias = Annotated[
    float, arg(metavar="FACTOR", help="side of the image relative to the side of the face's RoI.")
]
Samples: TypeAlias = Annotated[int, arg(metavar="N", help="training samples in all: crops, photos or sheets.")]
BatchSize: TypeAlias = Annotated[int, arg(metavar="N", help="samples per step, over all processes.")]
LearningRate: TypeAlias = Annotated[float, arg(metavar="RATE", help="peak learning rate.")]
WeightDecay: TypeAlias = Annotated[float, arg(metavar="RATE", help="weight decay of the optimiser.")]
Warmup: TypeAlias = Annotated[int, arg(metavar="N", help="steps of the linear warm-up.")]
Ema: TypeAlias = Annotated[
    int, arg(metavar="N", help="half-life in steps of the exponential moving average (EMA) of the weights.")
]
Reuse: TypeAlias = Annotated[int, arg(metavar="N", help="number of steps that use each sample, in different mixtures.")]
OnnxDevice: TypeAlias = Annotated[
    Literal["cpu", "cuda"], arg(help="cuda needs onnxruntime-gpu instead of onnxruntime.")
]
TorchDevice: TypeAlias = Annotated[
    str, arg(metavar="DEVICE", help="device of PyTorch: cpu or cuda; for `ddfa train` also auto, CUDA where available.")
]
_MESH_TEACHER = arg(metavar="FILE", help="a face_landmarker.task, which scores expressions (docs/training.md).")
MeshTeacherFile: TypeAlias = Annotated[Path, _MESH_TEACHER]
MaybeMeshTeacher: TypeAlias = Annotated[Path | None, _MESH_TEACHER]
