"""Settings of the service."""

import os
from dataclasses import dataclass, field

from ddfa.detect.limits import FaceLimits

API_KEY_VARIABLE = "DDFA_API_KEY"
MAX_FACES = 50  # in an answer, by default


@dataclass(frozen=True)
class ServeSettings:
    """Settings of one service.

    Attributes:
        model: folder or name of a bundle; None for the default.
        detector: name of a detector; None for the default.
        workers: threads that decode photos, detect faces and export files.
        threads: CPU threads of the network.
        batch: maximum number of photos whose faces are regressed in one batch.
        window_ms: how long the first of them waits for others, ms.
        queue: maximum number of requests in progress or waiting; more are refused with 429.
        max_bytes: maximum size of a request.
        max_pixels: maximum size of a photo.
        memory: maximum number of bytes of requests, unread answers and decoded images at a time.
        limits: which of the detected faces are answered; `limits.max_faces` is the maximum number in an answer.
        receive_s: time limit for a request to arrive, s.
        answer_s: time limit for an answer, s.
        live: maximum number of connected cameras.
        allow_replace: whether `POST /v1/replace` is enabled.
        hosts: host names under which browsers may reach the service; empty for any.
        api_key: key that clients must send; None if none is needed.
    """

    model: str | None = None
    detector: str | None = None
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    threads: int = 1
    batch: int = 32
    window_ms: float = 2.0
    queue: int = 64
    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    memory: int = 1_024_000_000
    limits: FaceLimits = field(default_factory=lambda: FaceLimits(max_faces=MAX_FACES))
    receive_s: float = 20.0
    answer_s: float = 30.0
    live: int = 4
    allow_replace: bool = False
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    api_key: str | None = field(default=None, repr=False)
