"""The subcommands of `ddfa`: their words, functions and lines in the help. Imports nothing, so that help is fast."""

from difflib import get_close_matches
from typing import Final, NamedTuple


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
    Command(("fuse",), "ddfa.commands.fuse:fuse", "one head from several photos of a person"),
    Command(("video",), "ddfa.commands.video:video", "track the faces of a video"),
    Command(("doctor",), "ddfa.commands.doctor:doctor", "check this installation"),
    Command(("completion",), "ddfa.commands.completion:completion", "completion of commands and options for a shell"),
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

_BUILDING: Final = ("import-3ddfa", "package", "convert")


def group_of(command: Command) -> str:
    """The heading under which a command is listed."""
    first, *rest = command.name
    if first == "bench":
        return "Measure"
    if first in ("data", "average") or first.startswith("train") or (first == "models" and rest[0] in _BUILDING):
        return "Build models"
    return "Use"


def nearest(words: list[str]) -> str | None:
    """The command that somebody may have meant; None if none is near."""
    names = [" ".join(command.name) for command in COMMANDS] + list({command.name[0]: None for command in COMMANDS})
    found = get_close_matches(" ".join(words[:2]), names, 1) or get_close_matches(words[0], names, 1)
    return found[0] if found else None
