"""Addresses of programs that receive motions, and the UDP socket that sends to them."""

import re
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from ddfa.errors import OutputError, one_line, reason
from ddfa.video.motion import live_link, vmc

PORTS: Final = {"vmc": vmc.PORT, "livelink": live_link.PORT}
SUBJECT: Final = "OpenDDFA"
_EXAMPLES: Final = "vmc://127.0.0.1:39539 or livelink://192.168.1.5:11111/Name"


@dataclass(frozen=True)
class Target:
    """A program that receives motions.

    Attributes:
        protocol: `vmc` or `livelink`.
        host: name or address.
        port: UDP port.
        subject: what a Live Link receiver calls the face.
    """

    protocol: str
    host: str
    port: int
    subject: str = SUBJECT

    @staticmethod
    def parse(url: str) -> "Target":
        """Read an address: vmc://HOST[:PORT] or livelink://HOST[:PORT][/NAME].

        Raises:
            OutputError: it is neither.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise OutputError(f"--to {one_line(url)} ({reason(error)}): write {_EXAMPLES}") from None
        path = parts.path.removeprefix("/")
        extra = parts.query or parts.fragment or parts.username is not None or (path and parts.scheme != "livelink")
        if parts.scheme not in PORTS or not host or port == 0 or extra or not re.fullmatch(r"[^/]{0,100}", path):
            raise OutputError(f"--to {one_line(url)} is not an address: write {_EXAMPLES}")
        return Target(parts.scheme, host, port or PORTS[parts.scheme], unquote(path) or SUBJECT)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


class UdpSender:
    """Sends datagrams to a target. Once one was sent, failures of the network are ignored: the next one may arrive.

    Args:
        target: who receives them.

    Raises:
        OutputError: the host is unknown, or there is no route to it.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._sent = self._refused = 0
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as error:
            raise self._unreachable(error) from None
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise self._unreachable(error) from None

    def send(self, datagram: bytes) -> None:
        """Send a datagram.

        Raises:
            OutputError: the first one cannot be sent.
        """
        try:
            self._socket.send(datagram)
            self._sent += 1
        except ConnectionRefusedError:  # the answer to an earlier datagram: nobody listens on the port
            self._refused += 1
        except OSError as error:
            if not self._sent:
                raise self._unreachable(error) from None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    @property
    def unheard(self) -> bool:
        """Whether the host answered that nobody listens on the port, to every other datagram or more.

        The answer to a datagram is reported in place of sending the next one. Hosts behind a network rarely answer.
        """
        return self._refused > 0 and self._refused >= self._sent

    def _unreachable(self, error: Exception) -> OutputError:
        return OutputError(f"cannot send to {self.target} ({reason(error)}): check the address and the network")
