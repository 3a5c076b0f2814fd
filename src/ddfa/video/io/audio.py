"""Copies the audio of one file to another, packet by packet."""

from typing import Final, TypeAlias

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from ddfa.video.io.source import AudioPart

AudioPacket: TypeAlias = "Packet[AudioStream]"

# Codecs that players support in each container; other audio is re-encoded, see `_ENCODERS`.
_COPIED: Final = {
    "mp4": ("aac", "mp3", "ac3", "opus"),
    "mov": ("aac", "mp3", "ac3", "pcm_s16le"),
    "matroska": ("aac", "mp3", "ac3", "opus", "vorbis", "flac", "pcm_s16le"),
    "webm": ("libopus", "opus", "vorbis"),
}
_ENCODERS: Final = {"webm": "libopus"}
_MICROSECONDS: Final = 1_000_000


class AudioCopy:
    """Copies the first audio stream of a file to another file; re-encodes it if the container does not support it.

    Args:
        source: the audio.
        output: the file to write; its other streams are already added, and nothing is muxed yet.
        container: FFmpeg's name of the output format.
    """

    def __init__(self, source: AudioPart, output: OutputContainer, container: str) -> None:
        self._input = av.open(str(source.path))
        self._start = (self._input.start_time or 0) / _MICROSECONDS + source.start
        self._cut = source.start > 0  # the file's own audio may begin before the video
        self._output = output
        self._stream = self._input.streams.audio[0]
        if source.start:
            self._input.seek(round(self._start * _MICROSECONDS))
        self._packets = self._input.demux(self._stream)
        self._resampler: AudioResampler | None = None
        self._waiting: AudioPacket | None = None  # read, but later than the video so far
        self._ended = False
        if self._stream.codec_context.name in _COPIED[container]:
            self._out: AudioStream = output.add_stream_from_template(self._stream)
        else:
            self._out = self._add_encoder(_ENCODERS.get(container, "aac"))

    def advance(self, until: float) -> None:
        """Copy the audio before a time.

        Args:
            until: seconds since it began.
        """
        while not self._ended:
            try:
                packet = next(self._packets) if self._waiting is None else self._waiting
                self._waiting = None
                if packet.dts is None or packet.pts is None:  # the demuxer's flush packet
                    continue
                time = float(packet.pts * packet.time_base) - self._start
                if time >= until:
                    self._waiting = packet
                    return
                if time >= 0 or not self._cut:
                    self._copy(packet)
            except StopIteration:
                self._ended = True
            except av.InvalidDataError:  # damaged audio must not stop the video
                continue

    def finish(self) -> None:
        """Flush the encoder and close the source."""
        if self._resampler is not None:
            for frame in self._resampler.resample(None):
                self._output.mux(self._out.encode(frame))
            self._output.mux(self._out.encode(None))
        self._input.close()

    def _add_encoder(self, codec: str) -> AudioStream:
        rate = 48000 if codec == "libopus" else self._stream.rate
        stream = self._output.add_stream(codec, rate=rate)
        if not isinstance(stream, AudioStream):
            raise ValueError(f"{codec} is no audio codec")
        context = stream.codec_context
        context.layout = "mono" if self._stream.channels == 1 else "stereo"
        context.open()
        self._resampler = AudioResampler(context.format, context.layout, rate, context.frame_size or None)
        return stream

    def _copy(self, packet: AudioPacket) -> None:
        if self._resampler is None:
            shift = round(self._start / float(packet.time_base))
            packet.pts, packet.dts = (packet.pts or 0) - shift, (packet.dts or 0) - shift
            packet.stream = self._out
            self._output.mux(packet)
            return
        for decoded in packet.decode():
            if decoded.pts is not None and decoded.time_base is not None:
                decoded.pts -= round(self._start / float(decoded.time_base))
            for frame in self._resampler.resample(decoded):
                self._output.mux(self._out.encode(frame))
