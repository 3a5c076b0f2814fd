"""Runs the service: one socket, whose connections are bounded, behind a doorman."""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from ddfa.errors import DDFAError
from ddfa.serve.connections import PatientHTTP, PatientWebSocket
from ddfa.serve.door import PASSES_CONNECTIONS, Door
from ddfa.serve.peers import Peers

_FINISH_S: Final = 20  # to finish running requests when the service stops


def run_server(
    app: ASGIApp, host: str, port: int, connections: int, per_peer: int = 0, hosts: Sequence[str] = ()
) -> None:
    """Serve until the process is stopped.

    Args:
        app: the service.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        connections: maximum number of open connections; more are refused with 503.
        per_peer: how many of them may wait for one address, before the longest waiting is closed; 0 for a quarter.
        hosts: host names of the service; empty for any.

    Raises:
        DDFAError: the service cannot listen on the address.
    """
    listener = _listener(host, port)
    address = listener.getsockname()
    per_peer = per_peer or max(1, connections // 4)
    peers = Peers[asyncio.Transport](per_peer, lambda transport: transport.abort())
    config = uvicorn.Config(
        app,
        http=partial(PatientHTTP, peers=peers),  # type: ignore[arg-type]
        ws=partial(PatientWebSocket, peers=peers),  # type: ignore[arg-type]
        ws_max_size=4_000_000,
        limit_concurrency=connections,
        backlog=1024,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_FINISH_S,
        h11_max_incomplete_event_size=32_768,
        log_level="error",  # many bad requests must not fill the log
        access_log=False,  # requests are not logged, for privacy
        server_header=False,
    )
    server = _Server(config, f"http://{_shown(address[0])}:{address[1]}/")
    if PASSES_CONNECTIONS:
        server.door = Door(listener, hosts, per_peer, connections)
        server.run(sockets=[])
    else:
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Prints the address once the service listens; takes its connections from a door, if it has one."""

    door: Door | None = None

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            if self.door is not None:
                self.door.open(self._protocol)
            print(f"ddfa serve: {self._address} (Ctrl-C stops it)", flush=True)

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        if self.door is not None:
            self.door.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        make: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # asyncio disables Nagle's algorithm only if the protocol is given; it costs 40 ms per keep-alive answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise DDFAError(f"cannot listen on {host}:{port} ({error.strerror}): choose another --host or --port") from None
    return listener


def _shown(address: str) -> str:
    """An address as written in a URL."""
    return f"[{address}]" if ":" in address else address
