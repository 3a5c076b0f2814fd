"""Connections: peers that are slow, silent or too many are disconnected, whatever they have sent before."""

import asyncio
from typing import Any, Final, Literal, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ddfa.serve.peers import Peers, peer_of

_INVALID_TEXT: Final = 1007  # RFC 6455, 7.4.1


Step = Literal["ask", "upload", "read", "greet", "leave"]
LIMITS_S: Final[dict[Step, float]] = {
    "ask": 15.0,  # send the header of a request, the first or a later one
    "upload": 60.0,  # send the body; `ServeSettings.receive_s` is shorter and gives an answer
    "read": 60.0,  # read what has been sent
    "greet": 5.0,  # send the first WebSocket message; the live channel is stricter and gives an answer
    "leave": 5.0,  # answer the closing frame of a WebSocket
}
"""What a connection waits for its peer to do, and for how long, s."""


class Patience:
    """The time limit of what the peer of one connection has to do next.

    Args:
        peers: bounds the connections of each peer.
        transport: of the connection.
    """

    def __init__(self, peers: Peers[asyncio.Transport], transport: asyncio.Transport) -> None:
        self._peers, self._transport = peers, transport
        self._peer = peer_of(transport.get_extra_info("peername"))
        self._step: Step | None = None
        self._timer: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(0)  # so that the protocol is told about every byte that is not read

    def expect(self, step: Step | None) -> None:
        """Start the time limit of a step unless it has started; None: the peer has nothing to do."""
        if step == self._step:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._peers.remove(self._peer, self._transport)
        self._step = step
        if step is not None:
            self._timer = asyncio.get_running_loop().call_later(LIMITS_S[step], self._transport.abort)
            self._peers.add(self._peer, self._transport)


class PatientHTTP(H11Protocol):
    """HTTP with a time limit on each step of every request.

    Args:
        peers: bounds the connections of each peer.
        arguments: of the base class.
    """

    def __init__(self, *, peers: Peers[asyncio.Transport], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._peers = peers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._patience = Patience(self._peers, transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._patience.expect(None)
        super().connection_lost(exc)
        self._patience.expect(None)  # the base class tells waiting writers to go on

    def handle_events(self) -> None:
        """A request has arrived, or a part of it."""
        super().handle_events()
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the answer to be read and for the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for the peer to read."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """The peer has read everything."""
        super().resume_writing()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand over to the WebSocket protocol."""
        self._patience.expect(None)
        super().handle_websocket_upgrade(event)

    def _watch(self) -> None:
        if self.transport.get_protocol() is not self:  # it is a WebSocket now
            return
        cycle = cast(Any, self.cycle)  # None before the first request
        if self.flow.write_paused:
            self._patience.expect("read")
        elif cycle is None or cycle.response_complete:
            self._patience.expect("ask")
        else:
            self._patience.expect("upload" if cycle.more_body else None)


class PatientWebSocket(WebSocketsSansIOProtocol):
    """WebSockets with a time limit on greeting, reading and closing.

    Args:
        peers: bounds the connections of each peer.
        arguments: of the base class.
    """

    def __init__(self, *, peers: Peers[asyncio.Transport], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._peers, self._greeted, self._lost = peers, False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first message."""
        super().connection_made(transport)
        self._patience = Patience(self._peers, self.transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._lost = True
        self.handshake_complete = True
        self._watch()
        super().connection_lost(exc)

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; text that is not UTF-8 closes the connection."""
        self._greeted = True
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self.conn.send_close(_INVALID_TEXT)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for the peer to read."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """The peer has read everything."""
        super().resume_writing()
        self._watch()

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        await super().send(message)
        # A connection that was denied, or lost before it was accepted: the base class would log a fault of ours.
        self.handshake_complete = self.handshake_complete or self.close_sent
        self._watch()

    def _watch(self) -> None:
        if self._lost:
            self._patience.expect(None)
        elif not self.writable.is_set():
            self._patience.expect("read")
        elif self.close_sent:
            self._patience.expect("leave")
        else:
            self._patience.expect(None if self._greeted else "greet")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
