"""The `ddfa` command: finds the subcommand; tyro parses its arguments according to the function's signature.

The module of a subcommand is imported only when it runs, so that `ddfa --help` is fast.
"""

import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from threading import current_thread, main_thread
from typing import Final, NamedTuple

from ddfa import __version__
from ddfa.commands.config_file import expand_config
from ddfa.errors import DDFAError, Terminated, one_line
from ddfa.exit_codes import FAILED, INTERRUPTED, OK, TERMINATED
from ddfa.renamed import current_command, current_options

_TRAIN: Final = ("torch", "onnx", "openvino", "yaml", "tensorboard")
# These process single faces: BLAS threads do not make them faster, and occupy a core while they wait.
_SINGLE_THREADED_BLAS: Final = ("align", "video", "replace", "retarget", "serve", "batch", "decode")
_VIDEO: Final = {"av": "video", "pyarrow": "batch", "fsspec": "batch"}
_SERVE: Final = ("fastapi", "starlette", "pydantic", "uvicorn", "websockets", "multipart", "prometheus_client")
_SINGLE: Final = {"dlib": "dlib", "pxr": "usd", "c2pa": "c2pa", "ray": "ray"}
_EXTRAS: Final = dict.fromkeys(_TRAIN, "train") | _VIDEO | dict.fromkeys(_SERVE, "serve") | _SINGLE


class Command(NamedTuple):
    """One subcommand.

    Attributes:
        name: its words, for instance ("models", "list").
        target: `module:function`; the function returns an exit code.
        summary: one line for the help.
    """

    name: tuple[str, ...]
    target: str
    summary: str


COMMANDS: Final = (
    Command(("align",), "ddfa.commands.align:align", "3D faces from photos"),
    Command(("video",), "ddfa.commands.video:video", "track the faces of a video"),
    Command(("head", "show"), "ddfa.commands.head:show", "contact sheet of a head model"),
    Command(("replace",), "ddfa.commands.replace:replace", "replace a face in a photo or video"),
    Command(("retarget",), "ddfa.commands.retarget:retarget", "animate a textured head by the face of a video"),
    Command(("models", "list"), "ddfa.commands.models:list_models", "installed model bundles"),
    Command(("models", "show"), "ddfa.commands.models:show_model", "the card of a bundle"),
    Command(("models", "verify"), "ddfa.commands.models:verify_models", "check bundles against their SHA-256"),
    Command(("models", "import-3ddfa"), "ddfa.commands.models:import_original", "bundle from original 3DDFA files"),
    Command(("models", "package"), "ddfa.commands.models:package", "bundle from a training checkpoint"),
    Command(
        ("models", "convert"),
        "ddfa.commands.convert:convert",
        "convert a bundle: uint8, float16, int8, ...",
    ),
    Command(("serve",), "ddfa.commands.serve:serve", "HTTP service and web page"),
    Command(("batch",), "ddfa.commands.batch:batch", "tables of the faces in a photo corpus"),
    Command(("decode",), "ddfa.commands.batch:decode", "meshes and images from rows of such tables"),
    Command(("bench", "landmarks"), "ddfa.commands.bench.landmarks:landmarks", "landmark accuracy on annotated photos"),
    Command(("bench", "aflw2000"), "ddfa.commands.bench.aflw:aflw2000", "landmark accuracy on AFLW2000-3D"),
    Command(("bench", "aflw"), "ddfa.commands.bench.aflw:aflw", "accuracy of AFLW's 21 points"),
    Command(("bench", "pose"), "ddfa.commands.bench.pose:pose", "head pose against labelled angles"),
    Command(("bench", "quality"), "ddfa.commands.bench.quality:quality", "estimated quality against true errors"),
    Command(("bench", "blink"), "ddfa.commands.bench.blink:blink", "an expression against reference scores"),
    Command(("bench", "apertures"), "ddfa.commands.bench.apertures:apertures", "eye and mouth aperture"),
    Command(("bench", "units"), "ddfa.commands.bench.units:units", "the 52 blendshapes on photos or rendered faces"),
    Command(("bench", "expressions"), "ddfa.commands.bench.expressions:expressions", "blendshapes of single photos"),
    Command(("bench", "identity"), "ddfa.commands.bench.identity:identity", "the neutral shape of people"),
    Command(("bench", "jitter"), "ddfa.commands.bench.jitter:jitter", "temporal stability of landmarks in a video"),
    Command(("bench", "speed"), "ddfa.commands.bench.speed:speed", "speed of networks and pipeline stages"),
    Command(("bench", "curves"), "ddfa.commands.bench.curves:curves", "training curves as an image"),
    Command(("data", "label"), "ddfa.commands.data:label", "label photos with a teacher network"),
    Command(("data", "read"), "ddfa.commands.data_read:read", "convert the original 3DDFA training set or 300W-LP"),
    Command(("data", "profile"), "ddfa.commands.data:profile", "augment labelled photos with large poses"),
    Command(("data", "render"), "ddfa.commands.data:render", "render synthetic faces of the open head"),
    Command(("data", "regions"), "ddfa.commands.data:regions", "label photos for the region networks"),
    Command(("data", "show"), "ddfa.commands.data:show", "a contact sheet of a data set"),
    Command(("train",), "ddfa.commands.train:train", "train a network on labelled photos"),
    Command(("train-occlusion",), "ddfa.commands.train_occlusion:train_occlusion", "train the occlusion network"),
    Command(("train-roll",), "ddfa.commands.train_roll:train_roll", "train the network for faces at any roll"),
    Command(
        ("train-proposals",), "ddfa.commands.train_proposals:train_proposals", "train the detector's proposal network"
    ),
    Command(("train-regions",), "ddfa.commands.train_regions:train_regions", "train a region network"),
    Command(("train-quality",), "ddfa.commands.train_quality:train_quality", "train a quality head"),
    Command(("average",), "ddfa.commands.average:average", "average the weights of several runs"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the words after `ddfa`; by default those of the process.

    Returns:
        0 on success, 1 if nothing was found, 2 if something failed or the arguments are wrong.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["--version"], ["-V"]):
        print(f"ddfa {__version__}")
        return OK
    words, notes = current_command(words)
    _warn(notes)
    command = next((c for c in COMMANDS if tuple(words[: len(c.name)]) == c.name), None)
    if command is not None:
        return _run(command, words[len(command.name) :])
    prefix = tuple(word for word in words[:1] if any(word == c.name[0] for c in COMMANDS))
    rest = words[len(prefix) :]
    if rest and rest[0] not in ("-h", "--help"):
        known = ", ".join(dict.fromkeys(c.name[len(prefix)] for c in COMMANDS if c.name[: len(prefix)] == prefix))
        print(f"ddfa: unknown command '{' '.join([*prefix, rest[0]])}': choose one of {known}", file=sys.stderr)
        return FAILED
    print(_help(prefix), file=sys.stdout if rest else sys.stderr)
    return OK if rest else FAILED


def _run(command: Command, arguments: list[str]) -> int:
    """Call the function of a subcommand; errors that a user can fix are printed as one line."""
    import tyro

    module, _, function = command.target.partition(":")
    name = " ".join(command.name)
    if command.name[0] in _SINGLE_THREADED_BLAS:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is loaded
    try:
        with _terminable():
            words, notes = current_options(command.name, expand_config(arguments))
            _warn(notes)
            code: int = tyro.cli(getattr(import_module(module), function), prog=f"ddfa {name}", args=words)
    except DDFAError as error:
        print(f"ddfa {name}: {one_line(str(error))}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _EXTRAS:
            raise
        print(f"ddfa {name}: needs {library}: pip install 'openddfa[{_EXTRAS[library]}]'", file=sys.stderr)
        return FAILED
    except Terminated:
        print(f"ddfa {name}: terminated", file=sys.stderr)
        return TERMINATED
    except KeyboardInterrupt:
        print(f"ddfa {name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has closed, as in `ddfa models list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return FAILED
    except MemoryError:
        print(f"ddfa {name}: not enough memory: give it less at a time, or smaller files", file=sys.stderr)
        return FAILED
    except Exception:  # a fault of ours; Python's own exit code would say that nothing was found
        traceback.print_exc()
        return FAILED
    return code


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated` in the block."""
    if current_thread() is not main_thread():  # only the main thread receives signals
        yield
        return

    def terminate(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _warn(notes: list[str]) -> None:
    for note in notes:
        print(f"ddfa: {note}", file=sys.stderr)


def _help(prefix: tuple[str, ...]) -> str:
    shown = [command for command in COMMANDS if command.name[: len(prefix)] == prefix]
    width = max(len(" ".join(command.name)) for command in shown)
    lines = [f"  ddfa {' '.join(command.name):{width}}  {command.summary}" for command in shown]
    return "\n".join(
        [
            f"ddfa {__version__}: 3D faces from photos and videos",
            "",
            *lines,
            "",
            "`ddfa COMMAND --help` describes a command. Exit codes: 0 ok, 1 nothing found, 2 failed.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
