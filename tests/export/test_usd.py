import numpy as np
import pytest

from ddfa.errors import ModelError, OutputError
from ddfa.export.usd import write_usdz
from ddfa.head.model import HeadModel
from ddfa.texture.unwrap import Texture

from ..face_factory import place_faces

pytest.importorskip("pxr", reason="needs usd-core, the extra 'usd'")


@pytest.fixture(scope="module")
def face():
    return place_faces(HeadModel.load(), [(20.0, 0.0, 0.0)])


@pytest.fixture(scope="module")
def texture():
    return Texture(np.full((32, 32, 3), 120, np.uint8), np.ones((32, 32), np.float32))


def test_it_opens_and_moves_as_the_head_does(face, texture, tmp_path):
    from pxr import Usd, UsdGeom, UsdSkel

    write_usdz(tmp_path / "a.usdz", face, texture)
    stage = Usd.Stage.Open(str(tmp_path / "a.usdz"))
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1
    head = stage.GetDefaultPrim()
    np.testing.assert_allclose(
        np.array(UsdGeom.Xformable(head).GetLocalTransformation())[:3, :3], face.rotation[0].T, atol=1e-6
    )
    picture = stage.GetPrimAtPath("/head/skin/texture").GetAttribute("inputs:file").Get()
    assert picture.resolvedPath
    weights = np.zeros(52, np.float32)
    weights[[3, 24]] = 1
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/head/expression"))
    assert list(animation.GetBlendShapesAttr().Get()) == list(face.head.expression_names)
    animation.GetBlendShapeWeightsAttr().Set(weights.tolist())
    assert UsdSkel.BakeSkinning(UsdSkel.Root(head))
    moved = np.array(UsdGeom.Mesh(stage.GetPrimAtPath("/head/mesh")).GetPointsAttr().Get(1.0))
    np.testing.assert_allclose(moved, face.head.decode(face.identity, weights[None])[0] / 1000, atol=5e-5)


def test_what_cannot_be_written_leaves_nothing(face, texture, toy_head, tmp_path):
    with pytest.raises(OutputError, match="another place"):
        write_usdz(tmp_path / "missing" / "a.usdz", face, texture)
    with pytest.raises(ModelError, match="open head"):
        write_usdz(tmp_path / "b.usdz", place_faces(toy_head), texture)
    with pytest.raises(ValueError, match="one face"):
        write_usdz(tmp_path / "b.usdz", place_faces(face.head, [(0.0, 0.0, 0.0)] * 2), texture)
    assert not list(tmp_path.iterdir())
