"""Paper and board: corrugated cardboard with its tape, and newsprint."""

from __future__ import annotations

from typing import Any

import bpy
from materials import picture
from nodes import Tree


def kraft(print_path: str | None = None, size: tuple[float, float] = (0.4, 0.26), along: int = 0) -> Any:
    """Return the face of corrugated board.

    Parameters:
        print_path: a stamp, black on white, or None; UVs are metres.
        size: width and height of the stamp (m).
        along: the UV axis that the flutes cross: their faint waves show through the liner.

    Returns:
        the material.
    """
    material = bpy.data.materials.new("kraft")
    tree = Tree(material)
    place, flat = tree.where(), tree.where("UV")
    cloud = tree.noise(place, 13, 6, 0.6)
    fibre = tree.noise(tree.stretched(place, 1, 1, 1), 640, 4, 0.7)
    streak = tree.noise(tree.stretched(place, 260, 40, 40), 1.0, 4, 0.6)
    colour = tree.mix(cloud, (0.36, 0.215, 0.105, 1), (0.475, 0.30, 0.16, 1))
    colour = tree.mix(tree.math("MULTIPLY", fibre, 0.5), colour, (0.52, 0.35, 0.20, 1))
    dark = tree.add("MapRange", {"Value": streak, 1: 0.58, 2: 0.8, 3: 0, 4: 0.45}).outputs[0]
    colour = tree.mix(dark, colour, (0.25, 0.14, 0.07, 1))
    axis = tree.add("SeparateXYZ", {0: flat}).outputs[along]
    wave = tree.math("SINE", tree.math("MULTIPLY", axis, 2 * 3.14159 / 0.008))
    if print_path:
        fitted = tree.stretched(flat, 1 / size[0], 1 / size[1], 1)
        stamp = picture(tree, print_path, fitted, extension="EXTEND").outputs[0]
        uneven = tree.add("MapRange", {"Value": tree.noise(place, 180, 4), 1: 0.3, 2: 0.5, 3: 0.78, 4: 0.96}).outputs[0]
        colour = tree.mix(uneven, colour, stamp, "MULTIPLY")
    relief = tree.math("MULTIPLY_ADD", wave, 0.5, tree.math("MULTIPLY", fibre, 0.5))
    tree.surface(
        tree.add(
            "BsdfPrincipled",
            {
                "Base Color": colour,
                "Roughness": 0.78,
                "Specular": 0.25,
                "Normal": tree.bump(relief, 0.00013, 0.8, tree.bump(cloud, 0.0008, 0.4)),
            },
        )
    )
    return material


def board_edge(path: str, thick: float) -> Any:
    """Return the cut edge of corrugated board; UVs are metres, the long side along either axis."""
    material = bpy.data.materials.new("edge")
    tree = Tree(material)
    flat = tree.stretched(tree.where("UV"), 1 / (thick * 8), 1 / thick, 1)
    tree.surface(tree.add("BsdfPrincipled", {"Base Color": picture(tree, path, flat).outputs[0], "Roughness": 0.85}))
    return material


def tape() -> Any:
    """Return brown packing tape: a thin glossy film, a little wrinkled, over what is below it."""
    material = bpy.data.materials.new("tape")
    tree = Tree(material)
    place = tree.where()
    wrinkle = tree.noise(tree.stretched(place, 60, 8, 8), 2.0, 4, 0.6)
    film = tree.add(
        "BsdfPrincipled",
        {
            "Base Color": (0.36, 0.205, 0.085, 1),
            "Roughness": 0.16,
            "Clearcoat": 0.5,
            "Normal": tree.bump(wrinkle, 0.0005, 0.5),
        },
    )
    through = tree.add("BsdfTransparent", {"Color": (0.85, 0.62, 0.38, 1)})
    tree.surface(tree.add("MixShader", {"Fac": 0.72, 1: through.outputs[0], 2: film.outputs[0]}))
    return material


def newsprint(path: str) -> Any:
    """Return a page: greyish paper that lets some light through."""
    material = bpy.data.materials.new("newsprint")
    tree = Tree(material)
    place = tree.where()
    cloud = tree.noise(place, 220, 6, 0.65)
    paper = tree.mix(cloud, (0.60, 0.575, 0.515, 1), (0.70, 0.675, 0.61, 1))
    colour = tree.mix(0.93, paper, picture(tree, path).outputs[0], "MULTIPLY")
    normal = tree.bump(tree.noise(place, 1500, 3, 0.6), 0.00008, 0.7)
    page = tree.add("BsdfPrincipled", {"Base Color": colour, "Roughness": 0.92, "Specular": 0.15, "Normal": normal})
    back = tree.add("BsdfTranslucent", {"Color": colour, "Normal": normal})
    tree.surface(tree.add("MixShader", {"Fac": 0.12, 1: page.outputs[0], 2: back.outputs[0]}))
    return material
