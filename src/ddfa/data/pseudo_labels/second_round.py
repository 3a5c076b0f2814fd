"""A second round of labels: the earlier label of a photo is kept where the new one is far from it."""

from typing import Final

import numpy as np

from ddfa.data.sets.labels import Labels
from ddfa.errors import DataError
from ddfa.head.model import HeadModel

KEEP_BEYOND: Final = 0.02


def keep_previous(new: Labels, previous: Labels, head: HeadModel, limit: float) -> tuple[Labels, int]:
    """Keep the labels of an earlier round where those of a new round differ much.

    A network that has learned from the earlier labels has less noise than they have, but where it is far from them one
    of the two is wrong, and more often the network, which has seen few faces of the kind. The distance is added to the
    fit error of a label that is kept, so that training leaves out the worst of them.

    Args:
        new: of the new round.
        previous: of the earlier round; photos without a label in it have the new one.
        head: the head model of both.
        limit: mean distance of the landmarks in x and y, as a share of the face size.

    Returns:
        The labels of the photos of `new`, and the number of labels kept.

    Raises:
        DataError: the rounds have different head models.
    """
    if new.head != previous.head:
        raise DataError(f"the previous labels are for head '{previous.head}', not '{new.head}': label with that head")
    numbers = {name: number for number, name in enumerate(previous.names)}
    known = np.array([name in numbers for name in new.names], bool)
    old = previous.select(np.array([numbers[name] for name in new.names if name in numbers], np.intp))
    here, there = new.select(known).landmarks(head)[..., :2], old.landmarks(head)[..., :2]
    size = np.sqrt(np.prod(np.ptp(there, axis=1), axis=-1))
    apart = np.linalg.norm(here - there, axis=-1).mean(axis=1) / size
    kept = apart > limit
    where = np.flatnonzero(known)[kept]
    arrays = {name: getattr(new, name).copy() for name in ("pose", "identity", "expression", "fit_error")}
    for name, array in arrays.items():
        array[where] = getattr(old, name)[kept]
    arrays["fit_error"][where] = np.hypot(arrays["fit_error"][where], apart[kept])
    return Labels(new.names, head=new.head, **arrays), int(kept.sum())
