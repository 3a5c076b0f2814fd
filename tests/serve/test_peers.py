"""Connections are counted per peer; names of hosts."""

import pytest

from ddfa.serve.peers import Peers, host_name, peer_of


def test_the_connection_that_has_waited_longest_is_closed():
    closed = []
    peers = Peers(2, closed.append)
    for peer, connection in (("a", 1), ("a", 2), ("b", 3)):
        peers.add(peer, connection)
    peers.add("a", 4)
    assert closed == [1]
    peers.remove("a", 2)
    peers.add("a", 5)
    assert closed == [1]
    peers.add("a", 6)
    assert closed == [1, 4]


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("192.0.2.7", 1234), "192.0.2.7"),
        (("2001:db8::1:2:3:4", 1234, 0, 0), "2001:db8::/64"),
        (("fe80::1%eth0", 1234, 0, 0), "fe80::/64"),
        (("::ffff:192.0.2.7", 1234, 0, 0), "192.0.2.7"),
        (None, ""),
        ("/run/socket", ""),
        ((), ""),
    ],
)
def test_the_peer_of_an_address(address, peer):
    assert peer_of(address) == peer


@pytest.mark.parametrize(
    ("host", "name"),
    [("localhost:8000", "localhost"), ("[::1]:8000", "::1"), ("Example.org", "example.org"), ("[::1", ""), ("", "")],
)
def test_the_name_of_a_host(host, name):
    assert host_name(host) == name
