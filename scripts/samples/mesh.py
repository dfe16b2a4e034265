"""Meshes from numbers: turned profiles, sheets and boxes. All lengths are metres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import bmesh
import bpy
import numpy as np
from mathutils import Vector, noise

Profile = Sequence[tuple[float, float]]


def fillet(points: Sequence[tuple[float, ...]], steps: int = 6) -> list[tuple[float, float]]:
    """Round the corners of a line.

    Parameters:
        points: (x, y) or (x, y, radius) of each corner; no radius leaves the corner sharp.
        steps: pieces of each arc.

    Returns:
        the points of the rounded line. A quadratic curve stands for the arc: at this size nobody can tell.
    """
    line: list[tuple[float, float]] = []
    for index, corner in enumerate(points):
        here = np.array(corner[:2])
        radius = corner[2] if len(corner) > 2 else 0.0
        if not radius or index in (0, len(points) - 1):
            line.append((float(here[0]), float(here[1])))
            continue
        ends = []
        for other in (points[index - 1], points[index + 1]):
            way = np.array(other[:2]) - here
            length = float(np.hypot(*way))
            ends.append(here + way / length * min(radius, length * 0.49))
        for t in np.linspace(0, 1, steps + 1):
            x, y = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * here + t**2 * ends[1]
            line.append((float(x), float(y)))
    return line


def resampled(profile: Profile, step: float) -> list[tuple[float, float]]:
    """Put points at most `step` apart into the straight pieces of a line, so that dents have something to bend."""
    line = [profile[0]]
    for before, after in pairwise(profile):
        pieces = max(1, int(np.ceil(np.hypot(after[0] - before[0], after[1] - before[1]) / step)))
        for t in np.linspace(0, 1, pieces + 1)[1:]:
            line.append((before[0] + (after[0] - before[0]) * t, before[1] + (after[1] - before[1]) * t))
    return line


def make(name: str, vertices: Any, faces: Any, uvs: Any = None, material: Any = None) -> Any:
    """Make a smooth object; `uvs` holds (u, v) by vertex, or is None."""
    data = bpy.data.meshes.new(name)
    data.from_pydata([tuple(map(float, v)) for v in vertices], [], [tuple(map(int, f)) for f in faces])
    if uvs is not None:
        layer = data.uv_layers.new()
        for loop in data.loops:
            layer.data[loop.index].uv = uvs[loop.vertex_index]
    data.polygons.foreach_set("use_smooth", [True] * len(data.polygons))
    thing = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(thing)
    if material is not None:
        data.materials.append(material)
    return thing


def sheet(
    name: str,
    place: Callable[[Any, Any], tuple[Any, Any, Any]],
    columns: int,
    rows: int,
    material: Any = None,
    closed: bool = False,
) -> Any:
    """Make a grid: `place` maps arrays u, v (0 to 1) to x, y, z.

    Parameters:
        place: the surface.
        columns, rows: faces along u and v.
        material: what it is made of.
        closed: whether u = 1 lies on u = 0 (the seam keeps its own UVs, its vertices are doubled).

    Returns:
        the object, with UVs (u, v).
    """
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    corner = np.stack(np.broadcast_arrays(*place(u, v)), axis=-1)
    if closed:
        corner[:, -1] = corner[:, 0]
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)[None, :]).ravel()
    faces = np.stack([first, first + 1, first + columns + 2, first + columns + 1], axis=-1)
    uvs = np.stack([u, v], axis=-1).reshape(-1, 2)
    thing = make(name, corner.reshape(-1, 3), faces, uvs.tolist(), material)
    if closed:
        weld(thing)
    return thing


def weld(thing: Any) -> None:
    """Join vertices that lie on each other; UVs stay with the faces."""
    mesh = bmesh.new()
    mesh.from_mesh(thing.data)
    bmesh.ops.remove_doubles(mesh, verts=mesh.verts, dist=1e-6)
    bmesh.ops.recalc_face_normals(mesh, faces=mesh.faces)
    mesh.to_mesh(thing.data)
    mesh.free()


def turned(
    name: str,
    profile: Profile,
    material: Any = None,
    segments: int = 160,
    radius: Callable[[Any, Any, Any], Any] | None = None,
) -> Any:
    """Turn a profile of (radius, height) around z.

    Parameters:
        name: of the object.
        profile: from the bottom's centre to the top, outer side.
        material: what it is made of.
        segments: faces around.
        radius: changes the radius: given arrays r, angle, z it returns the new r (ribs, knurls).

    Returns:
        the object; UVs run (angle, profile).
    """
    line = np.array(profile)

    def place(u: Any, v: Any) -> tuple[Any, Any, Any]:
        index = v * (len(line) - 1)
        r = np.interp(index, np.arange(len(line)), line[:, 0])
        z = np.interp(index, np.arange(len(line)), line[:, 1])
        angle = u * 2 * np.pi
        if radius is not None:
            r = radius(r, angle, z)
        return r * np.cos(angle), r * np.sin(angle), z

    return sheet(name, place, segments, len(line) - 1, material, closed=True)


def block(name: str, size: tuple[float, float, float], material: Any = None) -> Any:
    """Make a box with its low corner at the origin, each face with UVs in metres."""
    x, y, z = size
    corners = [(a, b, c) for c in (0, z) for b in (0, y) for a in (0, x)]
    faces = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    thing = make(name, corners, faces, None, material)
    layer = thing.data.uv_layers.new()
    for polygon in thing.data.polygons:
        polygon.use_smooth = False
        flat = int(np.argmax(np.abs(polygon.normal)))
        for loop in polygon.loop_indices:
            co = thing.data.vertices[thing.data.loops[loop].vertex_index].co
            layer.data[loop].uv = [co[axis] for axis in range(3) if axis != flat]
    return thing


def modifier(thing: Any, kind: str, **settings: Any) -> None:
    """Add a modifier with its settings."""
    added = thing.modifiers.new(kind.title(), kind)
    for name, value in settings.items():
        setattr(added, name, value)


def bend(thing: Any, push: Callable[[Vector], Vector]) -> None:
    """Move each vertex by what `push` returns for its place."""
    for vertex in thing.data.vertices:
        vertex.co += push(vertex.co)
    thing.data.update()


def wobble(point: Vector, scale: float, seed: float, depth: int = 3) -> float:
    """Return a smooth noise of about -1 to 1, the same for the same arguments; `scale` is waves a metre."""
    return float(noise.fractal(point * scale + Vector((seed * 17.3, seed * 5.1, seed * 9.7)), 1.0, 2.0, depth))


def group(parts: Sequence[Any], at: tuple[float, float, float], turn: tuple[float, float, float]) -> Any:
    """Hang objects on an empty and place that: `at` in metres, `turn` in degrees around x, y, z."""
    handle = bpy.data.objects.new("handle", None)
    bpy.context.collection.objects.link(handle)
    for part in parts:
        part.parent = handle
    handle.location = at
    handle.rotation_euler = [np.radians(angle) for angle in turn]
    return handle
