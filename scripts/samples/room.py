"""The light: a panorama of an invented room with windows, so that shiny things have something to mirror."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from nodes import Tree

# Half the room's width and depth, height of floor and ceiling seen from the thing photographed (metres).
WIDE, DEEP, FLOOR, CEILING = 2.3, 2.9, -0.8, 1.6


def panorama(width: int = 1024, camera: float = -90.0) -> Any:
    """Paint the room as seen from the thing.

    Parameters:
        width: pixels; the height is half.
        camera: direction of the photographer, whose body keeps some light away (degrees).

    Returns:
        radiance, shape (width / 2, width, 3), bottom row first, in Blender's order of directions.
    """
    height = width // 2
    turn = (np.arange(width) + 0.5) / width * 2 * np.pi - np.pi
    lift = (np.arange(height) + 0.5) / height * np.pi - np.pi / 2
    turn, lift = np.meshgrid(turn, lift)
    # The middle of Blender's equirectangular map is +x, and the angle falls to the right.
    way = np.stack([np.cos(lift) * np.cos(turn), -np.cos(lift) * np.sin(turn), np.sin(lift)], axis=-1)
    way[np.abs(way) < 1e-6] = 1e-6
    reach = np.stack(
        [
            WIDE / np.abs(way[..., 0]),
            DEEP / np.abs(way[..., 1]),
            np.where(way[..., 2] > 0, CEILING / way[..., 2], FLOOR / way[..., 2]),
        ],
        axis=-1,
    )
    wall = np.argmin(reach, axis=-1)
    hit = way * np.min(reach, axis=-1)[..., None]
    x, y, z = hit[..., 0], hit[..., 1], hit[..., 2]
    from_window = np.linalg.norm(hit - np.array([-WIDE, 0.2, 0.6]), axis=-1)
    colour = (np.array([0.86, 0.84, 0.80]) * (0.12 + 1.3 / (1.0 + from_window**2))[..., None]).astype(float)
    floor = (wall == 2) & (z < 0)
    colour[floor] *= np.array([0.55, 0.42, 0.30])
    door = (wall == 1) & (y > 0) & (np.abs(x - 0.9) < 0.45) & (z < 1.1)
    colour[door] *= np.array([0.45, 0.36, 0.28])
    shelf = (wall == 0) & (x > 0) & (np.abs(y + 0.6) < 0.8) & (z < 0.9)
    colour[shelf] *= np.where((np.floor(z[shelf] * 3.3) + np.floor(y[shelf] * 6)) % 3 > 0, 0.3, 0.9)[:, None]
    _window(colour, wall == 0, x < 0, y, z, centre=0.2, half=1.15)
    _window(colour, wall == 1, y < 0, x, z, centre=-1.1, half=0.55, strength=0.45)
    body = np.exp(-((((np.degrees(np.arctan2(y, x)) - camera + 180) % 360 - 180) / 16) ** 2)) * (z < 0.75)
    return colour * (1 - 0.8 * body)[..., None]


def _window(
    colour: Any, wall: Any, side: Any, along: Any, z: Any, centre: float, half: float, strength: float = 1.0
) -> None:
    """Paint a window of two by two panes with sky above trees into `colour`."""
    u, v = (along - centre) / half, (z - 0.68) / 0.72
    inside = wall & side & (np.abs(u) < 1) & (np.abs(v) < 1)
    colour[inside] = 0.75
    pane = inside & (np.abs(u) > 0.045) & (np.abs(u) < 0.95) & (np.abs(v - 0.15) > 0.04) & (np.abs(v) < 0.94)
    trees = v + 0.45 + 0.14 * np.sin(u * 7) + 0.07 * np.sin(u * 19 + 1) < 0
    sky = np.array([22.0, 24.0, 27.0]) * (0.85 + 0.25 * v)[..., None]
    green = np.array([3.4, 4.6, 2.2]) * (1.1 + 0.4 * np.sin(u * 31) * np.sin(v * 27))[..., None]
    colour[pane] = strength * np.where(trees[..., None], green, sky)[pane]


def daylight(turn: float = 0.0, strength: float = 1.0, camera: float = -90.0) -> None:
    """Light the scene through the room's windows; the big one is at -x, moved by `turn` degrees anticlockwise."""
    pixels = panorama(camera=camera - turn)
    height, width, _ = pixels.shape
    image = bpy.data.images.new("room", width, height, float_buffer=True)
    image.pixels.foreach_set(np.dstack([pixels, np.ones((height, width))]).astype(np.float32).ravel())
    image.pack()
    world = bpy.data.worlds.new("room")
    bpy.context.scene.world = world
    tree = Tree(world)
    place = tree.add("TexCoord").outputs["Generated"]
    place = tree.add("Mapping", {"Vector": place, "Rotation": (0, 0, -np.radians(turn))}).outputs[0]
    texture = tree.add("TexEnvironment", {"Vector": place}, image=image)
    background = tree.add("Background", {"Color": texture.outputs[0], "Strength": strength})
    tree.add("OutputWorld", {"Surface": background.outputs[0]})
    world.cycles.sampling_method = "MANUAL"
    world.cycles.sample_map_resolution = 1024
