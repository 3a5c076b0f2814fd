"""Who replaces whom: sources, each with the faces of the target that it replaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from ddfa.arrays import UInt8
from ddfa.errors import DDFAError, NoFaceError
from ddfa.faces import Faces
from ddfa.images import SyntheticImage
from ddfa.replace.likeness import Likeness
from ddfa.replace.replacer import Replacer
from ddfa.replace.suitability import Suitability


@dataclass(frozen=True, eq=False)
class Pair:
    """A source and whom it replaces.

    Attributes:
        replacer: draws the source's face.
        who: index of a face in a photo, 0 is the largest, or id of a track in a video; a likeness for the face that is
            most alike; None for everybody whom no other pair replaces.
        name: of the source, for messages.
    """

    replacer: Replacer
    who: int | Likeness | None = 0
    name: str = "the source"


def replace_pairs(image: UInt8, faces: Faces, pairs: Sequence[Pair]) -> SyntheticImage:
    """Replace several faces of an image, each by its own source.

        pairs = [Pair(Replacer(anna), 0), Pair(Replacer(bob), Likeness(photo_of_carl, face_of_carl))]
        write_synthetic("out.jpg", replace_pairs(image, aligner(image, refine=True), pairs))

    Args:
        image: (H, W, 3) uint8 RGB; it is not changed.
        faces: all of its faces, the largest first.
        pairs: who replaces whom.

    Returns:
        A new image, to be written by `ddfa.provenance`; pixels outside the new faces are unchanged.

    Raises:
        NoFaceError: the image does not show a face that is to be replaced.
        DDFAError: two pairs replace the same face.
    """
    return draw_pairs(image, select_pairs(image, faces, pairs))


def select_pairs(
    image: UInt8, faces: Faces, pairs: Sequence[Pair], name: str = "the image"
) -> list[tuple[Replacer, Faces]]:
    """Find the face or faces that each pair replaces.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: all of its faces, the largest first.
        pairs: who replaces whom.
        name: what errors call the image.

    Returns:
        Every face that is replaced, (1, ...), with what draws it.

    Raises:
        NoFaceError: the image does not show a face that is to be replaced.
        DDFAError: two pairs replace the same face.
    """
    if not len(faces):
        raise NoFaceError(f"{name} shows no face: choose another file")
    singles = list(faces.singles())

    def distance(likeness: Likeness, face: int) -> float:
        return likeness.distance(image, singles[face])

    found = assign(pairs, range(len(faces)), distance)
    for pair, chosen in zip(pairs, found, strict=True):
        if chosen:
            continue
        if isinstance(pair.who, int):
            raise NoFaceError(f"{name} shows only {len(faces)} (0 is the largest): choose another face or file")
        if pair.who is None:
            raise NoFaceError(f"{name} shows nobody else whom {pair.name} could replace: choose a face by its number")
        raise NoFaceError(f"{name} shows nobody who looks like {pair.who.name}: choose the face by its number")
    return [(pair.replacer, singles[face]) for pair, chosen in zip(pairs, found, strict=True) for face in chosen]


def assign(pairs: Sequence[Pair], ids: Sequence[int], distance: Callable[[Likeness, int], float]) -> list[list[int]]:
    """Assign faces to pairs: those with a number first, then the most alike of references and faces, then the rest.

    Args:
        pairs: who replaces whom.
        ids: number of each face.
        distance: how different a likeness and the face at a position are; infinite for another person.

    Returns:
        For each pair the positions of its faces; no face belongs to two of them.

    Raises:
        DDFAError: two pairs name the same number.
    """
    numbers = [pair.who for pair in pairs if isinstance(pair.who, int)]
    for number in numbers:
        if numbers.count(number) > 1:
            names = " and ".join(pair.name for pair in pairs if pair.who == number)
            raise DDFAError(f"{names} both replace face {number}: name another face for one of them")
    found = [[at for at, number in enumerate(ids) if number == pair.who] for pair in pairs]
    taken = {at for chosen in found for at in chosen}
    likenesses = [(index, pair.who) for index, pair in enumerate(pairs) if isinstance(pair.who, Likeness)]
    options = [(distance(who, at), index, at) for index, who in likenesses for at in range(len(ids)) if at not in taken]
    for apart, index, at in sorted(options):
        if isfinite(apart) and at not in taken and not found[index]:
            found[index] = [at]
            taken.add(at)
    for index, pair in enumerate(pairs):
        if pair.who is None:
            found[index] = [at for at in range(len(ids)) if at not in taken]
            taken.update(found[index])
    return found


def expected_quality(image: UInt8, chosen: Sequence[tuple[Replacer, Faces]]) -> Suitability:
    """The lowest suitability of several replacements.

    Args:
        image: (H, W, 3) uint8 RGB.
        chosen: result of `select_pairs`, at least one.
    """
    return min((replacer.suitability(image, face) for replacer, face in chosen), key=lambda each: each.score)


def draw_pairs(image: UInt8, chosen: Sequence[tuple[Replacer, Faces]]) -> SyntheticImage:
    """Draw several replacements into a copy of an image.

    Args:
        image: (H, W, 3) uint8 RGB; it is not changed.
        chosen: result of `select_pairs`.
    """
    result = SyntheticImage(image)
    for replacer, face in chosen:
        replacer.draw(result, face)
    return result
