"""Counters and times for Prometheus, of one service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)  # seconds
_PHOTOS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What a service tells about itself; names begin with `ddfa_`.

    Attributes:
        registry: of all of them.
        requests: answered, by path and status.
        seconds: from request to answer, by path.
        stages: seconds of decode, detect, regress and files.
        faces: found.
        batch: photos whose faces were regressed together.
        queue: requests that are being answered or wait.
        live: cameras connected.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("ddfa_requests", "Requests answered", ["path", "status"], registry=own)
        self.seconds = Histogram("ddfa_request_seconds", "From request to answer", ["path"], buckets=_S, registry=own)
        self.stages = Histogram("ddfa_stage_seconds", "Stages of the work", ["stage"], buckets=_S, registry=own)
        self.faces = Counter("ddfa_faces", "Faces found", registry=own)
        self.batch = Histogram("ddfa_batch_photos", "Photos regressed together", buckets=_PHOTOS, registry=own)
        self.queue = Gauge("ddfa_queue", "Requests being answered or waiting", registry=own)
        self.live = Gauge("ddfa_live", "Cameras connected", registry=own)
