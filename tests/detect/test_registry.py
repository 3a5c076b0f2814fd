"""Detectors by name."""

import sys

import pytest

from ddfa.detect.registry import default_detector, load_detector
from ddfa.detect.yunet import YuNet
from ddfa.errors import DetectorError, ModelError


def test_yunet_is_the_default() -> None:
    assert isinstance(default_detector(), YuNet) and all(
        isinstance(load_detector(name), YuNet) for name in ("yunet", "yunet:exact")
    )


@pytest.mark.parametrize("name", ["retina", "", "yunet:file", "dlibs", "YuNet"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(DetectorError, match="choose yunet, yunet:exact, dlib"):
        load_detector(name)


def test_dlib_is_loaded_only_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    load_detector("yunet")
    with pytest.raises(DetectorError, match=r"openddfa\[dlib\]"):
        load_detector("dlib:landmarks.dat")


def test_threads_reach_the_network() -> None:
    with pytest.raises(ModelError, match="0 threads"):
        load_detector("yunet", threads=0)
