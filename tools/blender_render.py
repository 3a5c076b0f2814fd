"""Open a GLB of `ddfa align` or `ddfa video` in Blender and render it: a check of axes, units, textures and shape keys.

Needs Blender as a Python module (`pip install bpy`, for the Python version that it states); run it with that Python:

    python tools/blender_render.py head.glb head.png --set jawOpen=1 --yaw 30
"""

import argparse
import json
import math
from pathlib import Path

import bpy
from mathutils import Vector


def main() -> None:
    """Open, set shape keys, render, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("glb", type=Path)
    parser.add_argument("image", type=Path, help="PNG to write")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="shape keys, by default all 0")
    parser.add_argument("--yaw", type=float, default=0.0, help="of the camera around the head, degrees")
    parser.add_argument("--size", type=int, default=480, help="px")
    options = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(options.glb))
    meshes = [item for item in bpy.context.scene.objects if item.type == "MESH"]
    set_keys(meshes, {name: float(value) for name, value in (pair.split("=") for pair in options.set)})
    low, high = bounds(meshes)
    look_at(low, high, math.radians(options.yaw))
    render(options.image, options.size)
    keys = sorted({key.name for mesh in meshes if mesh.data.shape_keys for key in mesh.data.shape_keys.key_blocks})
    facts = {
        "meshes": [mesh.name for mesh in meshes],
        "vertices": sum(len(mesh.data.vertices) for mesh in meshes),
        "size_m": [round(value, 4) for value in high - low],
        "keys": [key for key in keys if key != "Basis"],
        "images": sorted(image.name for image in bpy.data.images if image.size[0]),
    }
    print(json.dumps(facts))


def set_keys(meshes: list, values: dict[str, float]) -> None:
    """Set shape keys by name on every mesh that has them; all others to 0."""
    for mesh in meshes:
        if mesh.data.shape_keys:
            for key in mesh.data.shape_keys.key_blocks[1:]:
                key.value = values.get(key.name, 0.0)


def bounds(meshes: list) -> tuple[Vector, Vector]:
    """The box around all meshes in the scene, m; Blender's axes: x right, y away from the viewer, z up."""
    corners = [mesh.matrix_world @ Vector(corner) for mesh in meshes for corner in mesh.bound_box]
    low, high = (Vector(pick(corner[k] for corner in corners) for k in range(3)) for pick in (min, max))
    return low, high


def look_at(low: Vector, high: Vector, yaw: float) -> None:
    """Put a camera before the face and two lights beside it."""
    centre, size = (low + high) / 2, (high - low).length
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens, camera.data.clip_start = 70, size / 100
    direction = Vector((math.sin(yaw), -math.cos(yaw), 0.0))
    camera.location = centre + direction * size * 1.8
    camera.rotation_euler = (-direction).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    for offset, energy in (((-1.0, -1.5, 1.0), 3.0), ((1.5, -1.0, 0.3), 1.5)):
        light = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
        light.data.energy = energy
        light.rotation_euler = (-Vector(offset)).to_track_quat("-Z", "Y").to_euler()
        bpy.context.scene.collection.objects.link(light)


def render(path: Path, size: int) -> None:
    """Render the scene with Cycles on the CPU."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", 24, False
    scene.render.threads_mode, scene.render.threads = "FIXED", 2
    scene.world = bpy.data.worlds.new("world")
    scene.world.color = (0.35, 0.35, 0.35)
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.film_transparent = True
    scene.render.filepath = str(path.resolve())
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
