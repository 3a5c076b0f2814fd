"""Replaces a face in an image by the face of another person."""

from typing import Final, Literal

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.faces import Faces
from ddfa.images import SyntheticImage
from ddfa.raster.blending import smoothstep
from ddfa.raster.rasterize import Raster, interpolate, rasterize
from ddfa.replace.appearance.colour import ColourBasis, brightness, log_colours, max_channel
from ddfa.replace.appearance.noise import match_noise
from ddfa.replace.source import Source
from ddfa.replace.target import TargetFace
from ddfa.replace.temporal import TemporalState
from ddfa.texture.atlas import atlas_pixels

Shape = Literal["source", "target", "blend"]
_SHARE: Final = {"source": 1.0, "blend": 0.5, "target": 0.0}
_CONTRAST: Final = 1.15  # allowed contrast of the new face relative to the old one; slightly more looks natural
_GAIN_SHARE: Final = 0.15  # weight of one frame in the running mean of the colour transfer
_KEPT: Final = (0.35, 1.0)  # range of the factor on the source's contrast: it is never amplified
_COARSE: Final = 8  # canvas px per cell of the displacement field


class Replacer:
    """Replaces faces by the face of one source.

    The source's texture is rendered in the target's pose and expression, its colours are transferred to the target's
    illumination, its noise is matched, and it is composited under whatever occludes the target.

    Args:
        source: the source face.
        shape: the head shape of the result: the source's, the target's or their mean.
        limit: longest side in px at which a face is rendered; larger faces are rendered smaller and enlarged.
    """

    def __init__(self, source: Source, shape: Shape = "blend", limit: int = 1024) -> None:
        self.source, self.surface, self.limit = source, source.surface, limit
        self._share = _SHARE[shape]
        self.colour_basis = ColourBasis(source.surface)
        self._pixels = atlas_pixels(self.surface.uv, source.texture.shape[0])
        self._opacity = self.surface.opacity * source.known

    def __call__(self, image: UInt8, faces: Faces) -> SyntheticImage:
        """Replace all the given faces.

        Args:
            image: (H, W, 3) uint8 RGB; it is not changed.
            faces: those of its faces to replace.

        Returns:
            A new image, to be written by `ddfa.provenance`; pixels outside the new faces are unchanged.
        """
        result = SyntheticImage(image)
        for face in faces.singles():
            self.draw(result, face)
        return result

    def draw(self, synthetic: SyntheticImage, face: Faces, memory: TemporalState | None = None) -> None:
        """Replace one face in place.

        Args:
            synthetic: the image to draw into.
            face: one face of it.
            memory: state of the same face over the previous frames, for a video.
        """
        image, surface, source = synthetic.unmarked_pixels, self.surface, self.source
        view = TargetFace.of(surface, self.colour_basis, image, face, self.limit, memory)
        trust = surface.plain * view.visible_skin * (0.02 + source.known)
        fitted = self.colour_basis.fit(view.basis, view.colours - source.colours, trust)
        gain = view.basis @ view.memory("gain", fitted, _GAIN_SHARE)
        # Fine detail is scaled towards the target's contrast; the smooth part of the source is kept in full.
        keep = np.clip(_CONTRAST * view.contrast / np.maximum(source.contrast, 1e-3), *_KEPT)
        level = source.smooth.mean(axis=1, keepdims=True)
        offset = gain + (1 - keep[0]) * level + (1 - keep[1]) * (source.smooth - level)
        shape = self._new_shape(view, face)
        raster = rasterize(shape, surface.triangles, *view.canvas.size, cull=True)
        values = np.column_stack([offset, self._opacity, view.shape[:, :2] - shape[:, :2]])
        fields = interpolate(raster, surface.triangles, values)
        pixels = interpolate(raster, surface.uv_triangles, self._pixels)
        skin = log_colours(cv2.remap(source.texture, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR))
        tone = brightness(skin)[..., None]
        drawn = np.float32(255) * np.exp(keep[0] * tone + keep[1] * (skin - tone) + fields[..., :3])
        drawn = _compress_highlights(drawn, self._white(view))
        under, occluder, moved = self._warped(view, raster, fields[..., 4:6])
        # The rasteriser does not antialias: soften the outline.
        edge = np.clip(2 * cv2.blur(raster.mask.astype(np.float32), (5, 5)) - 1, 0, 1)
        opacity = fields[..., 3] * (1 - occluder) * edge
        drawn = match_noise(drawn, view.image, opacity > 0.9, view.memory)
        result = np.asarray(under + opacity[..., None] * (drawn - under), np.float32)
        view.canvas.paste(image, result, np.maximum(moved, opacity > 0).astype(np.float32))

    def _white(self, view: TargetFace) -> float:
        """Brightest value of the target's skin, in [0, 255]."""
        bright = np.exp(max_channel(view.fine_colours))[(view.visible_skin > 0.5) & self.surface.plain]
        white = min(255.0, 255 * 1.08 * np.percentile(bright, 99.5)) if len(bright) > 50 else 255.0
        return float(view.memory("white", np.asarray(white, np.float32), _GAIN_SHARE))

    def _new_shape(self, view: TargetFace, face: Faces) -> Float32:
        """Surface of the new face in the target's pose and expression: (K, 3) canvas px."""
        if not self._share:
            return view.shape
        identity = (1 - self._share) * face.identity + self._share * self.source.identity
        shape = view.canvas.points(self.surface.project(face, identity)[0])
        shift = np.average(view.shape - shape, axis=0, weights=self.surface.core)
        return np.asarray(shape + shift, np.float32)

    def _warped(self, view: TargetFace, raster: Raster, shift: Float32) -> tuple[Float32, Float32, Float32]:
        """Warp the target so that its outline follows the new shape.

        Returns:
            (h, w, 3) the target's pixels and (h, w) the occluders, warped; (h, w) 1 where anything has moved.
        """
        image = view.image.astype(np.float32)
        height, width = view.canvas.size
        if not self._share:
            return image, view.occluder, np.zeros((height, width), np.float32)
        size = max(2, width // _COARSE), max(2, height // _COARSE)
        mask = raster.mask.astype(np.float32)
        inside = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(shift, size, interpolation=cv2.INTER_AREA)
        reach = 0.06 * view.size / _COARSE
        # Normalised convolution extends the displacement beyond the face, where it fades out.
        spread, mass = cv2.GaussianBlur(coarse, (0, 0), reach), cv2.GaussianBlur(inside, (0, 0), reach)
        spread = spread / np.maximum(mass, 1e-3)[..., None]
        fade = smoothstep(np.asarray(mass, np.float32), 0.01, 0.35)
        border = np.minimum.outer(*(np.minimum(np.arange(n), np.arange(n)[::-1]) for n in inside.shape))
        fade = fade * smoothstep(border, 0, 2)
        flow = cv2.resize(spread * fade[..., None], (width, height), interpolation=cv2.INTER_LINEAR)
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        x, y = columns + flow[..., 0], rows + flow[..., 1]
        moved = (np.maximum(np.abs(flow[..., 0]), np.abs(flow[..., 1])) > 0.02).astype(np.float32)
        under = cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        occluder = cv2.remap(view.occluder, x, y, cv2.INTER_LINEAR)
        return np.asarray(under, np.float32), np.asarray(occluder, np.float32), moved


def _compress_highlights(colours: Float32, white: float) -> Float32:
    """Compress colours in [0, inf) above 0.8 `white` exponentially so that they stay below `white`, in place."""
    knee = 0.8 * white
    headroom = white - knee
    bright = colours > knee
    colours[bright] = white - headroom * np.exp((knee - colours[bright]) / headroom)
    return colours
