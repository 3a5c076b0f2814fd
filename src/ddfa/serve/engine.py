"""The computation behind the service.

Decoding, detection and file export run in a thread pool; the faces of concurrent requests are regressed in one batch.
"""

import asyncio
import base64
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, TypeVar

import cv2
import numpy as np

from ddfa.align import FaceAligner
from ddfa.arrays import UInt8
from ddfa.export.face_files import FaceFiles
from ddfa.export.glb import write_glb
from ddfa.export.record import face_record
from ddfa.faces import Faces
from ddfa.located import Located
from ddfa.regress.bundle import MODEL_FILE
from ddfa.serve.capacity import MemoryBudget
from ddfa.serve.image_limits import decode_checked, memory_of
from ddfa.serve.metrics import Metrics
from ddfa.serve.micro_batching import MicroBatcher
from ddfa.serve.settings import ServeSettings

_T = TypeVar("_T")
_OMITTED: Final = (
    "format",
    "version",
    "image",
    "model",
    "face",
)  # fields of a face's record that the answer contains once, or not at all
_MEMORY: Final = Path("/dev/shm")  # a memory file system, where the platform has one
_PHOTO: Final = Path("photo")  # photos arrive without a file name
_TYPES: Final = {  # by suffix; other files are application/octet-stream
    ".glb": "model/gltf-binary",
    ".obj": "model/obj",
    ".usdz": "model/vnd.usdz+zip",
    ".txt": "text/plain",
    ".json": "application/json",
    ".png": "image/png",
}


class Engine:
    """Models and thread pools that all requests share.

    Args:
        settings: of the service.
        metrics: receives counts and durations.

    Raises:
        ModelError: the bundle cannot be used.
        DetectorError: the detector cannot be used.
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self._pixels = MemoryBudget(settings.memory * 3 // 4)  # the rest is for requests and answers
        limits = asdict(settings.limits)
        self.aligner = FaceAligner(settings.model, settings.detector or "yunet", settings.threads, **limits)

    async def start(self) -> None:
        """Start the threads; load and compile everything, so that the first request is not slow."""
        settings, observe = self.settings, self.metrics.batch.observe
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="ddfa-work")
        self._regress_pool = ThreadPoolExecutor(1, thread_name_prefix="ddfa-regress")
        self._batchers = {
            refine: MicroBatcher[Located, Faces](
                partial(self._regress, refine), self._regress_pool, settings.batch, settings.window_ms / 1e3, observe
            )
            for refine in (False, True)
        }
        await self.run(self._warm_up)

    async def align(self, content: bytes, parts: Sequence[str], max_faces: int, refine: bool) -> dict[str, Any]:
        """Align the faces of a photo.

        Args:
            content: bytes of the image file.
            parts: kinds of files to add, from `FACE_KINDS`.
            max_faces: maximum number of faces in the answer, largest first.
            refine: regress a second time on a crop from the first landmarks.

        Returns:
            The answer as JSON-compatible values.

        Raises:
            ServiceError: the image cannot be used.
            DDFAError: a file cannot be created.
        """
        async with self.decoded(content):
            return await self._align(content, parts, max_faces, refine)

    async def _align(self, content: bytes, parts: Sequence[str], max_faces: int, refine: bool) -> dict[str, Any]:
        began = time.perf_counter()
        located = await self.run(self._locate, content, max_faces)
        faces = (await self._batchers[refine](located))[:max_faces]
        self.metrics.faces.inc(len(faces))
        answered = await self.run(self._answer, located.image, faces, parts)
        return {
            "image": {"width": located.size[0], "height": located.size[1]},
            "model": self.model,
            "milliseconds": round(1e3 * (time.perf_counter() - began), 1),
            "faces": answered,
        }

    async def run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Run a function in the thread pool; if that is cancelled, until the function has returned."""
        future = self._pool.submit(work, *arguments)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            while future.running():  # its memory is in use
                await asyncio.sleep(0.02)
            raise

    @asynccontextmanager
    async def decoded(self, *contents: bytes) -> AsyncIterator[None]:
        """Wait until there is memory for some images.

        Raises:
            ServiceError: 413, they are too large for it.
        """
        sizes = [memory_of(content, self.settings.max_pixels) for content in contents]
        async with self._pixels.reserved(sum(sizes)):
            yield

    @cached_property
    def model(self) -> dict[str, str]:
        """The model as the answers describe it."""
        bundle = self.aligner.bundle
        return {"name": bundle.name, "sha256": bundle.files[MODEL_FILE], "head": self.aligner.head.name}

    def mean_head(self) -> bytes:
        """Encode the mean head with its blendshapes in frontal pose, as GLB.

        Raises:
            ModelError: the head model has no blendshapes.
        """
        layout = self.aligner.bundle.layout
        params = layout.join(np.eye(3, 4)[None], np.zeros((1, layout.identity)), np.zeros((1, layout.expression)))
        box = np.array([[0, 0, 120, 120]], np.float32)
        face = Faces(box, np.ones(1, np.float32), params, box, self.aligner.model, (120, 120))
        with _scratch() as folder:
            write_glb(folder / "head.glb", face)
            return (folder / "head.glb").read_bytes()

    def head_file(self, image: UInt8, face: Faces) -> bytes:
        """One face with its texture as GLB."""
        return _file(FaceFiles(face, image, _PHOTO), "glb", 0)[1]

    def _warm_up(self) -> None:
        cv2.setNumThreads(1)  # requests run in parallel already
        # GLB export uses the most kernels, so it compiles them all.
        kinds = ["glb"] if self.aligner.head.has_arkit else ["ply"]
        image = np.full((160, 160, 3), 127, np.uint8)
        self.aligner.detector(image)
        self._answer(image, self.aligner(image, boxes=np.array([[40, 40, 120, 120]], np.float32)), kinds)

    async def close(self) -> None:
        """Finish running work and cancel what is queued."""
        for batcher in self._batchers.values():
            await batcher.close()
        for pool in (self._pool, self._regress_pool):
            pool.shutdown(wait=True, cancel_futures=True)

    def _locate(self, content: bytes, max_faces: int) -> Located:
        with self._timed("decode"):
            image = decode_checked(content, self.settings.max_pixels)
        with self._timed("detect"):
            located = self.aligner.locate(image)
        # Twice as many as wanted are regressed at most: some may turn out to repeat another face.
        return located if len(located.roi) <= 2 * max_faces else located.select(np.arange(2 * max_faces))

    def _regress(self, refine: bool, images: Sequence[Located]) -> list[Faces]:
        with self._timed("regress"):
            return self.aligner.align_located(images, refine)

    def _answer(self, image: UInt8, faces: Faces, parts: Sequence[str]) -> list[dict[str, Any]]:
        with self._timed("files"):
            files = FaceFiles(faces, image, _PHOTO)
            result = []
            for index in range(len(faces)):
                record = face_record(faces, index, _PHOTO)
                kept = {key: value for key, value in record.items() if key not in _OMITTED}
                result.append(kept | {"files": {kind: _encoded(files, kind, index) for kind in parts}})
            return result

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        with self.metrics.stages.labels(stage).time():
            yield


def _encoded(files: FaceFiles, kind: str, index: int) -> dict[str, str]:
    """A file of a face as it appears in the answer."""
    name, content = _file(files, kind, index)
    kind_of = _TYPES.get(Path(name).suffix, "application/octet-stream")
    return {"name": name, "type": kind_of, "data": base64.b64encode(content).decode()}


def _file(files: FaceFiles, kind: str, index: int) -> tuple[str, bytes]:
    """Name and bytes of a file of a face."""
    with _scratch() as folder:
        path = files.write(kind, index, folder / f"face_{index}")
        return path.name, path.read_bytes()


@contextmanager
def _scratch() -> Iterator[Path]:
    """A temporary folder, in memory where the platform allows it."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)
