"""An empty, squeezed 500 mL water bottle on a desk by the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grounds
import labels
import materials
import mesh
import numpy as np
import room
import scene
from mathutils import Vector

RADIUS, HEIGHT, LABEL = 0.0325, 0.205, (0.094, 0.146)


def build(textures: Path) -> None:
    """Set the whole scene: thing, ground, light and camera."""
    bottle = _bottle()
    parts = [bottle, _label(textures), *_cap()]
    for part in parts:
        mesh.bend(part, _squeezed)
    mesh.modifier(bottle, "SOLIDIFY", thickness=0.0006, offset=-1)
    lowest = max(vertex.co.x for vertex in bottle.data.vertices)
    mesh.group(parts, at=(-0.080, -0.062, lowest), turn=(0, 90, 36))
    scene.ground(grounds.desk())
    room.daylight(turn=-35, strength=1.0, camera=-100)
    scene.camera((0.008, 0.008, 0.02), 0.29, 64, turn=-97, roll=3, zoom=1.3, exposure=-0.1, focus=0.012)


def _ribs(r: Any, angle: Any, z: Any) -> Any:
    """Press grooves into the wall, five feet into the base and slight panels below the label."""
    wall = np.clip((z - 0.022) / 0.006, 0, 1) * np.clip((0.093 - z) / 0.006, 0, 1)
    groove = 0.00115 * (np.cos(z * 2 * np.pi / 0.0135 + 0.35 * np.sin(3 * angle)) - 1) * wall
    upper = np.clip((z - 0.147) / 0.003, 0, 1) * np.clip((0.158 - z) / 0.004, 0, 1)
    groove += 0.0009 * (np.cos((z - 0.1475) * 2 * np.pi / 0.0055) - 1) * upper
    fan = 0.0006 * np.cos(angle * 12) * np.clip((z - 0.158) / 0.008, 0, 1) * np.clip((0.183 - z) / 0.008, 0, 1)
    feet = np.clip((0.02 - z) / 0.02, 0, 1) * np.clip(r / 0.012, 0, 1)
    return r + groove + fan - 0.0045 * feet * (0.5 - 0.5 * np.cos(5 * angle)) ** 1.5


def _bottle() -> Any:
    """Blow the bottle."""
    line = mesh.fillet(
        [
            (0, 0.007),
            (0.012, 0.0055, 0.004),
            (0.020, 0.0, 0.004),
            (0.0275, 0.0, 0.006),
            (RADIUS, 0.018, 0.012),
            (RADIUS, 0.092, 0.001),
            (RADIUS - 0.0012, LABEL[0], 0.001),
            (RADIUS - 0.0012, LABEL[1], 0.001),
            (RADIUS, 0.148, 0.001),
            (RADIUS, 0.158, 0.012),
            (0.0145, 0.186, 0.012),
            (0.0125, 0.190, 0.003),
            (0.0125, 0.192, 0.0005),
            (0.0165, 0.1925, 0.0005),
            (0.0165, 0.1942, 0.0005),
            (0.0125, 0.1947, 0.0005),
            (0.0125, HEIGHT + 0.008, 0.0005),
        ]
    )
    pet = materials.clear("pet", 1.55, (0.86, 0.93, 1.0), 6.0, (0.93, 0.945, 0.955), wear=0.0012)
    return mesh.turned("bottle", mesh.resampled(line, 0.0011), pet, segments=192, radius=_ribs)


def _label(textures: Path) -> Any:
    """Wrap the label around; it lies a hair off the wall, as films do."""
    film = materials.label("film", labels.water_label(textures), roughness=0.32, sheen=0.5)
    low, high = LABEL[0] - 0.001, LABEL[1] + 0.001
    line = [(RADIUS - 0.0006, low + (high - low) * t) for t in np.linspace(0, 1, 41)]
    return mesh.turned("label", line, film, segments=192)


def _cap() -> list[Any]:
    """Turn the knurled cap and the ring that stays on the neck."""
    blue = materials.plastic("cap", (0.02, 0.13, 0.42), 0.38, soft=0.08)
    low, high = 0.2003, 0.2155
    line = mesh.fillet(
        [
            (0.0138, low),
            (0.0148, low, 0.0003),
            (0.0152, low + 0.002, 0.0006),
            (0.0150, high, 0.0016),
            (0.0, high + 0.0002),
        ]
    )

    def knurl(r: Any, angle: Any, z: Any) -> Any:
        return r + 0.00022 * np.cos(angle * 72) * (z > low + 0.001) * (z < high - 0.0012)

    ring = mesh.fillet([(0.0136, 0.1965), (0.0147, 0.1965, 0.0003), (0.0147, 0.1996, 0.0003), (0.0136, 0.1996)])
    return [
        mesh.turned("cap", mesh.resampled(line, 0.0006), blue, segments=720, radius=knurl),
        mesh.turned("ring", ring, blue, segments=96),
    ]


def _squeezed(point: Vector) -> Vector:
    """Press the wall flat from above (x), with folds and crinkles; neck and foot are too stiff for that."""
    share = max(0.0, min(1.0, (0.176 - point.z) / 0.05)) * max(0.0, min(1.0, (point.z - 0.004) / 0.04))
    inside = 1.0 if LABEL[0] <= point.z <= LABEL[1] else 1.35
    fold = mesh.wobble(Vector((point.x * 0.5, point.y * 0.7, point.z)), 24, 3.0, 1)
    crinkle = abs(mesh.wobble(point, 44, 6.0, 2)) - 0.15
    radial = Vector((point.x, point.y, 0))
    hit = Vector((-0.022, 0.017, 0.066)) - point
    thumb = -0.22 * float(np.exp(-((hit.length / 0.02) ** 2)))
    flat = Vector((-0.20 * point.x, 0.07 * point.y, 0))
    return share * (flat + radial * (inside * (0.06 * fold - 0.12 * crinkle) + thumb))
