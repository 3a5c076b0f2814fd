import numpy as np
import pytest

from ddfa.data.pseudo_labels.second_round import keep_previous
from ddfa.data.sets.labels import Labels
from ddfa.errors import DataError


def labels(names, shift=0.0, head="open", error=0.01):
    n = len(names)
    pose = np.tile(np.column_stack([np.diag([1.0, -1, 1]), [100 + shift, 100, 0]]), (n, 1, 1)).astype(np.float32)
    coefficients = np.zeros((n, 80), np.float32), np.full((n, 52), shift / 100, np.float32)
    return Labels(tuple(names), pose, *coefficients, np.full(n, error, np.float32), head)


def test_a_label_far_from_the_new_one_is_kept(head):
    new, far = labels("abc"), labels("bx", shift=20, error=0.02)
    found, kept = keep_previous(new, far, head, 0.04)
    assert kept == 1 and found.names == new.names
    np.testing.assert_array_equal(found.pose[1], far.pose[0])
    np.testing.assert_array_equal(found.expression[1], far.expression[0])
    np.testing.assert_array_equal(found.pose[[0, 2]], new.pose[[0, 2]])
    assert found.fit_error[1] > 0.1  # the distance counts
    np.testing.assert_array_equal(found.fit_error[[0, 2]], new.fit_error[[0, 2]])
    np.testing.assert_array_equal(new.pose[1], new.pose[0])  # the given labels are not changed


def test_near_labels_are_replaced_and_others_ignored(head):
    found, kept = keep_previous(labels("bc"), labels("cxb", shift=2), head, 0.04)
    assert kept == 0
    np.testing.assert_array_equal(found.pose, labels("bc").pose)


def test_labels_of_another_head_are_refused(head):
    with pytest.raises(DataError, match="head 'bfm'"):
        keep_previous(labels("a"), labels("a", head="bfm"), head, 0.04)
