"""Replaces a face in an image by the face of another person."""

from typing import Final, Literal

import cv2
import numpy as np

from ddfa.arrays import Float32, UInt8
from ddfa.errors import DDFAError
from ddfa.faces import Faces
from ddfa.images import SyntheticImage
from ddfa.occlusion.skin_colour import ColourBasis, brightness, log_colours, max_channel
from ddfa.occlusion.temporal import TemporalState
from ddfa.raster.blending import smoothstep
from ddfa.raster.rasterize import Raster, interpolate, rasterize
from ddfa.replace.appearance.noise import match_noise
from ddfa.replace.appearance.skin_texture import SKIN_LEVEL
from ddfa.replace.eyes import eyes_of, openness
from ddfa.replace.source import Source
from ddfa.replace.suitability import Suitability, suitability
from ddfa.replace.target import TargetFace
from ddfa.texture.atlas import atlas_pixels

Shape = Literal["source", "target", "blend"]
_SHARES: Final[dict[str, float]] = {"source": 1.0, "blend": 0.5, "target": 0.0}
_CONTRAST: Final = 1.15  # allowed contrast of the new face relative to the old one; slightly more looks natural
_EYE_SHARE: Final = 0.5  # the same of the eyes' opacity, which blinking changes
_GAIN_SHARE: Final = 0.15  # weight of one frame in the running mean of the colour transfer
_KEPT: Final = (0.35, 1.0)  # range of the factor on the source's contrast: it is never amplified
_KEPT_FEATURES: Final = 0.85  # its least value on brows, eyes and lips, which differ from skin in any light
_WHITES: Final = 70  # percentile of the brightness of an eye that is taken as its white
_LEAST_EYE_PX: Final = 12  # of smaller eyes the white is not measured
_MOST: Final = 1.5  # largest change of the whites, log units
_COARSE: Final = 8  # canvas px per cell of the displacement field


class Replacer:
    """Replaces faces by the face of one source.

    The source's texture is rendered in the target's pose and expression, its colours are transferred to the target's
    illumination, its noise is matched, and it is composited under whatever occludes the target.

    Args:
        source: the source face.
        shape: the head shape of the result: the source's, the target's or their mean; or the share of the source's
            shape, 0 to 1.
        limit: longest side in px at which a face is rendered; larger faces are rendered smaller and enlarged.

    Raises:
        DDFAError: there is no such shape.
    """

    def __init__(self, source: Source, shape: Shape | float = "blend", limit: int = 1024) -> None:
        self.source, self.surface, self.limit = source, source.surface, limit
        self._share = share_of_shape(shape)
        self.colour_basis = ColourBasis(source.surface)
        self._pixels = atlas_pixels(self.surface.uv, source.texture.shape[0])
        self._eyes = eyes_of(self.surface)
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

    def suitability(self, image: UInt8, face: Faces) -> Suitability:
        """Estimate how good the replacement of one face will be, see `ddfa.replace.suitability`.

        Args:
            image: (H, W, 3) uint8 RGB.
            face: one face of it.
        """
        view = TargetFace.of(self.surface, self.colour_basis, image, face, self.limit)
        return suitability(self.source, face, view)

    def draw(self, synthetic: SyntheticImage, face: Faces, memory: TemporalState | None = None) -> None:
        """Replace one face in place.

        Args:
            synthetic: the image to draw into.
            face: one face of it.
            memory: state of the same face over the previous frames, for a video.
        """
        image, surface, source = synthetic.unmarked_pixels, self.surface, self.source
        view = TargetFace.of(surface, self.colour_basis, image, face, self.limit, memory)
        shape, balls = self._new_shape(view, face)
        # The source's skin has no light of its own: its smooth colour gives way to that of the target on the new shape.
        lit = view.lit(surface.normals(shape))
        keep = self._kept(view)
        level = source.smooth.mean(axis=1, keepdims=True)
        offset = lit - keep[:, :1] * level - keep[:, 1:] * (source.smooth - level)
        shift = view.shape[:, :2] - shape[:, :2]
        shares = view.memory("eyes", source.eyes * openness(face) * (not view.with_glasses), _EYE_SHARE)
        # Without the eyes of the source, the skin fades out at the edges of the lids.
        opacity = self._opacity * np.maximum(surface.beyond_lids, shares[(surface.mm[:, 0] < 0).astype(int)])
        skin_values = np.column_stack([offset, keep, opacity, shift])
        raster = rasterize(np.concatenate([shape, balls]), self._eyes.triangles, *view.canvas.size, cull=True)
        values = np.concatenate([skin_values, self._eye_values(lit, shift, shares)])
        fields = interpolate(raster, self._eyes.triangles, np.asarray(values, np.float32))
        pixels = interpolate(raster, self._eyes.uv_triangles, self._pixels)
        skin = log_colours(cv2.remap(source.texture, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR))
        tone = brightness(skin)[..., None]
        under, occluder, cast, moved = self._warped(view, raster, fields[..., 6:8])
        drawn = fields[..., 3:4] * tone + fields[..., 4:5] * (skin - tone) + fields[..., :3] + cast[..., None]
        self._match_eyes(drawn, under, raster, view)
        drawn = _compress_highlights(np.float32(255) * np.exp(drawn), self._white(view))
        # The rasteriser does not antialias: soften the outline.
        edge = np.clip(2 * cv2.blur(raster.mask.astype(np.float32), (5, 5)) - 1, 0, 1)
        opacity = fields[..., 5] * (1 - occluder) * edge
        drawn = match_noise(drawn, view.image, opacity > 0.9, view.memory)
        result = np.asarray(under + opacity[..., None] * (drawn - under), np.float32)
        view.canvas.paste(image, result, np.maximum(moved, opacity > 0).astype(np.float32))

    def _kept(self, view: TargetFace) -> Float32:
        """Factors (K, 2) on the source's contrast of brightness and hue: towards the target's, less so on features."""
        keep = np.clip(_CONTRAST * view.contrast / np.maximum(self.source.contrast, 1e-3), *_KEPT)
        features = self.surface.feature_weight[:, None]
        return np.asarray(keep + features * (np.maximum(keep, _KEPT_FEATURES) - keep), np.float32)

    def _white(self, view: TargetFace) -> float:
        """Brightest value of the target's skin, in [0, 255]."""
        bright = np.exp(max_channel(view.fine_colours))[(view.visible_skin > 0.5) & self.surface.plain]
        white = min(255.0, 255 * 1.08 * np.percentile(bright, 99.5)) if len(bright) > 50 else 255.0
        return float(view.memory("white", np.asarray(white, np.float32), _GAIN_SHARE))

    def _match_eyes(self, drawn: Float32, under: Float32, raster: Raster, view: TargetFace) -> None:
        """Bring the whites of the eyes to those of the target, in place: they do not have the tone of its skin."""
        side = np.where(raster.mask, self._eyes.ball_of_triangle[raster.triangle], -1)
        for number in range(2):
            where = side == number
            if np.count_nonzero(where) < _LEAST_EYE_PX:
                continue
            own, wanted = (np.percentile(a, _WHITES, axis=0) for a in (drawn[where], log_colours(under[where])))
            change = np.clip(wanted - own, -_MOST, _MOST).astype(np.float32)
            drawn[where] += view.memory(f"whites {number}", change, _GAIN_SHARE)

    def _eye_values(self, lit: Float32, shift: Float32, shares: Float32) -> Float32:
        """What is interpolated on the eyes (E, 8): they have the light and the displacement of their lids."""
        lids = self._eyes.lids
        offset = np.array([lit[near].mean(axis=0) - np.log(SKIN_LEVEL / 255) for near in lids])
        both = np.column_stack([offset, np.ones((2, 2)), shares, [shift[near].mean(axis=0) for near in lids]])
        return np.asarray(both[self._eyes.of_added], np.float32)

    def _new_shape(self, view: TargetFace, face: Faces) -> tuple[Float32, Float32]:
        """Surface (K, 3) and eyes (E, 3) of the new face in the target's pose and expression, canvas px."""
        if not self._share:
            return view.shape, view.canvas.points(self._eyes.project(face)[0])
        identity = (1 - self._share) * face.identity + self._share * self.source.identity
        shape = view.canvas.points(self.surface.project(face, identity)[0])
        balls = view.canvas.points(self._eyes.project(face, identity)[0])
        shift = np.average(view.shape - shape, axis=0, weights=self.surface.core)
        return np.asarray(shape + shift, np.float32), np.asarray(balls + shift, np.float32)

    def _warped(self, view: TargetFace, raster: Raster, shift: Float32) -> tuple[Float32, Float32, Float32, Float32]:
        """Warp the target so that its outline follows the new shape.

        Returns:
            (h, w, 3) the target's pixels, (h, w) the occluders and (h, w) cast light, warped; (h, w) 1 where anything
            has moved.
        """
        image = view.image.astype(np.float32)
        height, width = view.canvas.size
        if not self._share:
            return image, view.occluder, view.cast_light, np.zeros((height, width), np.float32)
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
        occluder, cast = (
            np.asarray(cv2.remap(a, x, y, cv2.INTER_LINEAR), np.float32) for a in (view.occluder, view.cast_light)
        )
        return np.asarray(under, np.float32), occluder, cast, moved


def share_of_shape(shape: str | float) -> float:
    """Share of the source's head shape, 0 to 1.

    Args:
        shape: one of `Shape`, or the share itself, also as text.

    Raises:
        DDFAError: it is neither.
    """
    try:
        share = _SHARES[shape] if shape in _SHARES else float(shape)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise DDFAError(f"--shape {shape}: give source, target, blend or a number from 0 to 1")
    return share


def _compress_highlights(colours: Float32, white: float) -> Float32:
    """Compress colours in [0, inf) above 0.8 `white` exponentially so that they stay below `white`, in place."""
    knee = 0.8 * white
    headroom = white - knee
    bright = colours > knee
    colours[bright] = white - headroom * np.exp((knee - colours[bright]) / headroom)
    return colours
