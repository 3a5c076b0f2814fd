"""Parts of a video become one file: every frame once, at its time."""

from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="needs the extra `video`")

from ddfa.errors import OutputError  # noqa: E402
from ddfa.video.io.frames import VideoWriter, open_video  # noqa: E402
from ddfa.video.io.joining import frames_in, join_videos  # noqa: E402


def _frame(number: int) -> np.ndarray:
    image = np.full((48, 64, 3), 20 + 9 * number, np.uint8)
    image[:, :20] = 200 - 7 * number
    return image


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_frames_keep_their_order_and_times(suffix: str, tmp_path: Path) -> None:
    lengths, times = [7, 1, 9], [k / 25 + 0.004 * (k % 3) for k in range(17)]  # a variable rate
    parts, number = [], 0
    for length in lengths:
        path = tmp_path / f"{number}{suffix}"
        with VideoWriter(path, (64, 48), 25) as writer:
            for k in range(number, number + length):
                writer.write(_frame(k), times[k] - times[number])
        assert frames_in(path) == length
        parts.append((path, times[number]))
        number += length
    out, sealed = tmp_path / f"out{suffix}", []
    join_videos(out, parts, metadata={"comment": "a note"}, seal=lambda path: sealed.append(path.stat().st_size))
    with av.open(str(out)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
        shown = [(f.to_ndarray(format="rgb24"), f.time) for f in container.decode(video=0)]
    assert tags["comment"] == "a note" and sealed == [out.stat().st_size]
    assert len(shown) == 17 and np.allclose([time for _, time in shown], times, atol=0.0011)
    for k, (image, _) in enumerate(shown):
        assert abs(int(image[24, 50, 0]) - int(_frame(k)[24, 50, 0])) < 4


def test_audio_is_kept_up_to_the_last_frame(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
    part = tmp_path / "part.mp4"
    with VideoWriter(part, (64, 48), 25) as writer:
        for k in range(10):
            writer.write(_frame(k), k / 25)
    lengths = []
    for whole in (True, False):
        join_videos(tmp_path / "out.mp4", [(part, 0.0), (part, 0.4)], audio=sound, whole=whole)
        with av.open(str(tmp_path / "out.mp4")) as container:
            lengths.append(sum(f.samples for f in container.decode(audio=0)) / 8000)
    assert lengths[0] == pytest.approx(2, abs=0.2) and lengths[1] == pytest.approx(0.8, abs=0.2)
    assert len(list(open_video(tmp_path / "out.mp4"))) == 20


def test_a_damaged_part_leaves_what_was_there(tmp_path: Path) -> None:
    part, out = tmp_path / "part.mp4", tmp_path / "out.mp4"
    part.write_bytes(b"not a video")
    out.write_bytes(b"an older file")
    with pytest.raises(OutputError, match=r"cannot be read|cannot write"):
        join_videos(out, [(part, 0.0)])
    with pytest.raises(OutputError, match=r"part\.mp4 cannot be read"):
        frames_in(part)
    assert out.read_bytes() == b"an older file" and len(list(tmp_path.iterdir())) == 2
