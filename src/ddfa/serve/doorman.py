"""A small process between the clients and the service: it answers `GET /healthz`, and hands over all else.

The service computes in many threads of one process, and Python runs one of them at a time: an answer of its event loop
may take a second. This process does nothing but accept connections, so that monitors are answered at once, whatever the
service is doing, and learn if it does not run any more. It looks at the first bytes of a connection without taking them
away; unless they are a plain request for `/healthz`, the service receives the open connection with all that has been
sent. A connection that sends nothing stays here, and costs the service nothing.

Only the standard library is needed here. It ends with the service, however that ends: the channel closes.
"""

import json
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from ddfa.serve.peers import Peers, host_name, peer_of

SILENCE_S: Final = 15.0  # until a connection has to send its first byte
ALIVE_S: Final = 30.0  # without a sign of life, after which the service counts as stuck
_LARGEST: Final = 4096  # bytes of a request that are looked at
_AT_ONCE: Final = 64  # connections, between looks at others
_PROBES: Final = (b"GET /healthz HTTP/1.1", b"GET /healthz HTTP/1.0")
_NOT_PLAIN: Final = frozenset({b"origin", b"content-length", b"transfer-encoding", b"upgrade", b"expect"})


class Doorman:
    """Accepts the connections of a service.

    Args:
        listener: socket that listens.
        channel: connected to the service: it sends signs of life, and receives connections, each with one byte.
        hosts: names of the service; empty for any.
        per_peer: how many silent connections a peer may have, before the longest silent one is closed.
        most: how many connections may wait to send or to be handed over; more are closed or refused.
    """

    def __init__(
        self, listener: socket.socket, channel: socket.socket, hosts: Sequence[str], per_peer: int, most: int
    ) -> None:
        self._listener, self._channel, self._hosts, self._most = listener, channel, frozenset(hosts), most
        self._peers = Peers[socket.socket](per_peer, self._close)
        self._silent: dict[socket.socket, tuple[float, str]] = {}  # until when, and whose; the oldest first
        self._ready = deque[socket.socket]()
        self._alive = time.monotonic()
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least: `most` counts what is beyond it
        self._selector = selectors.DefaultSelector()
        for one in (listener, channel):
            one.setblocking(False)
            self._selector.register(one, selectors.EVENT_READ)

    def run(self) -> None:
        """Work until the service closes the channel."""
        while True:
            for key, events in self._selector.select(1.0):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is not self._channel:
                    self._look(key.fileobj)  # type: ignore[arg-type]
                elif events & selectors.EVENT_READ and not self._hear():
                    return
            if not self._hand_over():
                return
            now = time.monotonic()
            while self._silent and (first := next(iter(self._silent.items())))[1][0] < now:
                self._close(first[0])

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # reset already, or no descriptor is left
                if self._silent:
                    self._close(next(iter(self._silent)))
                return
            connection.setblocking(False)
            if len(self._silent) >= self._most:
                self._close(next(iter(self._silent)))
            peer = peer_of(address)
            self._silent[connection] = time.monotonic() + SILENCE_S, peer
            self._selector.register(connection, selectors.EVENT_READ)
            self._look(connection)
            if connection in self._silent:  # nothing was sent with it
                self._peers.add(peer, connection)

    def _look(self, connection: socket.socket) -> None:
        """See what a connection has sent."""
        if connection not in self._silent:  # closed since it was selected
            return
        try:
            content = connection.recv(_LARGEST, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        if not content:
            self._close(connection)
        elif is_probe(content, self._hosts):
            self._answer(connection, len(content), self._health())
        elif len(self._ready) >= self._most:
            self._answer(connection, len(content), _response("503 Service Unavailable", "busy"))
        else:
            self._forget(connection)
            self._ready.append(connection)

    def _health(self) -> bytes:
        alive = time.monotonic() - self._alive < ALIVE_S
        return _response("200 OK", "ok") if alive else _response("503 Service Unavailable", "stuck")

    def _answer(self, connection: socket.socket, size: int, response: bytes) -> None:
        try:
            connection.recv(size)  # a socket that is closed with bytes unread is reset
            connection.send(response)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self._close(connection)

    def _hear(self) -> bool:
        """Note signs of life; whether the service still runs."""
        try:
            heard = self._channel.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._alive = time.monotonic()
        return bool(heard)

    def _hand_over(self) -> bool:
        """Pass on what the service has room for; whether it still runs."""
        while self._ready:
            try:
                socket.send_fds(self._channel, [b"."], [self._ready[0].fileno()])
            except BlockingIOError:
                break
            except OSError:
                return False
            self._ready.popleft().close()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._ready else 0)
        self._selector.modify(self._channel, wanted)
        return True

    def _forget(self, connection: socket.socket) -> None:
        _, peer = self._silent.pop(connection)
        self._peers.remove(peer, connection)
        self._selector.unregister(connection)

    def _close(self, connection: socket.socket) -> None:
        self._forget(connection)
        connection.close()


def is_probe(content: bytes, hosts: frozenset[str]) -> bool:
    """Whether the first bytes of a connection are a whole request for the health of the service, and nothing else.

    Args:
        content: the bytes.
        hosts: names of the service; empty for any.
    """
    head, end, rest = content.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    if first not in _PROBES or not end or rest:
        return False
    fields = [line.partition(b":") for line in lines]
    names = [name.lower() for name, _, _ in fields]
    given = [value.strip() for name, _, value in fields if name.lower() == b"host"]
    if not _NOT_PLAIN.isdisjoint(names) or len(given) != 1:
        return False
    return not hosts or host_name(given[0].decode("latin-1")) in hosts


def _response(status: str, word: str) -> bytes:
    body = json.dumps({"status": word}, separators=(",", ":"))
    head = (
        f"HTTP/1.1 {status}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "x-content-type-options: nosniff",
        "connection: close",
    )
    return "\r\n".join([*head, "", body]).encode()


def main(arguments: Sequence[str]) -> None:
    """Run in a process of its own: descriptors of listener and channel, `per_peer`, `most`, then the hosts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service
    listener, channel = (socket.socket(fileno=int(number)) for number in arguments[:2])
    Doorman(listener, channel, arguments[4:], *map(int, arguments[2:4])).run()
