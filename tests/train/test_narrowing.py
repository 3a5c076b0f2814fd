import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
from ddfa.train.narrowing import is_larger, narrowed  # noqa: E402
from ddfa.train.networks import RepNet, create  # noqa: E402

WIDTHS = (12, 18, 28)  # unlike each other's doubles, the hidden channels


def random_network(channels=WIDTHS, depths=(0, 1, 2), embedding=40):
    """A RepNet in evaluation mode whose batch norms have statistics, scales and shifts."""
    torch.manual_seed(0)
    network = RepNet(20, 68, stem=8, channels=channels, depths=depths, embedding=embedding)
    for norm in norms(network):
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    network.train()(torch.randn(4, 3, 64, 64))
    return network.eval()


def norms(network, width=None):
    found = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    return [norm for norm in found if width in (None, norm.num_features)]


@pytest.mark.parametrize("width", [*WIDTHS, 40])
def test_channels_that_carry_nothing_are_those_left_out(width):
    large = random_network()
    with torch.no_grad():
        for channels, silent in ((width, [2, 5]), (2 * width, [0, 1, 4, 9])):
            for norm in norms(large, channels):
                norm.weight[silent] = norm.bias[silent] = 0.0
    small = random_network(tuple(w - 2 if w == width else w for w in WIDTHS), embedding=38 if width == 40 else 40)
    assert is_larger(large.state_dict(), small)

    small.load_state_dict(narrowed(large.state_dict(), small))

    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        for one, other in zip(large.both_heads(images), small.both_heads(images), strict=True):
            torch.testing.assert_close(other, one, atol=1e-4, rtol=1e-4)


def test_blocks_that_add_nothing_at_the_end_of_a_stage_are_left_out():
    large, small = random_network(), random_network(depths=(0, 1, 1))
    depthwise, block = large.body[-4], large.body[-3]
    with torch.no_grad():
        for norm in norms(depthwise) + norms(block.narrow):
            norm.weight[:] = norm.bias[:] = 0.0

    small.load_state_dict(narrowed(large.state_dict(), small))

    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(small(images), large(images), atol=1e-4, rtol=1e-4)


def test_a_network_starts_from_a_larger_one_only():
    xs, tiny = create("repnet_xs", 20, 68, "learnt"), create("repnet_t", 20, 68, "learnt")
    assert is_larger(xs.state_dict(), tiny) and not is_larger(tiny.state_dict(), xs)
    assert not is_larger(xs.state_dict(), xs) and not is_larger(create("mobilenet_v1_025", 20).state_dict(), tiny)
    tiny.load_state_dict(narrowed(xs.state_dict(), tiny))
