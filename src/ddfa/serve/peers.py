"""Who a connection comes from and what host it asks for; a bound on the connections of each peer that wait for it.

Only the standard library is needed here: the doorman, a process that must stay small, uses this module.
"""

import ipaddress
from collections.abc import Callable
from typing import Generic, TypeVar
from urllib.parse import urlsplit

Connection = TypeVar("Connection")


class Peers(Generic[Connection]):
    """Bounds the number of connections of a peer that wait for it, by closing the one that has waited longest.

    Args:
        most: maximum number per IPv4 address or IPv6 network (/64).
        close: closes a connection.
    """

    def __init__(self, most: int, close: Callable[[Connection], object]) -> None:
        self._most, self._close = most, close
        self._waiting: dict[str, dict[Connection, None]] = {}

    def add(self, peer: str, connection: Connection) -> None:
        """Note that a connection waits for its peer, see `peer_of`."""
        waiting = self._waiting.setdefault(peer, {})
        waiting[connection] = None
        if len(waiting) > self._most:
            longest = next(iter(waiting))
            self.remove(peer, longest)
            self._close(longest)

    def remove(self, peer: str, connection: Connection) -> None:
        """Note that a connection does not wait any more."""
        waiting = self._waiting.get(peer, {})
        waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(peer, None)


def peer_of(address: object) -> str:
    """The peer at the address of a socket; with IPv6 the network, because one peer has many addresses."""
    try:
        found = ipaddress.ip_address(address[0].partition("%")[0])  # type: ignore[index]
    except (TypeError, IndexError, ValueError, AttributeError):
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def host_name(host: str) -> str:
    """The name in `name:port` or `[address]:port`; empty if it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
