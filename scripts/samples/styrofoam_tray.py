"""A white food tray of expanded polystyrene on a wooden table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grounds
import materials
import mesh
import numpy as np
import room
import scene

LONG, WIDE, HIGH = 0.215, 0.138, 0.024


def build(_textures: Path) -> None:
    """Set the whole scene: thing, ground, light and camera."""
    mesh.group([_tray()], at=(0, 0, 0.0003), turn=(0, 0, 19))
    scene.ground(grounds.wood(0.85), turn=-6)
    room.daylight(turn=10, strength=1.0, camera=-90)
    scene.camera((0.0, 0.0, 0.008), 0.29, 52, turn=-90, roll=2, zoom=1.4, exposure=-0.25, focus=0.01)


def _tray() -> Any:
    """Press the tray: flat floor with ribs, sloping walls, rolled rim, then down the outside."""
    # Distance inwards from the rim, and height: from the middle of the inside over the rim to the middle below.
    line = mesh.resampled(
        mesh.fillet(
            [
                (0.069, 0.0030),
                (0.0275, 0.0030, 0.004),
                (0.0235, 0.0042, 0.004),
                (0.0105, HIGH - 0.001, 0.006),
                (0.0085, HIGH, 0.003),
                (0.0020, HIGH - 0.0006, 0.002),
                (0.0000, HIGH - 0.0022, 0.0014),
                (0.0008, HIGH - 0.0042, 0.0014),
                (0.0070, HIGH - 0.0038, 0.003),
                (0.0215, 0.0, 0.004),
                (0.069, 0.0),
            ]
        ),
        0.0012,
    )
    inward, height = np.array(line).T

    def place(u: Any, v: Any) -> tuple[Any, Any, Any]:
        index = v * (len(inward) - 1)
        far = np.interp(index, np.arange(len(inward)), inward)
        z = np.interp(index, np.arange(len(inward)), height)
        x, y = _rounded(u, far)
        upper = index < np.argmax(height)
        floor = upper & (far > 0.0285)
        ribs = 0.0004 * np.cos((x + y) / 0.0105 * 2 * np.pi) * np.cos((x - y) / 0.0105 * 2 * np.pi)
        z = z + np.where(floor, ribs * np.clip((far - 0.0285) / 0.004, 0, 1), 0)
        sag = 0.0012 * np.sin(x * 31 + 1) + 0.0009 * np.sin(y * 45 + x * 20)
        return x, y, z + sag * np.clip(z / HIGH, 0, 1)

    return mesh.sheet("tray", place, 360, len(line) - 1, materials.foam(), closed=True)


def _rounded(u: Any, inward: Any) -> tuple[Any, Any]:
    """Run around a rectangle with round corners, `inward` metres inside the rim."""
    half_x, half_y = LONG / 2 - inward, WIDE / 2 - inward
    corner = np.clip(0.030 - inward * 0.55, 0.0, half_y)
    straight_x, straight_y = half_x - corner, half_y - corner
    quarter = np.floor(u * 4) % 4
    within = (u * 4) % 1
    # Each quarter: half a side, the corner's arc, half the next side, by shares 0.3, 0.4, 0.3.
    turn = np.clip((within - 0.3) / 0.4, 0, 1) * np.pi / 2
    before, after = np.clip(within / 0.3, 0, 1), np.clip((1 - within) / 0.3, 0, 1)
    even = quarter % 2 == 0
    run_in = np.where(even, straight_y, straight_x)
    run_out = np.where(even, straight_x, straight_y)
    a = np.where(even, straight_x, straight_y) + corner * np.cos(turn) - run_out * (1 - after)
    b = run_in * before + corner * np.sin(turn)
    spin = quarter * np.pi / 2
    return a * np.cos(spin) - b * np.sin(spin), a * np.sin(spin) + b * np.cos(spin)
