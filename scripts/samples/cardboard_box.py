"""An opened parcel of corrugated board on the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bmesh
import board
import grounds
import labels
import materials
import mesh
import numpy as np
import room
import scene
from mathutils import Matrix, Vector

WIDE, DEEP, HIGH, THICK = 0.40, 0.30, 0.26, 0.004


def build(textures: Path) -> None:
    """Set the whole scene: thing, ground, light and camera."""
    parts = [*_walls(textures), *_flaps(textures), *_tape(), _parcel_label(textures)]
    mesh.group(parts, at=(0, 0, 0), turn=(0, 0, 36))
    scene.ground(grounds.wood(0.8), size=14, turn=20)
    room.daylight(turn=8, strength=1.0, camera=-90)
    scene.camera((0.01, -0.02, 0.15), 0.78, 37, turn=-90, roll=1.5, zoom=1.0, exposure=0.25)


def _board(name: str, long: float, high: float, faces: Any, edge: Any) -> Any:
    """Cut a board that stands in the plane of x and z, its outer face to -y, a little warped."""
    thing = mesh.block(name, (long, THICK, high))
    for material in (faces, edge):
        thing.data.materials.append(material)
    for polygon in thing.data.polygons:
        polygon.material_index = 0 if abs(polygon.normal.y) > 0.5 else 1
    mesh.modifier(thing, "BEVEL", width=0.0009, segments=2, limit_method="ANGLE")
    return thing


def _walls(textures: Path) -> list[Any]:
    """Stand up the four walls, on a floor."""
    edge = board.board_edge(labels.fluting(textures), THICK)
    stamped, plain = board.kraft(labels.box_print(textures), (WIDE, HIGH)), board.kraft()
    front = _board("front", WIDE, HIGH, stamped, edge)
    back = _board("back", WIDE, HIGH, plain, edge)
    left, right = (_board(side, DEEP, HIGH, plain, edge) for side in ("left", "right"))
    front.location = (-WIDE / 2, -DEEP / 2, 0)
    back.location, back.rotation_euler[2] = (WIDE / 2, DEEP / 2, 0), np.pi
    left.location, left.rotation_euler[2] = (-WIDE / 2, DEEP / 2, 0), -np.pi / 2
    right.location, right.rotation_euler[2] = (WIDE / 2, -DEEP / 2, 0), np.pi / 2
    floor = mesh.block("floor", (WIDE - 0.002, DEEP - 0.002, THICK), plain)
    floor.location = (-WIDE / 2 + 0.001, -DEEP / 2 + 0.001, 0.0005)
    return [front, back, left, right, floor]


def _flaps(textures: Path) -> list[Any]:
    """Hinge the four flaps at the rim, each opened at its own angle (degrees past upright)."""
    edge = board.board_edge(labels.fluting(textures), THICK)
    plain = board.kraft()
    flaps = []
    for name, long, corner, turn, fall, curl in (
        ("front", WIDE, (-WIDE / 2, -DEEP / 2), 0, 72, 0.016),
        ("right", DEEP, (WIDE / 2, -DEEP / 2), 90, 74, 0.010),
        ("back", WIDE, (WIDE / 2, DEEP / 2), 180, 38, -0.014),
        ("left", DEEP, (-WIDE / 2, DEEP / 2), 270, -62, 0.008),
    ):
        flap = _board(f"flap {name}", long - 0.006, DEEP / 2 - 0.002, plain, edge)
        _soften(flap, curl)
        hinge = Matrix.Translation((*corner, HIGH - 0.001)) @ Matrix.Rotation(np.radians(turn), 4, "Z")
        flap.matrix_world = hinge @ Matrix.Rotation(np.radians(fall), 4, "X") @ Matrix.Translation((0.003, 0.0, 0.002))
        flaps.append(flap)
    return flaps


def _soften(flap: Any, curl: float) -> None:
    """Cut the board finer and bend it: handled flaps are not flat."""
    work = bmesh.new()
    work.from_mesh(flap.data)
    long = [edge for edge in work.edges if edge.calc_length() > 0.05]
    bmesh.ops.subdivide_edges(work, edges=long, cuts=14, use_grid_fill=True)
    work.to_mesh(flap.data)
    work.free()

    def push(point: Vector) -> Vector:
        wave = mesh.wobble(Vector((point.x, 0, point.z)), 6.0, curl * 100, 2)
        return Vector((0, curl * (point.z / 0.15) ** 2 + 0.004 * wave * point.z / 0.15, 0))

    mesh.bend(flap, push)


def _tape() -> list[Any]:
    """Stick what is left of the packing tape onto the left and right wall."""
    brown = board.tape()
    strips = []
    for side, seed in ((-1, 1.0), (1, 4.0)):

        def place(u: Any, v: Any, side: int = side, seed: float = seed) -> tuple[Any, Any, Any]:
            torn = 0.004 * np.sin(u * 23 + seed) + 0.003 * np.sin(u * 61 + seed)
            z = HIGH - 0.072 * (1 - v) + torn * (1 - v) ** 6 - 0.001
            return side * (WIDE / 2 + 0.0006), (u - 0.5) * 0.048, z

        strips.append(mesh.sheet("tape", place, 40, 20, brown))
    return strips


def _parcel_label(textures: Path) -> Any:
    """Stick the shipping label onto the left wall."""
    paper = materials.label("parcel", labels.parcel_label(textures), roughness=0.45, fibre=0.0001)

    def place(u: Any, v: Any) -> tuple[Any, Any, Any]:
        lift = 0.0006 + 0.0025 * np.clip(u + v - 1.75, 0, 1) ** 1.5
        return -WIDE / 2 - lift, 0.085 - 0.12 * u + 0.006 * v, 0.075 + 0.09 * v - 0.008 * u

    return mesh.sheet("parcel", place, 30, 24, paper)
