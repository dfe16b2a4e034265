"""What the things lie on: a desk, wooden planks, concrete."""

from __future__ import annotations

from typing import Any

import bpy
from nodes import Tree


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
    pits = tree.add("TexVoronoi", {"Vector": place, "Scale": 140.0, "Randomness": 1.0}).outputs["Distance"]
    few = tree.add("MapRange", {"Value": tree.noise(place, 37, 2), 1: 0.58, 2: 0.66, 3: 0.0, 4: 0.16}).outputs[0]
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
