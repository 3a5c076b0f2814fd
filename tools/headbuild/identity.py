"""Sample plausible people from MakeHuman's sliders and find the main modes of their heads.

A person is `base + sum_k c_k * target_k`: the macro targets (ancestry, sex, age, muscle, weight) with multilinear
coefficients, the local ones with the value of their slider.  All people lie in the span of the targets, so the
principal components follow from the covariance of `c` (K x K) without decoding a single head.
"""

import re
from dataclasses import dataclass

import numpy as np

from .source import Floats, MakeHuman

SAMPLES = 30_000
AGES, ANCESTRIES, SEXES = ("baby", "child", "young", "old"), ("african", "asian", "caucasian"), ("female", "male")
LEVELS = ("min", "average", "max")
AGE_ANCHORS = (0.0, 0.1875, 0.5, 1.0)  # 1, 10, 25 and 90 years on MakeHuman's slider

# Standard deviation of the sliders, whose full range is [-1, 1]: people, not caricatures.
SPREAD = {
    "head": 0.18, "forehead": 0.25, "eyes": 0.22, "eyebrows": 0.25, "nose": 0.27, "mouth": 0.22,
    "cheek": 0.25, "chin": 0.25, "ears": 0.20, "neck": 0.15, "asym": 0.18,
}  # fmt: skip
SIDE_SPREAD = 0.25  # how far left and right sliders differ, as a fraction of their common spread

# Rigid motion of the head, body parts, and shapes no person has.
EXCLUDED = re.compile(
    r"head-trans|head-angle|head-age|neck-(trans|scale-vert)|measure-|asymm-|ear-shape-pointed|nubian"
)
OPPOSITES = {
    "incr": "decr", "up": "down", "out": "in", "forward": "backward", "convex": "concave", "uncompress": "compress",
}  # fmt: skip


@dataclass(frozen=True)
class People:
    """Sampled people as coefficients of targets.

    Attributes:
        targets: K target names.
        coefficients: (n, K) how much of each target a person has.
    """

    targets: list[str]
    coefficients: Floats


@dataclass(frozen=True)
class Modes:
    """Principal modes, largest variance first.

    Attributes:
        fields: (M, C, 3) displacement of one standard deviation, mm.
        parity: (M,) +1 for left-right symmetric modes, -1 for antisymmetric ones.
        explained: fraction of the (weighted) variance that the M modes hold.
    """

    fields: Floats
    parity: Floats
    explained: float


def sample_people(source: MakeHuman, rng: np.random.Generator, count: int = SAMPLES) -> People:
    """Draw people of both sexes, child to old, of mixed ancestry, thin to heavy, each with local variation."""
    columns = _macro_coefficients(rng, count)
    for folder, spread in SPREAD.items():
        names = [name for name in source.target_names(folder) if not EXCLUDED.search(name)]
        columns |= _local_coefficients(rng, count, folder, names, spread)
    targets = sorted(columns)
    return People(targets, np.stack([columns[name] for name in targets], axis=1))


def _macro_coefficients(rng: np.random.Generator, count: int) -> dict[str, Floats]:
    ancestry = rng.dirichlet(np.full(3, 0.8), count)
    sex = _hat(rng.beta(0.5, 0.5, count), (0, 1))
    life = rng.choice(3, count, p=[0.18, 0.60, 0.22])
    age = _hat(rng.uniform(np.choose(life, [0.08, 0.3, 0.7]), np.choose(life, [0.3, 0.7, 0.95])), AGE_ANCHORS)
    muscle = _hat(np.clip(rng.normal(0.5, 0.13, count), 0, 1), (0, 0.5, 1))
    weight = _hat(np.clip(rng.normal(0.5, 0.15, count), 0, 1), (0, 0.5, 1))
    columns = {}
    for s, sex_name in enumerate(SEXES):
        for a, age_name in enumerate(AGES):
            share = sex[:, s] * age[:, a]
            for k, ancestry_name in enumerate(ANCESTRIES):
                columns[f"macrodetails/{ancestry_name}-{sex_name}-{age_name}"] = share * ancestry[:, k]
            for m, muscle_name in enumerate(LEVELS):
                for w, weight_name in enumerate(LEVELS):
                    name = f"macrodetails/universal-{sex_name}-{age_name}-{muscle_name}muscle-{weight_name}weight"
                    columns[name] = share * muscle[:, m] * weight[:, w]
    return columns


def _hat(values: Floats, anchors: tuple[float, ...]) -> Floats:
    """Weights of linear interpolation between anchors, (n, anchors)."""
    identity = np.eye(len(anchors))
    return np.stack([np.interp(values, anchors, row) for row in identity], axis=1)


def _local_coefficients(
    rng: np.random.Generator, count: int, folder: str, names: list[str], spread: float
) -> dict[str, Floats]:
    common: dict[str, Floats] = {}
    columns = {}
    for positive, negative in _sliders(names):
        # Left and right sliders share one value, and differ a little.
        side = re.match(r"[lr]-", positive)
        key = positive[2:] if side else positive
        if key not in common:
            common[key] = rng.normal(0, spread, count)
        value = common[key] + (rng.normal(0, SIDE_SPREAD * spread, count) if side else 0)
        value = np.clip(value, -1, 1)
        columns[f"{folder}/{positive}"] = np.maximum(value, 0)
        if negative:
            columns[f"{folder}/{negative}"] = np.maximum(-value, 0)
    return columns


def _sliders(names: list[str]) -> list[tuple[str, str | None]]:
    """Pair the target of a slider's positive end with that of its negative end, if it has one."""
    sliders: list[tuple[str, str | None]] = []
    paired = set()
    for name in names:
        stem, _, end = name.rpartition("-")
        # Targets such as asym-nose-1-l and -r pull the face to either side.
        opposite = "r" if end == "l" and name.startswith("asym-") else OPPOSITES.get(end)
        partner = f"{stem}-{opposite}"
        if partner in names:
            sliders.append((name, partner))
            paired |= {name, partner}
    return sorted(sliders + [(name, None) for name in names if name not in paired])


def align(fields: Floats, mean: Floats, weights: Floats) -> Floats:
    """Remove rigid motion and size from displacements of the mean, to first order.

    This is Procrustes alignment in the tangent space of the mean: what a sample moves along the three
    translations, three rotations and the scaling of the mean is taken out, so it stays a linear map and the
    people stay in the span of the targets.  Size goes because weak perspective cannot see it.

    Args:
        fields: (K, C, 3) displacements.
        mean: (C, 3) the shape they start from.
        weights: (C,) importance of each vertex.

    Returns:
        (K, C, 3) aligned displacements.
    """
    centred = mean - np.average(mean, axis=0, weights=weights)
    unit = np.eye(3)
    rigid = [np.broadcast_to(axis, mean.shape) for axis in unit]
    rigid += [np.cross(axis, centred) for axis in unit] + [centred]
    tangent = np.stack(rigid).reshape(7, -1)
    metric = np.repeat(weights, 3)
    gram = (tangent * metric) @ tangent.T
    flat = fields.reshape(len(fields), -1)
    along = np.linalg.solve(gram, (tangent * metric) @ flat.T)
    return (flat - along.T @ tangent).reshape(fields.shape)


def principal_modes(people: People, fields: Floats, mirrored: Floats, weights: Floats, count: int = 80) -> Modes:
    """Principal modes of the people and their mirror images together; their signs are arbitrary.

    With the mirror images, the covariance splits into a symmetric and an antisymmetric half, which share no mode.

    Args:
        people: coefficients over the targets.
        fields: (K, C, 3) aligned displacement of each target.
        mirrored: (K, C, 3) the same, mirrored.
        weights: (C,) importance of each vertex.
        count: how many modes to keep.
    """
    centred = people.coefficients - people.coefficients.mean(axis=0)
    raw = people.coefficients
    halves = [
        (1.0, centred.T @ centred / len(raw), 0.5 * (fields + mirrored)),
        # The mirror images make the antisymmetric mean zero, so its second moment is about zero.
        (-1.0, raw.T @ raw / len(raw), 0.5 * (fields - mirrored)),
    ]
    variances, modes, parities, total = [], [], [], 0.0
    for parity, covariance, half in halves:
        variance, mode = _components(covariance, half, weights)
        total += variance.sum()
        variances.append(variance[:count])
        modes.append(mode[:count])
        parities.append(np.full(count, parity))
    variance = np.concatenate(variances)
    order = np.argsort(-variance, kind="stable")[:count]
    chosen = np.concatenate(modes)[order]
    return Modes(chosen, np.concatenate(parities)[order], float(variance[order].sum() / total))


def _components(covariance: Floats, fields: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Variances and unit-sigma displacement fields of `sum_k c_k * fields_k`, largest first."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))  # c = root @ z with white z
    white = np.tensordot(root.T, fields, axes=1)
    weighted = (white * np.sqrt(weights)[:, None]).reshape(len(white), -1)
    variance, rotation = np.linalg.eigh(weighted @ weighted.T)
    order = np.argsort(-variance)
    return variance[order], np.tensordot(rotation.T[order], white, axes=1)
