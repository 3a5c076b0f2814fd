"""Writes faces as USDZ: a textured head with the 52 ARKit blendshapes as UsdSkel targets (extra `usd`).

Convention:
    As in GLB: metres, y up, x right, z out of the face. The identity is in the mesh, the expression in the weights
    of the blendshapes, the pose in the transform of the head.
"""

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ddfa.errors import OutputError, reason
from ddfa.export.glb import METRES, STILL
from ddfa.faces import Faces
from ddfa.files import write_atomically
from ddfa.head.model import HeadModel
from ddfa.raster.rasterize import vertex_normals
from ddfa.texture.unwrap import Texture


def write_usdz(path: Path, faces: Faces, texture: Texture) -> None:
    """Write a face as USDZ.

    Args:
        path: the file.
        faces: one face of the open head.
        texture: of the face.

    Raises:
        ModelError: the head model has no blendshapes or no texture map.
        OutputError: the file cannot be written.
        ValueError: `faces` is not one face.
    """
    from pxr import Sdf, Tf, UsdUtils

    if len(faces) != 1:
        raise ValueError(f"a USDZ has one face, not {len(faces)}: write one file per face")
    faces.head.require_arkit("USD")
    faces.head.require_texture("USD")
    try:
        with tempfile.TemporaryDirectory() as folder:
            scene, package = Path(folder, "head.usdc"), Path(folder, "head.usdz")
            Path(folder, "texture.png").write_bytes(cv2.imencode(".png", texture.image[..., ::-1])[1].tobytes())
            stage = _stage(scene, faces)
            stage.GetRootLayer().Save()
            if not UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(scene)), str(package)):
                raise OutputError(
                    f"{path} cannot be written: packing it failed, is the folder for temporary files full?"
                )
            content = package.read_bytes()
    except (OSError, Tf.ErrorException) as error:
        raise OutputError(
            f"{path} cannot be written ({reason(error)}): is the folder for temporary files full?"
        ) from None
    write_atomically(path, content)


def _stage(scene: Path, faces: Faces) -> Any:
    """The scene: /head, which has the pose, with the mesh, its blendshapes, their weights and the material."""
    from pxr import Gf, Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.CreateNew(str(scene))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = UsdSkel.Root.Define(stage, "/head")
    stage.SetDefaultPrim(root.GetPrim())
    pose = np.eye(4)
    pose[:3, :3] = faces.rotation[0].T  # USD multiplies row vectors
    root.AddTransformOp().Set(Gf.Matrix4d(pose.tolist()))
    mesh = _mesh(stage, faces)
    _blendshapes(stage, mesh, faces)
    _material(stage, mesh)
    return stage


def _mesh(stage: Any, faces: Faces) -> Any:
    from pxr import Sdf, UsdGeom, Vt

    head = faces.head
    assert head.uv is not None and head.uv_triangles is not None
    shape = faces.neutral_vertices[0] * np.float32(METRES)
    mesh = UsdGeom.Mesh.Define(stage, "/head/mesh")
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(shape, np.float32)))
    mesh.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([shape.min(axis=0), shape.max(axis=0)])))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(head.triangles), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(head.triangles.ravel().astype(np.int32)))
    normals = np.ascontiguousarray(vertex_normals(shape, head.triangles), np.float32)
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(normals))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    place = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar(
        "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying
    )
    place.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(head.uv, np.float32)))
    place.SetIndices(Vt.IntArray.FromNumpy(head.uv_triangles.ravel().astype(np.int32)))
    return mesh


def _blendshapes(stage: Any, mesh: Any, faces: Faces) -> None:
    """Add the targets and what UsdSkel requires to animate them: a skeleton with one joint, and an animation."""
    from pxr import Gf, Sdf, UsdSkel, Vt

    names = list(faces.head.expression_names)
    still = Vt.Matrix4dArray([Gf.Matrix4d(1)])
    skeleton = UsdSkel.Skeleton.Define(stage, "/head/skeleton")
    skeleton.CreateJointsAttr(["head"])
    skeleton.CreateBindTransformsAttr(still)
    skeleton.CreateRestTransformsAttr(still)
    animation = UsdSkel.Animation.Define(stage, "/head/expression")
    animation.CreateBlendShapesAttr(names)
    animation.CreateBlendShapeWeightsAttr(Vt.FloatArray.FromNumpy(faces.blendshapes[0].astype(np.float32)))
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    binding.CreateJointIndicesPrimvar(True, 1).Set(Vt.IntArray([0]))
    binding.CreateJointWeightsPrimvar(True, 1).Set(Vt.FloatArray([1.0]))
    binding.CreateBlendShapesAttr(names)
    targets = [Sdf.Path(f"/head/mesh/{name}") for name in names]
    binding.CreateBlendShapeTargetsRel().SetTargets(targets)
    for target, places, offsets in zip(targets, *_moves(faces.head), strict=True):
        shape = UsdSkel.BlendShape.Define(stage, target)
        shape.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(offsets))
        shape.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(places))


def _moves(head: HeadModel) -> tuple[list[Any], list[Any]]:
    """For each expression the vertices (K,) int32 that move, and their offsets (K, 3) float32 in metres."""
    offsets = head.expression_basis * np.float32(METRES)
    places = [np.flatnonzero(np.abs(offset).max(axis=1) > STILL).astype(np.int32) for offset in offsets]
    return places, [
        np.ascontiguousarray(offset[kept], np.float32) for offset, kept in zip(offsets, places, strict=True)
    ]


def _material(stage: Any, mesh: Any) -> None:
    from pxr import Sdf, UsdShade

    types = Sdf.ValueTypeNames
    material = UsdShade.Material.Define(stage, "/head/skin")
    surface, texture, place = (
        UsdShade.Shader.Define(stage, f"/head/skin/{name}") for name in ("surface", "texture", "place")
    )
    place.CreateIdAttr("UsdPrimvarReader_float2")
    place.CreateInput("varname", types.String).Set("st")
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", types.Asset).Set("texture.png")
    texture.CreateInput("sourceColorSpace", types.Token).Set("sRGB")
    texture.CreateInput("wrapS", types.Token).Set("clamp")
    texture.CreateInput("wrapT", types.Token).Set("clamp")
    texture.CreateInput("st", types.Float2).ConnectToSource(place.CreateOutput("result", types.Float2))
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", types.Float).Set(0.65)
    surface.CreateInput("diffuseColor", types.Color3f).ConnectToSource(texture.CreateOutput("rgb", types.Float3))
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", types.Token))
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(material)
