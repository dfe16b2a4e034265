"""The empty scene, the ground, the phone's camera and its film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import denoise
import numpy as np
from mathutils import Vector

# The camera of a common phone: a 1/1.3 inch sensor behind a 26 mm (equivalent) lens, f/1.9.
SENSOR = (9.8, 7.35)
FOCAL, STOP = 6.9, 1.9


def clear(samples: int, size: tuple[int, int], threads: int) -> None:
    """Start from nothing: Cycles on the CPU, `size` pixels, `samples` light paths a pixel."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "Filmic"
    scene.view_settings.look = "High Contrast"
    cycles = scene.cycles
    cycles.samples = samples
    cycles.use_adaptive_sampling = cycles.use_denoising = False
    scene.view_layers[0].cycles.denoising_store_passes = True
    cycles.max_bounces, cycles.transmission_bounces, cycles.transparent_max_bounces = 16, 16, 24
    cycles.diffuse_bounces, cycles.glossy_bounces = 3, 5
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.blur_glossy = 0.6
    cycles.sample_clamp_indirect = 4.0
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 1.4


def shoot(folder: Path, seed: int) -> Path:
    """Render twice, take the noise away and save a PNG in `folder` as the camera's film would show it."""
    scene = bpy.context.scene
    takes = [_passes(folder, seed * 2 + turn) for turn in (0, 1)]
    smooth = denoise.denoised(takes)
    high, wide, _ = smooth.shape
    film = bpy.data.images.new("film", wide, high, float_buffer=True)
    film.pixels.foreach_set(np.dstack([smooth, np.ones((high, wide))]).astype(np.float32).ravel())
    path = folder / "rendering.png"
    film.save_render(str(path), scene=scene)
    return path


def _passes(folder: Path, seed: int) -> list[Any]:
    """Render once; return linear colour, and the albedo and normal of what is seen, top row last."""
    scene = bpy.context.scene
    scene.cycles.seed = seed
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new("CompositorNodeRLayers")
    names = {"Image": "colour", "Denoising Albedo": "albedo", "Denoising Normal": "normal"}
    files = tree.nodes.new("CompositorNodeOutputFile")
    files.base_path = str(folder)
    files.format.file_format, files.format.color_depth, files.format.color_mode = "OPEN_EXR", "32", "RGB"
    files.file_slots.clear()
    for index, (source, name) in enumerate(names.items()):
        files.file_slots.new(f"{name}{seed}-")
        tree.links.new(layers.outputs[source], files.inputs[index])
    tree.links.new(layers.outputs["Image"], tree.nodes.new("CompositorNodeComposite").inputs[0])
    bpy.ops.render.render()
    arrays = []
    for name in names.values():
        image = bpy.data.images.load(str(next(folder.glob(f"{name}{seed}-*.exr"))))
        image.colorspace_settings.name = "Linear" if name == "colour" else "Non-Color"
        pixels = np.empty(image.size[0] * image.size[1] * 4, np.float32)
        image.pixels.foreach_get(pixels)
        arrays.append(pixels.reshape(image.size[1], image.size[0], 4)[..., :3])
    return arrays


def camera(
    target: tuple[float, float, float],
    distance: float,
    height: float,
    turn: float = -90.0,
    roll: float = 0.0,
    zoom: float = 1.0,
    exposure: float = 0.0,
    focus: float = 0.0,
) -> None:
    """Hold the phone.

    Parameters:
        target: what is in the middle of the picture (metres).
        distance: from the target to the lens (metres).
        height: angle above the ground (degrees); 90 looks straight down.
        turn: direction from the target to the camera in the ground's plane (degrees, -90 is -y).
        roll: tilt of the phone (degrees).
        zoom: the lens's focal length, as a multiple of the phone's main lens.
        exposure: stops.
        focus: how much nearer than the target the sharpest plane is (metres).
    """
    data = bpy.data.cameras.new("phone")
    data.sensor_width, data.sensor_height = SENSOR
    data.lens = FOCAL * zoom
    data.clip_start = 0.01
    data.dof.use_dof = True
    data.dof.aperture_fstop = STOP
    data.dof.focus_distance = distance - focus
    up, around = np.radians(height), np.radians(turn)
    way = Vector((np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)))
    thing = bpy.data.objects.new("phone", data)
    bpy.context.collection.objects.link(thing)
    thing.matrix_world = (-way).to_track_quat("-Z", "Y").to_matrix().to_4x4()
    thing.location = Vector(target) + way * distance
    thing.rotation_euler.rotate_axis("Z", np.radians(roll))
    scene = bpy.context.scene
    scene.camera = thing
    scene.view_settings.exposure = exposure


def ground(material: Any, size: float = 4.0, turn: float = 0.0) -> Any:
    """Lay a floor or table of `size` metres at z = 0, turned by `turn` degrees."""
    bpy.ops.mesh.primitive_plane_add(size=size)
    plane = bpy.context.object
    plane.rotation_euler[2] = np.radians(turn)
    plane.data.materials.append(material)
    return plane
