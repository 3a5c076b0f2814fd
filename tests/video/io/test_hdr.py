"""HDR and wide-gamut videos become BT.709."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ddfa.video.io.frames import open_video
from ddfa.video.io.hdr import USUAL_PEAK, WHITE, Colours, ToneMapper, pq_light, pq_signal, to_sdr
from ddfa.video.io.writer import VideoWriter

from ..conftest import av

ALL = [Colours("pq", True), Colours("pq", False, 4000.0), Colours("hlg", True), Colours("sdr", True)]
unit = st.floats(0, 1, width=32)
BT2020 = np.linalg.inv([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])


def sdr_patches() -> np.ndarray:
    """Six patches of saturated and skin colours, R'G'B' of BT.709, at most 60 % of white."""
    return np.array([[0.6, 0.1, 0.1], [0.1, 0.5, 0.1], [0.1, 0.1, 0.6], [0.6, 0.45, 0.38], [0.3, 0.2, 0.15], [0.5] * 3])


def as_hdr(patches: np.ndarray, transfer: str) -> np.ndarray:
    """The same colours, as BT.2408 maps SDR into HDR."""
    light = WHITE * patches**2.4 @ BT2020.T
    if transfer == "pq":
        return pq_signal(light)
    luminance = (light / 1000) @ [0.2627, 0.6780, 0.0593]
    scene = light / 1000 * luminance[:, None] ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-3)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


@given(arrays(np.float64, 5, elements=unit))
def test_pq_and_back(signal: np.ndarray) -> None:
    np.testing.assert_allclose(pq_signal(pq_light(signal)), signal, atol=1e-5)


def test_values_of_the_standards() -> None:
    """ST 2084: 58.1 % is 203 cd/m²; BT.2408: 75 % of HLG is reference white."""
    np.testing.assert_allclose(pq_light([0.5806, 1.0]), [203, 10000], rtol=2e-3)
    grey = to_sdr(np.full((1, 3), 0.75), Colours("hlg", False))
    np.testing.assert_allclose(grey, to_sdr(np.full((1, 3), pq_signal(203.0)), Colours("pq", False)), atol=3e-3)
    for colours in ALL:
        peak = pq_signal(colours.peak) if colours.transfer == "pq" else 1.0
        np.testing.assert_allclose(to_sdr(np.full(3, peak), colours), 1.0, atol=2e-3)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_below_the_knee_colours_are_those_of_the_sdr_version(transfer: str) -> None:
    mapped = to_sdr(as_hdr(sdr_patches(), transfer), Colours(transfer, True))
    np.testing.assert_allclose(mapped, sdr_patches(), atol=0.005)


@given(st.sampled_from(ALL), unit, unit)
def test_greys_stay_grey_and_ordered(colours: Colours, first: float, second: float) -> None:
    low, high = to_sdr(np.array([[min(first, second)] * 3, [max(first, second)] * 3]), colours)
    assert np.ptp(low) < 2e-3 and np.ptp(high) < 2e-3 and (low <= high + 1e-9).all()


@pytest.mark.parametrize("colours", ALL)
def test_tables_agree_with_the_formulas(colours: Colours) -> None:
    rng = np.random.default_rng(0)
    grey = rng.uniform(0, 65535, (64, 64, 1)) + rng.normal(0, 1500, (64, 64, 3))
    frame = np.concatenate([grey, rng.uniform(0, 65535, (64, 64, 3))]).clip(0, 65535).astype(np.uint16)
    frame[0, :2] = [[0] * 3, [65535] * 3]
    error = np.abs(ToneMapper(colours)(frame) - 255 * to_sdr(frame / 65535, colours))
    assert np.percentile(error, 99) < 1.0 and error.mean() < 0.35


def write_hdr(path: Path, patches: np.ndarray, transfer: int, options: dict[str, str] | None = None) -> Path:
    """Stripes of the given signals as 10-bit BT.2020."""
    codec = "libx265" if options else "libx264"
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    picture = np.rint(65535 * patches).astype(np.uint16).repeat(16, axis=0)[None].repeat(64, axis=0)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb48le")
    ten_bits = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "4", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, transfer, 9, 1
        for number in range(3):
            ten_bits.pts = number
            container.mux(stream.encode(ten_bits))
        container.mux(stream.encode(None))
    return path


def stripes(image: np.ndarray) -> np.ndarray:
    """Mean colour of the middle of each stripe, in [0, 1]."""
    columns = image.reshape(64, len(sdr_patches()), 16, 3)[:, :, 5:11]
    return columns.mean(axis=(0, 2)) / 255


@pytest.mark.parametrize(("transfer", "code"), [("pq", 16), ("hlg", 18)])
def test_a_file_is_read_as_sdr_and_written_with_true_tags(tmp_path: Path, transfer: str, code: int) -> None:
    video = open_video(write_hdr(tmp_path / "hdr.mp4", as_hdr(sdr_patches(), transfer), code))
    frames = list(video)
    assert len(frames) == 3
    np.testing.assert_allclose(stripes(frames[0].image), sdr_patches(), atol=0.03)
    with VideoWriter(tmp_path / "sdr.mp4", video.size, video.fps) as writer:
        for frame in frames:
            writer.write(frame.image, frame.time)
    with av.open(str(tmp_path / "sdr.mp4")) as written:
        context = written.streams.video[0].codec_context
        assert (context.color_trc, context.color_primaries, context.colorspace, context.pix_fmt) == (1, 1, 1, "yuv420p")
    np.testing.assert_allclose(stripes(next(iter(open_video(tmp_path / "sdr.mp4"))).image), sdr_patches(), atol=0.04)


def test_sdr_with_bt2020_primaries(tmp_path: Path) -> None:
    wide = ((sdr_patches() ** 2.4) @ BT2020.T) ** (1 / 2.4)
    video = open_video(write_hdr(tmp_path / "wide.mp4", wide, 14))
    np.testing.assert_allclose(stripes(next(iter(video)).image), sdr_patches(), atol=0.03)


def test_the_peak_is_that_of_the_metadata(tmp_path: Path) -> None:
    """A highlight of 400 cd/m² is white in a video that has nothing brighter."""
    grey = np.repeat(pq_signal(np.array([400.0, 400, 400, 20, 20, 20]))[:, None], 3, 1)
    options = {"x265-params": "max-cll=400,100:log-level=none:hdr10=1"}
    with_peak = open_video(write_hdr(tmp_path / "cll.mp4", grey, 16, options))
    without = open_video(write_hdr(tmp_path / "plain.mp4", grey, 16))
    assert stripes(next(iter(with_peak)).image)[1].min() > 0.985
    assert 0.94 < stripes(next(iter(without)).image)[1].mean() < 0.985
    assert USUAL_PEAK == 1000
