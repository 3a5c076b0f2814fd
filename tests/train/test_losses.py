from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.errors import DataError  # noqa: E402
from ddfa.geometry.pose import matrix_from_euler  # noqa: E402
from ddfa.head.model import HeadModel  # noqa: E402
from ddfa.regress.whitening import Whitening  # noqa: E402
from ddfa.train import losses  # noqa: E402
from ddfa.train.config import LossWeights  # noqa: E402
from ddfa.train.criterion import Criterion, camera_scale, expression_pairs, split_weights  # noqa: E402
from ddfa.train.state import measure_asymmetry  # noqa: E402


@pytest.fixture
def setting():
    rng = np.random.default_rng(0)
    k, coefficients, n = 9, 6, 4
    points = losses.HeadPoints(
        torch.from_numpy(rng.normal(0, 50, (k, 3))), torch.from_numpy(rng.normal(0, 3, (coefficients, k, 3)))
    )
    mean = torch.from_numpy(rng.normal(0, 1, 12 + coefficients))
    std = torch.from_numpy(rng.uniform(0.5, 2, 12 + coefficients))
    predicted, target = (torch.from_numpy(rng.normal(0, 1, (n, 12 + coefficients))) for _ in range(2))
    return points, mean, std, predicted, target


def vertices_slowly(params, points):
    """V = P (mean + sum c_j basis_j) + t, one vertex at a time."""
    camera = params[:12].reshape(3, 4)
    result = []
    for k in range(len(points.mean)):
        vertex = points.mean[k].numpy().copy()
        for coefficient, basis in zip(params[12:], points.bases[:, k].numpy(), strict=True):
            vertex = vertex + coefficient * basis
        result.append(camera[:, :3] @ vertex + camera[:, 3])
    return np.array(result)


def wpdc_slowly(predicted, target, mean, std, points, scale):
    """Spec of the published loss, one face and one parameter at a time."""
    total = 0.0
    for x, g in zip(predicted.numpy(), target.numpy(), strict=True):
        raw_x, raw_g = x * std.numpy() + mean.numpy(), g * std.numpy() + mean.numpy()
        unposed = vertices_slowly(np.r_[np.eye(3, 4).ravel(), raw_g[12:]], points)
        norms = np.linalg.norm(unposed, axis=0)
        weights = np.zeros(len(x))
        for i in range(len(x)):
            if i < 12:
                effect = np.sqrt(len(unposed)) if i % 4 == 3 else norms[i % 4]
            else:
                effect = scale * np.linalg.norm(points.bases[i - 12].numpy())
            weights[i] = abs(raw_x[i] - raw_g[i]) * effect + 1e-6
        weights[11] = 0
        total += np.sum(weights / weights.max() * (x - g) ** 2)
    return total / predicted.numel()


def test_points_match_slow_twin(setting):
    points, _, _, predicted, _ = setting
    expected = np.stack([vertices_slowly(row, points) for row in predicted.numpy()])
    np.testing.assert_allclose(points(predicted).numpy(), expected, rtol=1e-9)


def test_pdc_is_mean_squared_error(setting):
    *_, predicted, target = setting
    assert float(losses.pdc(predicted, target)) == pytest.approx(float(((predicted - target) ** 2).mean()))


def test_vdc_matches_slow_twin_and_ignores_depth(setting):
    points, _, _, predicted, target = setting
    replaced = predicted.clone()
    replaced[:, 11] = target[:, 11]
    errors = [
        vertices_slowly(p, points) - vertices_slowly(g, points)
        for p, g in zip(replaced.numpy(), target.numpy(), strict=True)
    ]
    assert float(losses.vdc(predicted, target, points)) == pytest.approx(float(np.mean(np.square(errors))))


def test_wpdc_matches_slow_twin(setting):
    points, mean, std, predicted, target = setting
    loss = losses.wpdc(predicted, target, mean, std, points, torch.tensor(0.6, dtype=torch.float64))
    assert float(loss) == pytest.approx(wpdc_slowly(predicted, target, mean, std, points, 0.6))


def test_wpdc_weights_depend_on_the_target_shape_only(setting):
    points, _, _, predicted, target = setting
    one = losses.wpdc_weights(predicted, target, points, torch.tensor(1.0))
    assert float(one.max()) == 1.0 and float(one.min()) == 0.0
    assert torch.count_nonzero(one[:, 11]) == 0


def test_hidden_coefficients_have_no_gradient(setting):
    points, mean, std, predicted, target = setting
    shown = torch.ones_like(predicted)
    shown[:, -2:] = 0
    free = predicted.clone().requires_grad_()
    total = losses.pdc(free, target, shown) + losses.wpdc(free, target, mean, std, points, torch.tensor(0.6), shown)
    total.backward()
    assert torch.count_nonzero(free.grad[:, -2:]) == 0 and torch.count_nonzero(free.grad[:, 12:-2]) > 0
    assert float(losses.pdc(predicted, target, torch.ones_like(shown))) == float(losses.pdc(predicted, target))


def test_labels_are_split_from_weights():
    target = torch.arange(12.0).view(2, 6)
    label, shown = split_weights(target, 4)
    assert label.tolist() == target[:, :4].tolist() and shown is not None
    assert shown.tolist() == [[1, 1, 4, 5], [1, 1, 10, 11]]
    assert split_weights(target, 6)[1] is None


def test_landmark_is_nme(setting):
    points, _, _, predicted, target = setting
    p, g = points(predicted)[..., :2].numpy(), points(target)[..., :2].numpy()
    size = np.sqrt(np.prod(np.ptp(g, axis=1), axis=-1)).clip(1)
    expected = np.mean(np.linalg.norm(p - g, axis=-1).mean(axis=1) / size)
    assert float(losses.landmark(predicted, target, points)) == pytest.approx(expected, rel=1e-4)


@pytest.fixture
def marks():
    """68 landmarks of a head with few coefficients, and parameters of four faces."""
    rng = np.random.default_rng(1)
    points = losses.HeadPoints(
        torch.from_numpy(rng.normal(0, 50, (68, 3))), torch.from_numpy(rng.normal(0, 3, (4, 68, 3)))
    )
    predicted, target = (torch.from_numpy(rng.normal(0, 1, (4, 16))) for _ in range(2))
    return points, predicted, target


@pytest.fixture
def eyes(marks):
    """The same with two pupils."""
    points, predicted, target = marks
    rng = np.random.default_rng(2)
    more = torch.from_numpy(rng.normal(0, 50, (2, 3))), torch.from_numpy(rng.normal(0, 3, (4, 2, 3)))
    both = losses.HeadPoints(torch.cat([points.mean, more[0]]), torch.cat([points.bases, more[1]], dim=1))
    return both, predicted, target


def size_slowly(points):
    width, height = np.ptp(points[:, 0]), np.ptp(points[:, 1])
    return max(1.0, float(np.sqrt(width * height)))


OPPOSITE = [(37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)]


def test_aperture_matches_slow_twin(marks):
    points, predicted, target = marks
    total = 0.0
    for p, g in zip(predicted.numpy(), target.numpy(), strict=True):
        seen, truth = vertices_slowly(p, points), vertices_slowly(g, points)
        for upper, lower in OPPOSITE:
            error = (seen[upper] - seen[lower]) - (truth[upper] - truth[lower])
            total += np.hypot(error[0], error[1]) / size_slowly(truth) / len(OPPOSITE) / len(target)
    assert float(losses.aperture(predicted, target, points)) == pytest.approx(total, rel=1e-4)


def test_aperture_does_not_care_where_the_face_is(marks):
    points, _, target = marks
    moved = target.clone()
    moved[:, [3, 7]] += 5.0
    assert float(losses.aperture(moved, target, points)) < 1e-2


def test_gaze_matches_slow_twin(eyes):
    points, predicted, target = eyes
    shown = torch.tensor([[1.0, 0.5], [0.0, 1.0]]).repeat(2, 1)[: len(target)].double()
    total = 0.0
    for p, g, weights in zip(predicted.numpy(), target.numpy(), shown.numpy(), strict=True):
        seen, truth = vertices_slowly(p, points), vertices_slowly(g, points)
        for weight, pupil, lids in zip(weights, (68, 69), (range(36, 42), range(42, 48)), strict=True):
            found, right = (at[pupil] - np.mean([at[k] for k in lids], axis=0) for at in (seen, truth))
            error = weight * (found - right)
            total += np.hypot(error[0], error[1]) / size_slowly(truth[:68]) / 2 / len(target)
    assert float(losses.gaze(predicted, target, points, shown)) == pytest.approx(total, rel=1e-3)


def test_gaze_does_not_care_where_the_face_is(eyes):
    points, _, target = eyes
    moved = target.clone()
    moved[:, [3, 7]] += 5.0
    assert float(losses.gaze(moved, target, points)) < 1e-2


def test_a_turned_eye_is_an_error_of_gaze_unless_it_is_not_shown():
    open_head = HeadModel.load()
    weights = LossWeights(wpdc=0, points=0, gaze=1)
    size = 12 + len(open_head.identity_basis) + len(open_head.expression_basis)
    whitening = Whitening(np.zeros(size, np.float32), np.ones(size, np.float32))
    criterion = Criterion(open_head, whitening, weights, 10, 120)
    frontal = torch.zeros(1, size)
    frontal[0, [0, 5, 10]] = 100.0
    turned = frontal.clone()
    names = open_head.expression_names
    turned[0, names.index("eyeLookOutLeft") - len(names)] = 1.0

    error = float(criterion(turned, torch.zeros(1, 68, 3), frontal)["gaze"])
    assert error > 0.005
    shown = torch.ones(1, len(names))
    shown[0, names.index("eyeLookInLeft")] = 0.0
    hidden = float(criterion(turned, torch.zeros(1, 68, 3), torch.cat([frontal, shown], dim=1))["gaze"])
    assert hidden < 0.1 * error


def test_gaze_needs_irises(toy_head):
    size = 12 + len(toy_head.identity_basis) + len(toy_head.expression_basis)
    whitening = Whitening(np.zeros(size, np.float32), np.ones(size, np.float32))
    with pytest.raises(DataError, match=r"no irises: set --loss\.gaze 0"):
        Criterion(toy_head, whitening, LossWeights(gaze=1), 10, 120)


def test_dense_matches_slow_twin_and_ignores_depth(marks):
    points, predicted, target = marks
    total = 0.0
    for p, g in zip(predicted.numpy(), target.numpy(), strict=True):
        p = np.r_[p[:11], g[11], p[12:]]
        seen, truth = vertices_slowly(p, points), vertices_slowly(g, points)
        total += np.linalg.norm(seen - truth, axis=1).mean() / size_slowly(truth) / len(target)
    assert float(losses.dense(predicted, target, points)) == pytest.approx(total, rel=1e-4)


def test_published_scale_is_used_for_published_heads(toy_head):
    whitening = Whitening(np.zeros(20, np.float32), np.ones(20, np.float32))
    assert camera_scale(replace(toy_head, name="bfm-v1"), whitening) == losses.ORIGINAL_SCALE
    rng = np.random.default_rng(0)
    scales = rng.uniform(0.4, 0.8, 5000)
    rows = [np.c_[scale * matrix_from_euler(rng.uniform(-40, 40, 3)), np.zeros(3)].ravel() for scale in scales]
    pose = np.array(rows)
    mean, std = (np.r_[values, np.ones(8)].astype(np.float32) for values in (pose.mean(0), pose.std(0) + 1e-9))
    assert camera_scale(toy_head, Whitening(mean, std)) == pytest.approx(np.sqrt(np.mean(scales**2)), rel=1e-3)


@pytest.fixture
def units():
    """Expression coefficients of four faces, in three pairs, and spreads."""
    rng = np.random.default_rng(2)
    predicted, target = (torch.from_numpy(rng.uniform(0, 1, (4, 7))) for _ in range(2))
    left, right = torch.tensor([0, 2, 5]), torch.tensor([1, 4, 3])
    return predicted, target, torch.from_numpy(rng.uniform(0.05, 0.3, 7)), left, right


def test_units_match_the_reference(units):
    predicted, target, spread, _, _ = units
    total = 0.0
    for p, g in zip(predicted.numpy(), target.numpy(), strict=True):
        for e in range(7):
            total += ((p[e] - g[e]) / float(spread[e])) ** 2
    assert float(losses.units(predicted, target, spread)) == pytest.approx(total / 28)


def test_asymmetry_matches_the_reference_and_ignores_common_errors(units):
    predicted, target, spread, left, right = units
    total = 0.0
    for p, g in zip(predicted.numpy(), target.numpy(), strict=True):
        for k in range(3):
            difference = (p[left[k]] - p[right[k]]) - (g[left[k]] - g[right[k]])
            total += (difference / float(spread[k])) ** 2
    assert float(losses.asymmetry(predicted, target, left, right, spread[:3])) == pytest.approx(total / 12)
    assert float(losses.asymmetry(target + 0.2, target, left, right, spread[:3])) == pytest.approx(0, abs=1e-20)


def test_units_that_an_image_does_not_show_do_not_count(units):
    predicted, target, spread, left, right = units
    shown = torch.ones_like(predicted)
    assert losses.units(predicted, target, spread, shown) == losses.units(predicted, target, spread)
    shown[:, left[1]] = 0
    free = predicted.clone().requires_grad_()
    losses.units(free, target, spread, shown).backward()
    assert torch.count_nonzero(free.grad[:, left[1]]) == 0 and torch.count_nonzero(free.grad) == 4 * 6
    free = predicted.clone().requires_grad_()
    losses.asymmetry(free, target, left, right, spread[:3], shown).backward()
    assert torch.count_nonzero(free.grad[:, [left[1], right[1]]]) == 0 and torch.count_nonzero(free.grad) == 4 * 4


def test_gradients_of_units(units):
    predicted, target, spread, left, right = units
    x = predicted.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: losses.units(v, target, spread), (x,))
    assert torch.autograd.gradcheck(lambda v: losses.asymmetry(v, target, left, right, spread[:3]), (x,))


def test_pairs_are_left_and_right():
    head = HeadModel.load()
    left, right = expression_pairs(head)
    names = head.expression_names
    both = {name for name in names if name.replace("Left", "Right") in names and "Left" in name}
    paired = [{names[one], names[other]} for one, other in zip(left, right, strict=True)]
    assert all({name, name.replace("Left", "Right")} in paired for name in both) and len(paired) == len(both)
    assert not len(expression_pairs(replace(head, expression_mirror=None))[0])


def test_spread_of_asymmetry(toy_head):
    head = replace(toy_head, expression_mirror=np.array([2, 1, 0], np.int32))
    params = np.zeros((1000, 20), np.float32)
    params[:, -3] = np.random.default_rng(0).normal(0, 0.4, 1000)
    assert measure_asymmetry(params, head) == pytest.approx([0.4], rel=0.1)
    assert measure_asymmetry(np.zeros((5, 20), np.float32), head) == pytest.approx([0.01])


@pytest.mark.parametrize("name", ["pdc", "vdc", "landmark", "aperture", "gaze", "dense"])
def test_gradients(eyes, name):
    points, predicted, target = eyes
    loss = {
        "pdc": lambda x: losses.pdc(x, target),
        "vdc": lambda x: losses.vdc(x, target, points),
        "landmark": lambda x: losses.landmark(x, target, points),
        "aperture": lambda x: losses.aperture(x, target, points),
        "gaze": lambda x: losses.gaze(x, target, points),
        "dense": lambda x: losses.dense(x, target, points),
    }[name]
    assert torch.autograd.gradcheck(loss, (predicted.clone().requires_grad_(),))


def test_wpdc_gradient_takes_weights_as_constants(setting):
    points, mean, std, predicted, target = setting
    scale = torch.tensor(0.6, dtype=torch.float64)
    x = predicted.clone().requires_grad_()
    losses.wpdc(x, target, mean, std, points, scale).backward()
    weights = losses.wpdc_weights(predicted * std + mean, target * std + mean, points, scale)
    torch.testing.assert_close(x.grad, 2 * weights * (predicted - target) / predicted.numel())
