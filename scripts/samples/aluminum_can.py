"""A crushed, opened 355 mL drink can lying on concrete by the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import grounds
import labels
import materials
import mesh
import numpy as np
import room
import scene
from mathutils import Vector
from nodes import Tree

RADIUS, NECK, HEIGHT = 0.0331, 0.0262, 0.1222
# Direction (degrees), height, depth and reach of what the hand pressed in.
DENTS = ((262, 0.058, 0.0085, 0.028), (120, 0.045, 0.006, 0.022), (320, 0.080, 0.004, 0.014))
MOUTH = (0.0, -0.0115, 0.0098, 0.0075)  # centre and half axes of the opening


def build(textures: Path) -> None:
    """Set the whole scene: thing, ground, light and camera."""
    parts = [*_wall(textures), _lid(), *_tab()]
    for part in parts[:3]:
        mesh.bend(part, _dent)
    mesh.group(parts, at=(0.034, 0.050, RADIUS - 0.0003), turn=(-90, 190, 147))
    scene.ground(grounds.concrete(1.05), size=6)
    room.daylight(turn=-30, strength=1.0, camera=-92)
    scene.camera((0.0, 0.0, 0.026), 0.24, 50, turn=-92, roll=-2.5, zoom=1.35, exposure=-0.1, focus=0.012)


def _wall(textures: Path) -> list[Any]:
    """Draw the can: bare dome below, printed wall, bare neck with its seam."""
    metal = materials.aluminium()
    dome = mesh.fillet(
        [(0, 0.0105), (0.015, 0.0085, 0.008), (0.0225, 0.0005, 0.002), (0.0245, 0.0005, 0.001), (0.0300, 0.0075, 0.004)]
    )
    side = mesh.fillet(
        [(0.0300, 0.0075), (RADIUS, 0.0135, 0.008), (RADIUS, 0.1015, 0.008), (0.0275, 0.1135, 0.006), (0.0259, 0.1162)]
    )
    neck = mesh.fillet(
        [
            (0.0259, 0.1162),
            (0.0256, 0.1183, 0.0008),
            (0.0270, 0.1190, 0.0006),
            (0.0271, 0.1222, 0.0007),
            (0.0258, 0.1224, 0.0005),
            (0.0248, 0.1200, 0.0008),
            (0.0240, 0.1150, 0.0012),
            (0.0226, 0.1143, 0.0008),
            (0.0218, 0.1148, 0.0008),
            (0.0212, 0.1170, 0.0008),
            (0.0200, 0.1174),
        ]
    )
    printed = materials.can_body(*labels.can_print(textures))
    return [
        mesh.turned("side", mesh.resampled(side, 0.0015), printed, segments=256),
        mesh.turned("dome", dome, metal, segments=128),
        mesh.turned("neck", mesh.resampled(neck, 0.0008), metal, segments=160),
    ]


def _lid() -> Any:
    """Press the lid: a sunk panel, and a hole where the mouth was pushed in."""
    material = bpy.data.materials.new("lid")
    tree = Tree(material)
    place = tree.where()
    axes = tree.add("SeparateXYZ", {0: place})
    x = tree.math("DIVIDE", tree.math("SUBTRACT", axes.outputs[0], MOUTH[0]), MOUTH[2])
    y = tree.math("DIVIDE", tree.math("SUBTRACT", axes.outputs[1], MOUTH[1]), MOUTH[3])
    far = tree.math("SQRT", tree.math("ADD", tree.math("MULTIPLY", x, x), tree.math("MULTIPLY", y, y)))
    lines = tree.noise(tree.stretched(place, 60, 2600, 300), 1.0, 3, 0.6)
    metal = tree.add(
        "BsdfPrincipled",
        {
            "Base Color": (0.80, 0.805, 0.81, 1),
            "Metallic": 1.0,
            "Roughness": 0.2,
            "Normal": tree.bump(lines, 0.00004, 0.5),
        },
    )
    hole = tree.add("BsdfTransparent")
    tree.surface(
        tree.add("MixShader", {"Fac": tree.math("LESS_THAN", far, 1.0), 1: metal.outputs[0], 2: hole.outputs[0]})
    )

    def place_panel(u: Any, v: Any) -> tuple[Any, Any, Any]:
        r, angle = 0.0202 * v, u * 2 * np.pi
        x, y = r * np.cos(angle), r * np.sin(angle)
        away = np.hypot((x - MOUTH[0]) / MOUTH[2], (y - MOUTH[1]) / MOUTH[3])
        sunk = -0.0006 / (1 + np.exp((np.hypot(x / 0.0165, (y + 0.001) / 0.0172) - 1) * 60))
        rolled = -0.0014 * np.exp(-(((away - 0.97) / 0.10) ** 2))
        rivet = 0.0012 / (1 + np.exp((np.hypot(x, y) - 0.0024) * 9000))
        return x, y, 0.1174 + sunk + rolled + rivet

    return mesh.sheet("lid", place_panel, 192, 120, material, closed=True)


def _tab() -> list[Any]:
    """Stamp the pull tab: a ring with a finger hole, bent up a little, on its rivet."""
    metal = materials.aluminium(0.12, 0.1)

    def place(u: Any, v: Any) -> tuple[Any, Any, Any]:
        # u runs along the band's centre line, v around the band's rounded section.
        turn, side = u * 2 * np.pi, v * 2 * np.pi
        half_x, half_y = 0.0062, 0.0088
        power = 0.75
        cx = half_x * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power
        cy = 0.0062 + half_y * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power
        length = np.hypot(np.cos(turn), np.sin(turn))
        cx = cx + 0.0017 * np.cos(side) * np.cos(turn) / length
        cy = cy + 0.0017 * np.cos(side) * np.sin(turn) / length
        z = 0.1185 + 0.00055 * np.sin(side) + 0.16 * (cy - 0.001).clip(0, 1)
        return cx, cy, z

    ring = mesh.sheet("tab", place, 120, 24, metal, closed=True)

    def nose(u: Any, v: Any) -> tuple[Any, Any, Any]:
        x, y = (u - 0.5) * 0.0108, -0.0030 + v * 0.0070
        x = x * (1 - 0.25 * np.abs(v - 0.5) ** 2)
        pressed = 0.0004 * np.exp(-((np.hypot(x, y) / 0.0028) ** 4))
        return x, y, 0.1190 - pressed + 0.16 * (y - 0.001).clip(0, 1)

    plate = mesh.sheet("nose", nose, 40, 30, metal)
    mesh.modifier(plate, "SOLIDIFY", thickness=0.0006, offset=0)
    rivet = mesh.turned(
        "rivet", mesh.fillet([(0.0022, 0.1180), (0.0022, 0.1196, 0.0004), (0, 0.1197)]), metal, segments=48
    )
    return [ring, plate, rivet]


def _dent(point: Vector) -> Vector:
    """Press a hand into the wall."""
    radial = Vector((point.x, point.y, 0))
    soft = max(0.0, min(1.0, (0.108 - point.z) / 0.02)) * max(0.0, min(1.0, (point.z - 0.012) / 0.015))
    push = 0.0
    for angle, high, deep, wide in DENTS:
        at = Vector((RADIUS * np.cos(np.radians(angle)), RADIUS * np.sin(np.radians(angle)), high))
        away = (point - at).length / wide
        push += deep * float(np.exp(-(away**2))) * (1 + 0.45 * float(np.cos(away * 6.5)))
    crease = abs(mesh.wobble(point, 30, 4.0, 1)) * 0.002
    return -radial.normalized() * (push + crease) * soft if radial.length > 0.001 else Vector()
