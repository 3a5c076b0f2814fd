import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from ddfa.errors import ModelError  # noqa: E402
from ddfa.train.macs import count_macs  # noqa: E402
from ddfa.train.networks import ARCHITECTURES, MobileNetV1, create  # noqa: E402

# Parameters and MACs of the published networks at 120x120 with 62 outputs.
PUBLISHED = {
    "mobilenet_v1_025": (229_006, 12.7e6),
    "mobilenet_v1_050": (850_398, 46.5e6),
    "mobilenet_v1_075": (1_864_238, 101.4e6),
    "mobilenet_v1_100": (3_270_526, 177.4e6),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_size_of_the_published_networks(name):
    network = create(name, 62)
    parameters, macs = PUBLISHED[name]
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert count_macs(network) == pytest.approx(macs, rel=0.004)


def test_published_names():
    names = set(MobileNetV1(62, 0.25).state_dict())
    assert {"conv1.weight", "bn1.weight", "dw2_1.conv_dw.weight", "dw5_6.bn_sep.running_var", "fc.bias"} <= names
    assert len(names) == 164


@pytest.mark.parametrize("name", ["mobilenet_v1_025", "repnet_s"])
@pytest.mark.parametrize("size", [64, 96, 120])
def test_every_network_maps_crops_of_any_size(name, size):
    network = create(f"{name}.open", 144, 68).eval()
    params, points = network.both_heads(torch.zeros(2, 3, size, size))
    assert params.shape == (2, 144) and points.shape == (2, 68, 3)


def test_heads_come_last_in_the_order_of_parameters():
    for name in ARCHITECTURES:
        order = [parameter for parameter, _ in create(name, 5, 2).named_parameters()]
        assert order[-4:] == ["fc.weight", "fc.bias", "fc_lm.weight", "fc_lm.bias"]


def test_fused_branches_compute_the_same():
    torch.manual_seed(0)
    network = create("repnet_s", 144)
    for module in network.modules():  # statistics of a network that has seen something
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
    images = torch.randn(2, 3, 120, 120)
    fused = network.deployed()
    with torch.no_grad():
        expected = network.eval()(images)
        torch.testing.assert_close(fused(images), expected, rtol=1e-4, atol=1e-4)
    assert count_macs(fused) < count_macs(network)
    assert not any(name.endswith("point.0") for name, _ in fused.named_modules())


def test_unknown_architecture():
    with pytest.raises(ModelError, match=r"no architecture 'vgg': choose one of mobilenet_v1_025"):
        create("vgg.open", 144)


def test_channels_of_the_width_between_are_multiples_of_sixteen():
    convolutions = [m for m in create("mobilenet_v1_070", 144).modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(m.out_channels % 16 == 0 for m in convolutions)
    assert 2 * count_macs(create("mobilenet_v1_070", 144)) < 180e6  # with its mirror image
