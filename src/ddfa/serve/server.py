"""Running the service: one socket, one process, callers who dawdle are sent away."""

import asyncio
import socket
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ddfa.errors import DDFAError

_HEADER_S: Final = 15.0  # for the first request's header to arrive
_FINISH_S: Final = 20  # for answers under way when the service is stopped


class TimeoutProtocol(H11Protocol):
    """HTTP that waits for the header of a connection's first request for a while only."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._clock = asyncio.get_running_loop().call_later(_HEADER_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._clock.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Stop the clock: the connection is another protocol's now."""
        self._clock.cancel()
        super().handle_websocket_upgrade(event)

    def _give_up(self) -> None:
        begun: object = self.cycle  # the request, once its header is there
        if begun is None and not self.transport.is_closing():
            self.transport.abort()


def run_server(app: ASGIApp, host: str, port: int, connections: int) -> None:
    """Serve until the process is told to stop.

    Args:
        app: the service.
        host: address to listen on.
        port: of it; 0 for any free one.
        connections: open at a time; more are refused with 503.

    Raises:
        DDFAError: the address cannot be used.
    """
    listener = _listener(host, port)
    address = listener.getsockname()
    config = uvicorn.Config(
        app,
        http=TimeoutProtocol,
        ws="websockets-sansio",
        ws_max_size=4_000_000,
        limit_concurrency=connections,
        backlog=1024,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_FINISH_S,
        h11_max_incomplete_event_size=32_768,
        log_level="error",  # a flood must not fill the log
        access_log=False,  # nothing about requests is written down
        server_header=False,
    )
    server = _Server(config, f"http://{_shown(address[0])}:{address[1]}/")
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"ddfa serve: {self._address} (Ctrl-C stops it)", flush=True)


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # The protocol is named, or asyncio leaves Nagle's algorithm on: 40 ms for every answer on a kept connection.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise DDFAError(f"cannot listen on {host}:{port} ({error.strerror}): choose another --host or --port") from None
    return listener


def _shown(address: str) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address
