import socket

import pytest

from ddfa.errors import OutputError
from ddfa.video.motion.targets import Target, UdpSender


def test_addresses() -> None:
    assert Target.parse("vmc://localhost") == Target("vmc", "localhost", 39539)
    assert Target.parse("livelink://10.0.0.2") == Target("livelink", "10.0.0.2", 11111)
    assert Target.parse("livelink://[::1]:5000/My%20face") == Target("livelink", "::1", 5000, "My face")
    assert str(Target.parse("livelink://[::1]:5000/Me")) == "livelink://[::1]:5000"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "vmc",
        "vmc://",
        "vmc://:39539",
        "vmc://host:0",
        "vmc://host:99999",
        "vmc://host:port",
        "vmc://host/name",
        "vmc://a@host",
        "vmc://host?x=1",
        "vmc://[::1",
        "v\nmc://\nhost:0",
        "osc://host",
        "livelink://host/a/b",
        "host:39539",
    ],
)
def test_bad_addresses(url: str) -> None:
    with pytest.raises(OutputError, match="write vmc://") as caught:
        Target.parse(url)
    assert len(str(caught.value).splitlines()) == 1


def test_unknown_host() -> None:
    for host in ("no-such-host.invalid", "x" * 70 + ".invalid"):
        with pytest.raises(OutputError, match="check the address"):
            UdpSender(Target("vmc", host, 39539))


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    sender = UdpSender(Target("vmc", "127.0.0.1", port))
    for _ in range(10):
        sender.send(b"x")
    assert sender.unheard
    sender.close()
