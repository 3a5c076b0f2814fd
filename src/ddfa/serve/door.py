"""The service's side of the doorman: starts it, and takes over the connections that it accepts."""

import asyncio
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from ddfa.child_processes import module_command

_BEAT_S: Final = 1.0  # between signs of life
_AT_ONCE: Final = 32  # connections, between other work of the event loop

PASSES_CONNECTIONS: Final = hasattr(socket, "send_fds")
"""Whether processes can pass connections on: not on Windows."""


class Door:
    """Connections that a doorman has accepted for this process.

    Args:
        listener: bound socket; this class makes it listen.
        hosts: names of the service; empty for any.
        per_peer: how many silent connections a peer may have.
        most: how many connections may wait.
    """

    def __init__(self, listener: socket.socket, hosts: Sequence[str], per_peer: int, most: int) -> None:
        self._listener = listener
        self._arguments = (str(per_peer), str(most), *hosts)
        listener.listen(1024)

    def open(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Start the doorman; from now on its connections are served by protocols of the event loop.

        Args:
            protocol: makes the protocol of a connection.
        """
        self._loop, self._protocol = asyncio.get_running_loop(), protocol
        self._tasks: set[asyncio.Task[object]] = set()
        self._start()
        self._beat()

    def close(self) -> None:
        """Accept no more connections; the doorman ends."""
        self._timer.cancel()
        self._stop()
        self._listener.close()

    def _start(self) -> None:
        self._channel, other = socket.socketpair()
        self._channel.setblocking(False)
        numbers = self._listener.fileno(), other.fileno()
        command = module_command("ddfa.serve.doorman", *map(str, numbers), *self._arguments)
        self._process = subprocess.Popen(command, pass_fds=numbers, stdin=subprocess.DEVNULL)
        other.close()
        self._loop.add_reader(self._channel, self._take)

    def _stop(self) -> None:
        self._loop.remove_reader(self._channel)
        self._channel.close()
        self._process.wait()

    def _beat(self) -> None:
        with suppress(OSError):
            self._channel.send(b".")
        self._timer = self._loop.call_later(_BEAT_S, self._beat)

    def _take(self) -> None:
        """Take over connections."""
        for _ in range(_AT_ONCE):
            try:
                content, numbers, _, _ = socket.recv_fds(self._channel, 1, 1)
            except BlockingIOError:
                return
            except OSError:
                content, numbers = b"", []
            if not content:  # the doorman was killed: another one takes its place
                self._stop()
                self._start()
                return
            for number in numbers:
                connection = socket.socket(fileno=number)
                connection.setblocking(False)
                task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, connection))
                self._tasks.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the peer is gone already: nothing to tell
