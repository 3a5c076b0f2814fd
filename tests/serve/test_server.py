"""The service as a process of its own, and what slow, many and malformed callers do to it."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

HELLO = (
    b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def process():
    """A service on a free port: the process and the port."""
    code = "import sys; from ddfa.cli import main; sys.exit(main(sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", "0", "--connections", "40"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        line = running.stdout.readline()
        yield running, int(line.split(":")[3].split("/")[0])
        running.kill()


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return answer.status


def connect(port, content=b"", address="127.0.0.1"):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(address, 0))
    connection.sendall(content)
    return connection


def test_idle_connections_of_one_address_shut_nobody_out(process):
    _, port = process
    begun = [connect(port, b"GET / HT") for _ in range(100)]
    kept = [connect(port, ASK.replace(b"Connection: close\r\n", b"")) for _ in range(100)]
    try:
        assert fetch(port, "/healthz") == 200
        for connection in kept[-5:]:  # a request that was answered, then half of another one
            connection.recv(100_000)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        assert fetch(port, "/healthz") == 200
    finally:
        for connection in begun + kept:
            connection.close()


def test_silent_connections_of_many_addresses_shut_nobody_out(process):
    _, port = process
    idle = [connect(port, address=f"127.0.0.{2 + k % 8}") for k in range(80)]
    try:
        assert fetch(port, "/healthz") == fetch(port, "/readyz") == 200
    finally:
        for connection in idle:
            connection.close()


def test_more_connections_than_allowed_are_refused_and_the_rest_go_on(process):
    _, port = process
    begun = [connect(port, b"GET / HT", address=f"127.0.0.{2 + k % 8}") for k in range(80)]
    try:
        with connect(port, ASK.replace(b"/ ", b"/readyz ")) as one:
            assert b" 503 " in one.recv(100)
        assert fetch(port, "/healthz") == 200  # monitors are answered all the same
    finally:
        for connection in begun:
            connection.close()
    assert answers_again(port)


def answers_again(port):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return fetch(port, "/readyz") == 200
        except OSError:  # connections are not all gone yet, or nobody accepts any at the moment
            time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
def test_a_doorman_that_is_killed_is_replaced(process):
    running, port = process

    def doormen():
        return Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()

    (first,) = doormen()
    os.kill(int(first), signal.SIGKILL)
    assert answers_again(port) and fetch(port, "/healthz") == 200
    assert doormen() not in ([], [first])


def test_denied_and_lost_websockets_are_not_logged(process):
    running, port = process
    for line in (b"Origin: http://elsewhere", b"X: 1"):
        with connect(port, HELLO.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")) as connection:
            if b"elsewhere" in line:
                assert b" 403 " in connection.recv(1000)
    assert select.select([running.stderr], [], [], 0.3)[0] == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS spoken to plain HTTP
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000,  # a header without end
        b"POST /v1/align HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/align HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_is_turned_away(process, garbage):
    _, port = process
    with connect(port) as connection:
        try:
            connection.sendall(garbage)
            answer = connection.recv(1000)
        except ConnectionError:  # cut off while we were still talking
            answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert fetch(port, "/healthz") == 200


def test_malformed_websocket_frames_end_the_talk_only(process):
    _, port = process
    for frame in (b"\xff" * 40, b"\x82\x7f" + b"\xff" * 8, b"\x81\x05hello", b"\x88\x00", b""):
        with connect(port, HELLO) as connection:
            assert b" 101 " in connection.recv(1000)
            connection.sendall(frame)
    assert fetch(port, "/healthz") == 200


def test_interrupting_ends_it_in_peace(process):
    running, _ = process
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=30)
    assert running.returncode in (0, 130) and "Traceback" not in told


def test_a_port_in_use_is_named(capsys):
    from ddfa.cli import main

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_nothing_of_a_request_is_logged(client, photo, caplog, capfd):
    with caplog.at_level("DEBUG"):
        client.post("/v1/align", files={"image": ("passport-of-somebody.jpg", photo)}, data={"parts": "json"})
        client.post("/v1/align", json={"image": "c2VjcmV0"})
    told = caplog.text + "".join(capfd.readouterr())
    assert "passport-of-somebody" not in told and "c2VjcmV0" not in told
