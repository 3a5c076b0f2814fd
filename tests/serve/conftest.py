"""One service with the shipped model for all tests of a module."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")

from fastapi.testclient import TestClient

from ddfa.serve.app import create_app
from ddfa.serve.settings import ServeSettings


def client_of(raise_server_exceptions: bool = True, **settings: object) -> TestClient:
    """A client of a service with the given settings; `with` starts it."""
    app = create_app(ServeSettings(workers=2, **settings))
    return TestClient(app, "http://localhost", raise_server_exceptions=raise_server_exceptions)


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    """A client of a service with the default settings."""
    with client_of(max_bytes=2_000_000, max_pixels=4_000_000) as client:
        yield client


@pytest.fixture(scope="session")
def photo(root: Path) -> bytes:
    """A photo of one face."""
    return (root / "samples" / "astronaut.jpg").read_bytes()


def connect(port: int, content: bytes = b"") -> socket.socket:
    """A connection to a port of this machine, over which something has been sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    connection.sendall(content)
    return connection
