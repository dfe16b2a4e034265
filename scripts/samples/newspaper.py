"""Two folded newspapers, read and put down on each other on a desk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import board
import grounds
import mesh
import numpy as np
import pages
import room
import scene
from mathutils import Vector

WIDE, HALF, LAYERS = 0.37, 0.26, 6


def build(textures: Path) -> None:
    """Set the whole scene: thing, ground, light and camera."""
    front, inner, other = (board.newsprint(pages.newspaper_page(textures, seed, front=seed == 1)) for seed in (1, 2, 3))
    below = [_folded(number, other, LAYERS - 2, 0.5) for number in range(LAYERS - 2)]
    mesh.group(below, at=(0.03, 0.02, 0.0005), turn=(0, 0, 14))
    above = [_folded(number, inner if number else front, LAYERS) for number in range(LAYERS)]
    mesh.group(above, at=(-0.01, 0, 0.017), turn=(0, 0, -13))
    scene.ground(grounds.desk())
    room.daylight(turn=15, strength=1.0, camera=-90)
    scene.camera((0.0, 0.0, 0.0), 0.42, 60, turn=-90, roll=-2, zoom=1.0, exposure=-0.05)


def _folded(number: int, material: Any, layers: int, life: float = 1.0) -> Any:
    """Fold one of `layers` sheets over, the outermost (0) around the others; `life` is how far it stands off."""
    inside = layers - number
    gap = 0.0014 * inside + 0.0008
    nudge = Vector((0.0022 * np.sin(number * 2.3), 0.0026 * np.sin(number * 1.7), 0))
    arc = np.pi * gap
    length = 2 * HALF + arc

    def place(u: Any, v: Any) -> tuple[Any, Any, Any]:
        # v runs up the page: from the end of the half below, round the fold, and over the half on top.
        s = (1 - v) * length
        top = s < HALF
        fold = (s >= HALF) & (s < HALF + arc)
        angle = np.clip((s - HALF) / arc, 0, 1) * np.pi
        y = np.where(top, -HALF / 2 + s, np.where(fold, HALF / 2 + gap * np.sin(angle), HALF / 2 - (s - HALF - arc)))
        z = np.where(top, 2 * gap, np.where(fold, gap + gap * np.cos(angle), 0.0))
        return (u - 0.5) * WIDE, -y, z + 0.0002

    sheet = mesh.sheet(f"sheet {number}", place, 100, 170, material)
    half = 2 * gap

    def push(point: Vector) -> Vector:
        upper = min(1.0, max(0.0, point.z / half))
        flat = Vector((point.x, point.y, 0))
        swell = 0.5 + 0.5 * mesh.wobble(flat, 7.0, 2.0, 2)
        wave = mesh.wobble(Vector((point.x * 1.4, point.y * 0.5, 0)), 11.0, 5.0 + number * 0.15, 2)
        crease = (0.4 - min(0.4, abs(mesh.wobble(flat, 9.0, 8.0 + life, 2)))) * 0.013
        corner = max(0.0, (point.x - 0.10) + (point.y - 0.06)) / 0.12
        lift = 0.010 * swell * (0.5 + 0.5 * inside / layers) + 0.0016 * wave + crease
        lift += corner**2 * 0.03 * (0.55 + 0.09 * inside)
        return nudge * upper + Vector((0, 0, upper * life * max(0.0, lift)))

    mesh.bend(sheet, push)
    return sheet
