"""Random identities, expressions and poses."""

from typing import Final

import numpy as np

from ddfa.arrays import Bools, Float32, Float64
from ddfa.data.sets.labels import Labels
from ddfa.head.model import HeadModel

_SIDES: Final = ("Left", "Right")
_UPPER: Final = ("brow", "eye", "cheekSquint")
# Deliberate expressions: units of both sides without "Left" and "Right", minimum and maximum.
_ACTS: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "smile": {"mouthSmile": (0.3, 1.0), "cheekSquint": (0.1, 0.8), "mouthDimple": (0, 0.3)},
    "laugh": {
        "mouthSmile": (0.5, 1.0), "jawOpen": (0.1, 0.5), "mouthUpperUp": (0.2, 0.6), "cheekSquint": (0.3, 0.9),
        "eyeSquint": (0.1, 0.6), "mouthLowerDown": (0.1, 0.5),
    },
    "shout": {"jawOpen": (0.5, 1.0), "mouthStretch": (0, 0.6), "mouthUpperUp": (0, 0.4), "browDown": (0, 0.6)},
    "surprise": {"browInnerUp": (0.4, 1), "browOuterUp": (0.4, 1), "eyeWide": (0.3, 1), "jawOpen": (0.1, 0.7)},
    "pucker": {"mouthPucker": (0.4, 1.0), "mouthFunnel": (0, 0.4)},
    "funnel": {"mouthFunnel": (0.4, 1.0), "jawOpen": (0, 0.4)},
    "frown": {"mouthFrown": (0.3, 1), "browDown": (0.2, 1), "mouthShrugLower": (0, 0.6)},
    "disgust": {"noseSneer": (0.3, 1), "mouthUpperUp": (0.2, 0.7), "browDown": (0.2, 0.8), "eyeSquint": (0.1, 0.7)},
    "press": {"mouthPress": (0.3, 1), "mouthRollLower": (0, 0.7), "mouthRollUpper": (0, 0.7)},
    "teeth": {"mouthUpperUp": (0.3, 0.8), "mouthLowerDown": (0.3, 0.9), "mouthStretch": (0, 0.5)},
    "sad": {"browInnerUp": (0.3, 1), "mouthFrown": (0.2, 0.8), "eyeSquint": (0, 0.4)},
    "talk": {"jawOpen": (0.05, 0.35), "mouthLowerDown": (0, 0.4), "mouthFunnel": (0, 0.3), "mouthClose": (0, 0.05)},
    "puff": {"cheekPuff": (0.3, 1.0), "mouthPress": (0, 0.6)},
    "raise": {"browOuterUp": (0.3, 1.0), "eyeWide": (0, 0.5)},
    "smirk": {"mouthSmile": (0.3, 1.0), "mouthDimple": (0.1, 0.8)},
    "sneer": {"noseSneer": (0.4, 1.0), "mouthUpperUp": (0, 0.4)},
    "squint": {"eyeSquint": (0.3, 1.0), "cheekSquint": (0.1, 0.8)},
}  # fmt: skip
# Units of which at most one can act at a time.
_OPPOSITES: Final = (
    ("eyeLookInLeft", "eyeLookOutLeft"), ("eyeLookInRight", "eyeLookOutRight"),
    ("eyeLookUpLeft", "eyeLookDownLeft"), ("eyeLookUpRight", "eyeLookDownRight"),
    ("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"),
    ("eyeWideLeft", "eyeBlinkLeft"), ("eyeWideRight", "eyeBlinkRight"),
)  # fmt: skip
_PARTS: Final = (("brow",), ("eye", "cheek"), ("nose",), ("mouth",))
_RARE: Final = 0.2  # share of the expressions that consist of random units, so that every unit occurs
_ONE_SIDED, _TWO_SIDED = 0.4, 0.35  # share of the expressions on one side, and of those with independent sides
_TONGUE: Final = 0.05  # share of the expressions with the tongue stuck out
_YAW_BANDS: Final = ((0.0, 20.0, 0.2), (20.0, 45.0, 0.25), (45.0, 90.0, 0.55))  # minimum, maximum, share of images


class People:
    """Draws identities and expressions: from labels of photos if there are any, else from the prior of the head model.

    Args:
        head: the open head.
        fits: labels of photos.
    """

    def __init__(self, head: HeadModel, fits: Labels | None) -> None:
        self._std, self._fits = head.identity_std, fits
        names = head.expression_names
        self._units = {name: [k for k, full in enumerate(names) if _bare(full) == name] for name in map(_bare, names)}
        self._index = {name: k for k, name in enumerate(names)}
        self._opposites = [(self._index[one], self._index[other]) for one, other in _OPPOSITES]
        self._upper = np.array([name.startswith(_UPPER) for name in names])

    def identity(self, own: int | None, rng: np.random.Generator) -> Float32:
        """Draw identity coefficients (I,), close to those of fit `own` if given."""
        noise = rng.normal(size=len(self._std)) * self._std
        if self._fits is None:
            return noise.astype(np.float32)
        fits = self._fits.identity
        first = fits[own if own is not None else rng.integers(len(fits))]
        share = rng.beta(1, 3)
        mixed = np.sqrt(1 - share) * first + np.sqrt(share) * fits[rng.integers(len(fits))]
        return np.asarray(mixed + 0.35 * noise, np.float32)

    def expression(self, rng: np.random.Generator) -> Float32:
        """Draw expression coefficients (E,) in [0, 1]."""
        acted = 0.35 if self._fits is not None else 0.8
        expression = self._acted(rng) if rng.random() < acted else self._found(rng)
        if rng.random() < _RARE:
            self._add_units(expression, rng)
        self._make_sides_differ(expression, rng)
        if rng.random() < _TONGUE:
            self._stick_out_tongue(expression, rng)
        if rng.random() < 0.65:
            self._look(expression, rng)
        draw = rng.random()
        if draw < 0.18:
            self._close(expression, rng, both=draw < 0.09)
        # mouthClose is relative to an open jaw: on a closed one, the lips would intersect.
        close, jaw = self._index["mouthClose"], self._index["jawOpen"]
        expression[close] = min(expression[close], expression[jaw])
        for one, other in self._opposites:
            expression[[one, other]] -= min(expression[one], expression[other])
        return np.clip(expression, 0, 1).astype(np.float32)

    def _found(self, rng: np.random.Generator) -> Float64:
        """An expression of a photo, scaled; sometimes the eyes of one photo and the mouth of another."""
        if self._fits is None:
            return np.asarray(rng.beta(0.3, 4, len(self._upper)) * ~self._among("jaw", "mouth", "tongue"))
        fits = self._fits.expression.astype(np.float64)
        chosen = fits[rng.integers(len(fits))]
        if rng.random() < 0.4:
            chosen = np.where(self._upper, fits[rng.integers(len(fits))], chosen)
        return np.asarray(chosen * rng.uniform(0.6, 1.5) + np.abs(rng.normal(0, 0.02, len(chosen))))

    def _acted(self, rng: np.random.Generator) -> Float64:
        """One deliberate expression or two combined; both sides differ slightly."""
        expression = np.zeros(len(self._upper))
        acts = list(_ACTS.values())
        chosen = [acts[rng.integers(len(acts))] for _ in range(2 if rng.random() < 0.35 else 1)]
        for act in chosen:
            for name, (low, high) in act.items():
                amount = rng.uniform(low, high)
                for k in self._units[name]:
                    expression[k] = max(expression[k], amount * np.exp(-abs(rng.normal(0, 0.07))))
        for name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            expression[self._index[name]] = rng.uniform(0, 0.6) * (rng.random() < 0.04)
        return expression

    def _add_units(self, expression: Float64, rng: np.random.Generator) -> None:
        """Add one to three random units; both sides of a pair get amounts of their own."""
        names = [name for name in self._units if not name.startswith(("eyeLook", "eyeBlink", "tongue"))]
        for name in rng.choice(names, int(rng.integers(1, 4)), replace=False):
            for k in self._units[name]:
                expression[k] = rng.uniform(0, 1)

    def _make_sides_differ(self, expression: Float64, rng: np.random.Generator) -> None:
        """Reduce paired units of brows, eyes, nose and mouth on one side, or scale both sides independently."""
        draw = rng.random()
        if draw > _ONE_SIDED + _TWO_SIDED:
            return
        side = int(rng.integers(2))
        part = _PARTS[rng.integers(len(_PARTS))] if rng.random() < 0.25 else ("",)
        for name, pair in self._units.items():
            if len(pair) == 2 and name.startswith(part) and not name.startswith("eyeLook"):
                if draw < _ONE_SIDED:
                    expression[pair[side]] *= rng.uniform(0, 0.3)
                else:
                    expression[pair] *= rng.uniform(0, 1.2, 2)

    def _stick_out_tongue(self, expression: Float64, rng: np.random.Generator) -> None:
        """Stick the tongue out of an open mouth."""
        expression[self._among("mouthRoll", "mouthClose", "mouthPucker", "mouthPress", "mouthShrug")] = 0.0
        expression[self._index["mouthFunnel"]] *= 0.3
        expression[self._index["tongueOut"]] = rng.uniform(0.75, 1.0)
        jaw = self._index["jawOpen"]
        expression[jaw] = max(expression[jaw], rng.uniform(0.28, 0.6))

    def _look(self, expression: Float64, rng: np.random.Generator) -> None:
        """Turn both eyes in the same direction, up to the ends, rarely inwards; in this head model the lids follow."""
        expression[self._among("eyeLook")] = 0.0
        angle, reach = rng.uniform(0, 2 * np.pi), rng.beta(1.2, 0.9)
        side, up = reach * np.cos(angle), reach * np.sin(angle)
        # Near objects turn both eyes inwards; otherwise they differ little.
        near = rng.uniform(0.1, 0.8) if rng.random() < 0.06 else abs(rng.normal(0, 0.03))
        for eye, sign in (("Left", 1), ("Right", -1)):
            out = float(np.clip(sign * side - near, -1, 1))
            expression[self._index[f"eyeLook{'Out' if out > 0 else 'In'}{eye}"]] = abs(out)
            expression[self._index[f"eyeLook{'Up' if up > 0 else 'Down'}{eye}"]] = abs(up)

    def _close(self, expression: Float64, rng: np.random.Generator, both: bool) -> None:
        """Close both eyes, or wink with one, often with the cheek, the brow and the mouth of its side."""
        amount = 1.0 if rng.random() < 0.6 else rng.uniform(0.3, 1.0)
        for eye in _SIDES if both else (_SIDES[int(rng.integers(2))],):
            expression[self._index[f"eyeBlink{eye}"]] = amount
            expression[self._index[f"eyeWide{eye}"]] = 0.0
            expression[self._index[f"eyeSquint{eye}"]] = rng.uniform(0, 0.5) if rng.random() < 0.3 else 0.0
            for name in ("cheekSquint", "browDown", "mouthSmile"):
                if not both and rng.random() < 0.3:
                    expression[self._index[f"{name}{eye}"]] = rng.uniform(0.1, 0.8)

    def _among(self, *prefixes: str) -> Bools:
        return np.array([name.startswith(prefixes) for name in self._index])


def random_angles(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw yaw, pitch and roll in degrees: mostly turned faces, since photos contain few of them."""
    low, high, _ = _YAW_BANDS[rng.choice(len(_YAW_BANDS), p=[share for *_, share in _YAW_BANDS])]
    yaw = rng.uniform(low, high) * rng.choice([-1, 1])
    pitch = rng.normal(0, 12) if rng.random() < 0.75 else rng.choice([-1, 1]) * rng.uniform(12, 35)
    return float(yaw), float(np.clip(pitch, -35, 35)), float(rng.normal(0, 4))


def _bare(name: str) -> str:
    """The name of a unit without its side; lateral movements of jaw and mouth keep it."""
    whole = name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
    return name if whole else name.removesuffix("Left").removesuffix("Right")
