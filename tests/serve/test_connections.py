"""Slow and silent peers of a small application behind a server with short time limits."""

import asyncio
import socket
import threading
import time
from functools import partial

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")

import uvicorn
import websockets.sync.client
from websockets.exceptions import ConnectionClosed

from ddfa.serve import connections
from ddfa.serve.peers import Peers

from .conftest import connect

ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
MOST = 4  # waiting connections of one peer
LARGE = 50_000_000  # bytes: more than the buffers of the system hold


async def app(scope, receive, send):
    """Answers GET at once and POST after its body; echoes over WebSockets."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    while scope["method"] == "POST":
        message = await receive()
        if message["type"] != "http.request" or not message["more_body"]:
            break
    body = bytes(LARGE) if scope["path"] == "/large" else b"ok"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port(monkeypatch):
    """The port of the application."""
    for step in connections.LIMITS_S:
        monkeypatch.setitem(connections.LIMITS_S, step, 0.3)
    peers = Peers(MOST, lambda transport: transport.abort())
    config = uvicorn.Config(
        app,
        http=partial(connections.PatientHTTP, peers=peers),
        ws=partial(connections.PatientWebSocket, peers=peers),
        lifespan="off",
        log_level="error",
    )
    running = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[listener])))
        thread.start()
        try:
            while not running.started:
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join()


def answered(connection):
    content = b""
    while not content.endswith(b"ok"):
        content += connection.recv(1000)
    return content.startswith(b"HTTP/1.1 200")


def ended(connection):
    try:
        while connection.recv(1_000_000):
            pass
    except ConnectionResetError:
        pass
    return True  # a connection that is open raises TimeoutError


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        ASK,
        ASK + b"GET / HT",  # a later request of a kept connection
        ASK + ASK + b"G",
        POST + b"half",
        POST + bytes(10) + POST,
        ASK.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\nbody"),  # answered before its body has arrived
    ],
)
def test_a_slow_peer_is_disconnected_at_any_request(port, sent):
    with connect(port, sent) as slow, connect(port, ASK) as quick:
        assert answered(quick)
        assert ended(slow)


def test_bytes_now_and_then_do_not_extend_the_time(port):
    with connect(port, ASK) as slow:
        for _ in range(100):
            try:
                slow.sendall(b"G")
            except ConnectionError:
                return
            time.sleep(0.05)
    pytest.fail("the connection is still open")


def test_who_does_not_read_is_disconnected(port):
    with connect(port, ASK.replace(b"/ ", b"/large ")) as slow:
        time.sleep(1)
        received = 0
        try:
            while part := slow.recv(1_000_000):
                received += len(part)
        except ConnectionResetError:
            pass
    assert received < LARGE


def test_a_kept_connection_that_asks_is_served(port, monkeypatch):
    monkeypatch.setitem(connections.LIMITS_S, "ask", 1.5)
    with connect(port) as connection:
        for _ in range(4):
            connection.sendall(ASK)
            assert answered(connection)
            time.sleep(0.5)


def test_the_connection_of_a_peer_that_has_waited_longest_gives_way(port, monkeypatch):
    for step in connections.LIMITS_S:
        monkeypatch.setitem(connections.LIMITS_S, step, 60)
    waiting = [connect(port, sent) for sent in (b"", b"GET", POST)]
    time.sleep(0.1)
    more = [connect(port) for _ in range(MOST)]
    try:
        assert all(ended(one) for one in waiting)
        more[-1].sendall(ASK)
        assert answered(more[-1])
    finally:
        for one in waiting + more:
            one.close()


def test_a_conversation_may_pause(port, monkeypatch):
    monkeypatch.setitem(connections.LIMITS_S, "greet", 2)
    with websockets.sync.client.connect(f"ws://127.0.0.1:{port}") as talk:
        talk.send("hello")
        assert talk.recv(timeout=5) == "hello"
        time.sleep(2.2)
        talk.send("still here")
        assert talk.recv(timeout=5) == "still here"


def test_a_websocket_without_greeting_is_closed(port):
    with websockets.sync.client.connect(f"ws://127.0.0.1:{port}") as talk, pytest.raises(ConnectionClosed):
        talk.recv(timeout=5)


def test_text_that_is_not_utf8_closes_with_1007(port, monkeypatch, caplog, capfd):
    monkeypatch.setitem(connections.LIMITS_S, "greet", 5)
    with websockets.sync.client.connect(f"ws://127.0.0.1:{port}") as talk:
        talk.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            talk.recv(timeout=5)
    assert closed.value.rcvd.code == 1007
    assert "Traceback" not in caplog.text + "".join(capfd.readouterr())
