"""How well a source suits a target: a score, and what limits it."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ddfa.errors import UnsuitableError
from ddfa.faces import Faces
from ddfa.raster.blending import smoothstep
from ddfa.replace.source import Source
from ddfa.replace.target import TargetFace

# Each quantity with the value from which a replacement fails and the one from which it is not limited by it. They were
# set on drawn pairs and on looked-at pairs of photos.
_SHOWN: Final = (0.15, 0.5)  # share of the target's visible face that the source shows
_SHARP: Final = (0.15, 0.6)  # height of the source's face relative to that of the rendered target's
_SMALL_PX: Final = (24.0, 60.0)  # height of the target's face
_HIDDEN: Final = (0.8, 0.55)  # share of the target's face behind other things
_TURNED: Final = (65.0, 35.0)  # degrees by which the source is turned further to its side than the target
_HARD: Final = (0.40, 0.24)  # hardness of the source's light, `TargetFace.hardness`


@dataclass(frozen=True)
class Suitability:
    """Whether a replacement can be expected to convince.

    Attributes:
        score: in [0, 1]; below 0.5, faults are likely to be seen.
        reason: what limits the score, for a message.
    """

    score: float
    reason: str

    def __str__(self) -> str:
        return f"quality {self.score:.2f}" + (f", limited by {self.reason}" if self.score < 1 else "")

    def require(self, least: float) -> None:
        """Refuse a pair.

        Args:
            least: the lowest score that is accepted.

        Raises:
            UnsuitableError: the score is lower.
        """
        if self.score < least:
            raise UnsuitableError(
                f"{self}; at least {least:g} is asked for: choose other photos, or a lower --min-quality"
            )


def suitability(source: Source, face: Faces, view: TargetFace) -> Suitability:
    """Estimate from source and target alone how good a replacement will be.

    Args:
        source: the source.
        face: the target's face.
        view: the same face in its image.

    Returns:
        The smallest of several scores, and its reason. The first is the quality that the network expects of the fit.
    """
    weight = view.surface.opacity * view.visibility
    total = max(float(weight.sum()), 1e-6)
    free = weight * (view.visible_skin / np.maximum(view.visibility, 1e-6))
    shown = float((free * source.known).sum() / max(float(free.sum()), 1e-6))
    scores = {
        "the fit of the target's face": 1.0 if face.quality is None else float(face.quality[0]),
        "the view: the source photos show too little of what the target shows": _rated(shown, _SHOWN),
        "the view: the source is turned too far to the side": _rated(_excess_deg(source, face), _TURNED),
        "the resolution of the source": _rated(source.height / max(view.size, 1.0), _SHARP),
        "the size of the target's face": _rated(view.size / view.canvas.scale, _SMALL_PX),
        "what is in front of the target's face": _rated(1 - float(free.sum()) / total, _HIDDEN),
        "the hard light of the source": _rated(source.hardness, _HARD),
    }
    reason = min(scores, key=lambda name: scores[name])
    return Suitability(scores[reason], reason)


def _excess_deg(source: Source, face: Faces) -> float:
    """Least angle by which a source photo is turned further to its side than the target.

    Skin that it does not show is mirrored from the other side, but not the middle of the face, which is stretched.
    """
    target = float(face.turn_nod_tilt_deg[0, 0])
    same_side = np.maximum(np.sign(source.turns_deg) * target, 0)
    return float((np.abs(source.turns_deg) - same_side).min())


def _rated(value: float, bounds: tuple[float, float]) -> float:
    return float(smoothstep(np.array([value], np.float32), *bounds)[0])
