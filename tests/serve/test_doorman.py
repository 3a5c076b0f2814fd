"""The doorman answers plain requests for the health of the service and passes on all others untouched."""

import os
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddfa.serve import doorman
from ddfa.serve.doorman import Doorman, is_probe

from .conftest import connect

ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost:8000\r\nUser-Agent: monitor\r\n\r\n"
HOSTS = frozenset({"localhost"})


@pytest.fixture
def opened():
    """A doorman that runs in a thread: its port, and the service's end of the channel."""
    listener, (ours, theirs) = socket.create_server(("127.0.0.1", 0)), socket.socketpair()
    thread = threading.Thread(target=Doorman(listener, theirs, ["localhost"], per_peer=3, most=8).run)
    thread.start()
    ours.settimeout(5)
    yield listener.getsockname()[1], ours
    ours.close()
    thread.join(5)
    assert not thread.is_alive()  # it ends with the service
    listener.close()
    theirs.close()


def everything(connection):
    content = b""
    with connection:
        while part := connection.recv(1000):
            content += part
    return content


def handed_over(ours):
    _, (number,), _, _ = socket.recv_fds(ours, 1, 1)
    connection = socket.socket(fileno=number)
    connection.setblocking(True)
    return connection


def test_a_monitor_is_answered_without_the_service(opened):
    port, _ = opened
    head, _, body = everything(connect(port, ASK)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"nosniff" in head and body == b'{"status":"ok"}'


def test_a_service_without_signs_of_life_is_not_healthy(opened, monkeypatch):
    port, ours = opened
    monkeypatch.setattr(doorman, "ALIVE_S", 0.3)
    time.sleep(0.4)
    assert b" 503 " in everything(connect(port, ASK))
    ours.send(b".")
    time.sleep(0.05)
    assert b" 200 " in everything(connect(port, ASK))


@pytest.mark.parametrize(
    "sent",
    [
        b"G",
        ASK[:30],
        ASK + ASK,
        ASK.replace(b"localhost", b"elsewhere"),
        ASK.replace(b"User-Agent: monitor", b"ORIGIN: http://localhost:8000"),
        ASK.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\nx"),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_all_else_is_handed_over_untouched(opened, sent):
    port, ours = opened
    with connect(port, sent) as client, handed_over(ours) as connection:
        assert connection.recv(1000) == sent
        connection.sendall(b"answer")
        assert client.recv(100) == b"answer"


def test_silent_connections_are_closed_in_time(opened, monkeypatch):
    port, ours = opened
    monkeypatch.setattr(doorman, "SILENCE_S", 0.2)
    assert everything(connect(port)) == b""
    monkeypatch.undo()
    silent = [connect(port) for _ in range(4)]  # one more than a peer may have
    assert everything(silent[0]) == b""
    silent[3].sendall(b"hello")
    with handed_over(ours) as connection:
        assert connection.recv(10) == b"hello"
    for one in silent[1:]:
        one.close()


def test_a_service_that_takes_nothing_over_does_not_keep_monitors_waiting(opened):
    port, _ = opened
    waiting = [connect(port, b"GET / HTTP/1.1\r\n") for _ in range(100)]  # more than the channel and the queue hold
    began = time.monotonic()
    assert b" 200 " in everything(connect(port, ASK))
    assert time.monotonic() - began < 5
    assert b" 503 " in everything(waiting[-1])
    for one in waiting:
        one.close()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_probe_or_not(content):
    assert not is_probe(content, HOSTS)
    assert not is_probe(ASK + content, HOSTS) or not content
    assert not is_probe(ASK[: len(content) % len(ASK)] + os.urandom(3), HOSTS)


def test_hosts():
    assert is_probe(ASK, HOSTS) and is_probe(ASK, frozenset())
    assert not is_probe(ASK, frozenset({"elsewhere"}))
    assert not is_probe(ASK.replace(b"User-Agent", b"Host"), HOSTS)
    assert not is_probe(ASK.replace(b"Host", b"X"), frozenset())
