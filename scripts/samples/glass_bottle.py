"""A green glass bottle with a paper label, on wooden planks."""

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

RADIUS, HEIGHT = 0.0325, 0.216


def build(textures: Path) -> None:
    """Set the whole scene: thing, ground, light and camera."""
    parts = [_glass(), *_labels(textures)]
    mesh.group(parts, at=(0, 0, 0), turn=(0, 0, 14))
    scene.ground(grounds.wood(0.72), size=9, turn=7)
    room.daylight(turn=-20, strength=1.0, camera=-88)
    scene.camera((0.0, 0.0, 0.098), 0.30, 38, turn=-88, roll=-1.5, zoom=1.25, exposure=0.3, focus=0.03)


def _glass() -> Any:
    """Blow the bottle: outer wall, lip, inner wall."""
    outer = [
        (0, 0.0055),
        (0.022, 0.0035, 0.01),
        (0.027, 0.0, 0.002),
        (RADIUS - 0.002, 0.0, 0.003),
        (RADIUS, 0.006, 0.006),
        (RADIUS, 0.118, 0.03),
        (0.0142, 0.168, 0.045),
        (0.0118, 0.200, 0.006),
        (0.0118, 0.2008, 0.0004),
        (0.0136, 0.2012, 0.0006),
        (0.0136, 0.2046, 0.0008),
        (0.0118, 0.2052, 0.0006),
        (0.0118, 0.2085, 0.0004),
        (0.0130, 0.2090, 0.0006),
        (0.0130, HEIGHT, 0.0016),
        (0.0094, HEIGHT, 0.0014),
    ]
    inner = [
        (0.0088, 0.205, 0.002),
        (0.0094, 0.171, 0.02),
        (RADIUS - 0.0030, 0.117, 0.03),
        (RADIUS - 0.0030, 0.012, 0.008),
        (0.018, 0.0085, 0.006),
        (0, 0.0105),
    ]
    line = mesh.resampled(mesh.fillet(outer + inner, 8), 0.002)
    green = materials.clear("glass", 1.52, (0.10, 0.72, 0.30), 190.0, (0.42, 0.72, 0.48), wear=0.0002)
    return mesh.turned("bottle", line, green, segments=160)


def _labels(textures: Path) -> list[Any]:
    """Glue the labels on, around a third of the wall."""
    paper = materials.label("label", labels.paper_label(textures), roughness=0.5, fibre=0.00012, sheen=0.12)

    def place(u: Any, v: Any) -> tuple[Any, Any, Any]:
        angle = np.radians(-90) + (u - 0.5) * np.radians(160)
        r = RADIUS + 0.00022
        return r * np.cos(angle), r * np.sin(angle), 0.030 + 0.066 * v + 0.0003 * np.sin(u * 9)

    label = mesh.sheet("label", place, 96, 12, paper)
    return [label]
