"""The contact sheet of a head model."""

import dataclasses

import numpy as np
import pytest

from ddfa.commands.head import show
from ddfa.draw.head_sheet import View, draw_head, head_contact_sheet
from ddfa.errors import ModelError
from ddfa.head.model import HeadModel
from ddfa.images import read_image


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel.load()


def test_the_mean_is_drawn_symmetric(head):
    image = draw_head(head, size=160).astype(int)
    drawn = (image < 250).any(axis=2)
    assert 0.1 < drawn.mean() < 0.9 and not drawn[:, [0, -1]].any()
    assert (drawn != drawn[:, ::-1]).mean() < 0.005


def test_expressions_and_views_change_the_picture(head):
    neutral = draw_head(head, size=120).astype(int)
    smile = np.eye(52)[head.expression_names.index("mouthSmileLeft")]
    smiling = draw_head(head, expression=smile, size=120).astype(int)
    changed = np.abs(smiling - neutral).sum(axis=(0, 2))
    assert changed[60:].sum() > 3 * changed[:60].sum() > 0  # the subject's left is at the image right
    assert np.abs(draw_head(head, view=View(90), size=120) - neutral).sum() > 0


def test_sheet_of_a_small_model(toy_head):
    sheet = head_contact_sheet(toy_head, tile=64)
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 8 * 64 and sheet.shape[0] % 64 == 0


def test_command_writes_the_picture(toy_head, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(HeadModel, "load", staticmethod(lambda path=None: toy_head))
    assert show(tmp_path / "sheet.png") == 0
    assert read_image(tmp_path / "sheet.png").shape[2] == 3
    assert "5 identity modes" in capsys.readouterr().out


def test_model_without_triangles(toy_head):
    bare = dataclasses.replace(toy_head, triangles=np.zeros((0, 3), np.int32), uv=None, uv_triangles=None)
    with pytest.raises(ModelError, match="no triangles to draw"):
        head_contact_sheet(bare)
