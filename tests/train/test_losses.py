import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from ddfa.train import losses  # noqa: E402


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


def test_landmark_is_nme(setting):
    points, _, _, predicted, target = setting
    p, g = points(predicted)[..., :2].numpy(), points(target)[..., :2].numpy()
    size = np.sqrt(np.prod(np.ptp(g, axis=1), axis=-1)).clip(1)
    expected = np.mean(np.linalg.norm(p - g, axis=-1).mean(axis=1) / size)
    assert float(losses.landmark(predicted, target, points)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["pdc", "vdc", "landmark"])
def test_gradients(setting, name):
    points, _, _, predicted, target = setting
    loss = {
        "pdc": lambda x: losses.pdc(x, target),
        "vdc": lambda x: losses.vdc(x, target, points),
        "landmark": lambda x: losses.landmark(x, target, points),
    }[name]
    assert torch.autograd.gradcheck(loss, (predicted.clone().requires_grad_(),))


def test_wpdc_gradient_takes_weights_as_constants(setting):
    points, mean, std, predicted, target = setting
    scale = torch.tensor(0.6, dtype=torch.float64)
    x = predicted.clone().requires_grad_()
    losses.wpdc(x, target, mean, std, points, scale).backward()
    weights = losses.wpdc_weights(predicted * std + mean, target * std + mean, points, scale)
    torch.testing.assert_close(x.grad, 2 * weights * (predicted - target) / predicted.numel())
