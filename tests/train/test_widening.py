import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
from ddfa.train.networks import create  # noqa: E402
from ddfa.train.widening import widened  # noqa: E402


@pytest.mark.parametrize("wider", ["mobilenet_v1_050", "mobilenet_v1_070", "mobilenet_v1_075"])
def test_a_widened_network_computes_the_same_and_its_copies_part(wider):
    torch.manual_seed(0)
    narrow, wide = create("mobilenet_v1_025", 20, 68), create(wider, 20, 68)
    images = torch.randn(4, 3, 64, 64)
    narrow.train()(images)  # batch norm has statistics
    wide.load_state_dict(widened(narrow.state_dict(), wide))
    with torch.no_grad():
        expected, seen = narrow.eval().both_heads(images), wide.eval().both_heads(images)
    for one, other in zip(expected, seen, strict=True):
        torch.testing.assert_close(other, one, atol=1e-4, rtol=1e-4)

    wide.train().both_heads(images)[0].square().mean().backward()
    copies = wide.get_parameter("dw6.conv_sep.weight").grad
    assert not torch.allclose(copies[0], copies[narrow.num_features])
