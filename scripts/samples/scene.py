"""The empty scene, the phone's camera and the ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import denoise
import numpy as np
from mathutils import Vector
from nodes import Tree

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
    albedo, normal = ((takes[0][index] + takes[1][index]) / 2 for index in (1, 2))
    smooth = denoise.denoised(takes[0][0], takes[1][0], albedo, normal)
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
    thing.location = Vector(target) + way * distance
    look = (-way).to_track_quat("-Z", "Y").to_matrix().to_4x4()
    thing.matrix_world = look
    thing.location = Vector(target) + way * distance
    thing.rotation_euler.rotate_axis("Z", np.radians(roll))
    scene = bpy.context.scene
    scene.camera = thing
    scene.view_settings.exposure = exposure


def ground(material: Any, size: float = 3.0, edge: float | None = None, turn: float = 0.0) -> Any:
    """Lay a floor of `size` metres at z = 0, turned by `turn` degrees, or a table whose far edge is at y = `edge`."""
    bpy.ops.mesh.primitive_plane_add(size=size, location=(0, 0 if edge is None else edge - size / 2, 0))
    plane = bpy.context.object
    plane.rotation_euler[2] = np.radians(turn)
    plane.data.materials.append(material)
    return plane


def desk() -> Any:
    """Return a white laminate desk: hardly any pattern, faint smears in its gloss."""
    material = bpy.data.materials.new("desk")
    tree = Tree(material)
    place = tree.where()
    cloud = tree.noise(place, 2.2, 3)
    grain = tree.noise(place, 900, 2)
    colour = tree.mix(cloud, (0.72, 0.71, 0.69, 1), (0.80, 0.79, 0.77, 1))
    colour = tree.mix(tree.math("MULTIPLY", grain, 0.09), colour, (0.45, 0.43, 0.40, 1))
    smear = tree.noise(tree.stretched(place, 6, 1.2, 1), 9, 6, 0.62)
    rough = tree.add("MapRange", {"Value": smear, 1: 0.3, 2: 0.7, 3: 0.30, 4: 0.48}).outputs[0]
    normal = tree.bump(grain, 0.00005, 0.4)
    tree.surface(
        tree.add("BsdfPrincipled", {"Base Color": colour, "Roughness": rough, "Specular": 0.35, "Normal": normal})
    )
    return material


def wood(tone: float = 1.0, plank: float = 0.12, gloss: float = 0.42) -> Any:
    """Return oiled planks that run along x: `plank` metres wide, `tone` 1 for light oak and less for darker."""
    material = bpy.data.materials.new("wood")
    tree = Tree(material)
    place = tree.where()
    brick = tree.add(
        "TexBrick",
        {
            "Vector": place,
            "Scale": 1.0,
            "Brick Width": plank * 8,
            "Row Height": plank,
            "Mortar Size": 0.0007,
            "Mortar Smooth": 0.3,
            "Bias": 0.0,
            "Color1": (0, 0, 0, 1),
            "Color2": (1, 1, 1, 1),
            "Mortar": (0.5, 0.5, 0.5, 1),
        },
        offset=0.37,
    )
    board, joint = brick.outputs["Color"], brick.outputs["Fac"]
    moved = tree.add("VectorMath", {0: board, 1: (7.3, 3.1, 5.7)}, operation="MULTIPLY").outputs[0]
    place = tree.add("VectorMath", {0: place, 1: moved}, operation="ADD").outputs[0]
    flow = tree.noise(tree.stretched(place, 1.1, 9, 1), 1.6, 3, 0.45, Distortion=0.6)
    rings = tree.math("FRACT", tree.math("MULTIPLY", flow, 13.0))
    rings = tree.math("POWER", tree.math("ABSOLUTE", tree.math("SUBTRACT", rings, 0.5)), 1.4)
    fibre = tree.noise(tree.stretched(place, 5, 210, 1), 2.4, 5, 0.65)
    pore = tree.noise(tree.stretched(place, 14, 520, 1), 2.1, 2, 0.5)
    light = [0.56 * tone, 0.37 * tone**1.15, 0.205 * tone**1.3, 1]
    dark = [0.30 * tone, 0.165 * tone**1.15, 0.078 * tone**1.3, 1]
    colour = tree.mix(tree.math("MULTIPLY_ADD", rings, 0.85, tree.math("MULTIPLY", fibre, 0.35)), light, dark)
    tint = tree.add("MapRange", {"Value": board, 3: 0.86, 4: 1.12}).outputs[0]
    colour = tree.add("HueSaturation", {"Color": colour, "Value": tint, "Saturation": 0.92}).outputs[0]
    pores = tree.add("MapRange", {"Value": pore, 1: 0.60, 2: 0.72}).outputs[0]
    colour = tree.mix(tree.math("MULTIPLY", pores, 0.55), colour, dark, "MULTIPLY")
    colour = tree.mix(joint, colour, (0.03, 0.018, 0.01, 1))
    relief = tree.math("SUBTRACT", tree.math("MULTIPLY", fibre, 0.4), tree.math("MULTIPLY_ADD", joint, 4, pores))
    rough = tree.math("MULTIPLY_ADD", fibre, 0.22, gloss - 0.1)
    normal = tree.bump(relief, 0.00012, 0.6)
    tree.surface(
        tree.add("BsdfPrincipled", {"Base Color": colour, "Roughness": rough, "Specular": 0.4, "Normal": normal})
    )
    return material


def concrete(tone: float = 1.0) -> Any:
    """Return smooth outdoor concrete with stains, sand grains and pores."""
    material = bpy.data.materials.new("concrete")
    tree = Tree(material)
    place = tree.where()
    stain = tree.noise(place, 2.6, 8, 0.6)
    mottle = tree.noise(place, 28, 8, 0.65)
    grain = tree.noise(place, 620, 3, 0.7)
    low, high = [0.33 * tone, 0.32 * tone, 0.295 * tone, 1], [0.52 * tone, 0.505 * tone, 0.475 * tone, 1]
    colour = tree.mix(tree.math("MULTIPLY_ADD", stain, 0.75, tree.math("MULTIPLY", mottle, 0.35)), low, high)
    speck = tree.add("MapRange", {"Value": grain, 1: 0.36, 2: 0.68}).outputs[0]
    colour = tree.mix(0.36, colour, tree.ramp(speck, (0, (0.18, 0.17, 0.15, 1)), (1, (0.75, 0.73, 0.7, 1))), "OVERLAY")
    pits = tree.add("TexVoronoi", {"Vector": place, "Scale": 85.0, "Randomness": 1.0}).outputs["Distance"]
    few = tree.add("MapRange", {"Value": tree.noise(place, 37, 2), 1: 0.58, 2: 0.66, 3: 0.0, 4: 0.2}).outputs[0]
    pit = tree.math("LESS_THAN", pits, few)
    colour = tree.mix(tree.math("MULTIPLY", pit, 0.6), colour, (0.10, 0.095, 0.085, 1))
    relief = tree.math("SUBTRACT", tree.math("MULTIPLY_ADD", mottle, 1.2, grain), tree.math("MULTIPLY", pit, 1.5))
    tree.surface(
        tree.add(
            "BsdfPrincipled",
            {"Base Color": colour, "Roughness": 0.86, "Specular": 0.3, "Normal": tree.bump(relief, 0.0007, 0.7)},
        )
    )
    return material


def linoleum(base: tuple[float, float, float] = (0.60, 0.56, 0.49)) -> Any:
    """Return a flecked floor of dull gloss."""
    material = bpy.data.materials.new("linoleum")
    tree = Tree(material)
    place = tree.where()
    marble = tree.noise(tree.stretched(place, 1, 2.2, 1), 17, 7, 0.62, Distortion=1.4)
    fleck = tree.noise(place, 210, 3, 0.6)
    colour = tree.mix(marble, [c * 0.84 for c in base] + [1], [min(1, c * 1.14) for c in base] + [1])
    flecks = tree.add("MapRange", {"Value": fleck, 1: 0.62, 2: 0.72}).outputs[0]
    colour = tree.mix(tree.math("MULTIPLY", flecks, 0.4), colour, (0.33, 0.29, 0.24, 1))
    scuff = tree.noise(tree.stretched(place, 3, 1, 1), 5, 7, 0.66)
    rough = tree.add("MapRange", {"Value": scuff, 1: 0.3, 2: 0.7, 3: 0.34, 4: 0.58}).outputs[0]
    normal = tree.bump(tree.noise(place, 70, 4), 0.0003, 0.25)
    tree.surface(
        tree.add("BsdfPrincipled", {"Base Color": colour, "Roughness": rough, "Specular": 0.4, "Normal": normal})
    )
    return material
