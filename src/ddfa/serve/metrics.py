"""Prometheus metrics of one service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)  # seconds
_PHOTOS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters, gauges and histograms; their names begin with `ddfa_`.

    Attributes:
        registry: contains all metrics.
        requests: requests answered, by path and status.
        seconds: time from request to answer, by path.
        stages: seconds of the stages decode, detect, regress and files.
        faces: faces found.
        batch: photos whose faces were regressed in one batch.
        queue: requests in progress or waiting.
        live: connected cameras.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter("ddfa_requests", "Requests answered", ["path", "status"], registry=own)
        self.seconds = Histogram(
            "ddfa_request_seconds", "Time from request to answer", ["path"], buckets=_S, registry=own
        )
        self.stages = Histogram("ddfa_stage_seconds", "Duration of the stages", ["stage"], buckets=_S, registry=own)
        self.faces = Counter("ddfa_faces", "Faces found", registry=own)
        self.batch = Histogram("ddfa_batch_photos", "Photos regressed in one batch", buckets=_PHOTOS, registry=own)
        self.queue = Gauge("ddfa_queue", "Requests in progress or waiting", registry=own)
        self.live = Gauge("ddfa_live", "Cameras connected", registry=own)
