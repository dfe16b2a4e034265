"""What the things are made of. Colours are linear RGB."""

from __future__ import annotations

from typing import Any

import bpy
from nodes import Tree

RGB = tuple[float, float, float]


def picture(tree: Tree, path: str, vector: Any = None, **properties: Any) -> Any:
    """Add an image texture over the UVs (or `vector`)."""
    inputs = {} if vector is None else {"Vector": vector}
    return tree.add("TexImage", inputs, image=bpy.data.images.load(path, check_existing=True), **properties)


def numbers(tree: Tree, path: str, vector: Any = None) -> Any:
    """Add an image whose values are numbers, not colours."""
    node = picture(tree, path, vector)
    node.image.colorspace_settings.name = "Non-Color"
    return node.outputs["Color"]


def plastic(name: str, colour: RGB, roughness: float = 0.35, soft: float = 0.0) -> Any:
    """Return an opaque moulded plastic; `soft` is the share of light that wanders below its skin."""
    material = bpy.data.materials.new(name)
    tree = Tree(material)
    normal = tree.bump(tree.noise(tree.where(), 700, 2), 0.00006, 0.3)
    tree.surface(
        tree.add(
            "BsdfPrincipled",
            {
                "Base Color": (*colour, 1),
                "Roughness": roughness,
                "Subsurface": soft,
                "Subsurface Radius": (0.004, 0.003, 0.002),
                "Subsurface Color": (*colour, 1),
                "Normal": normal,
            },
        )
    )
    return material


def clear(name: str, ior: float, tint: RGB, density: float, shade: RGB, wear: float = 0.0) -> Any:
    """Return a clear solid, such as glass or PET.

    Parameters:
        name: of the material.
        ior: index of refraction.
        tint: colour of light after a long way through it.
        density: how fast it takes that colour (1/m); 0 for none.
        shade: the colour of light that falls through it on others. Real caustics would need thousands of samples.
        wear: depth of the waves and dents of its skin (m).

    Returns:
        the material.
    """
    material = bpy.data.materials.new(name)
    tree = Tree(material)
    inputs: dict[str, Any] = {"Color": (1, 1, 1, 1), "Roughness": 0.0, "IOR": ior}
    if wear:
        inputs["Normal"] = tree.bump(tree.noise(tree.where(), 55, 3, 0.4), wear)
    body = tree.add("BsdfGlass", inputs)
    through = tree.add("BsdfTransparent", {"Color": (*shade, 1)})
    path = tree.add("LightPath")
    seen_by = tree.math("MAXIMUM", path.outputs["Is Shadow Ray"], path.outputs["Is Diffuse Ray"])
    mixed = tree.add("MixShader", {"Fac": seen_by, 1: body.outputs[0], 2: through.outputs[0]})
    output = tree.add("OutputMaterial", {"Surface": mixed.outputs[0]})
    if density:
        volume = tree.add("VolumeAbsorption", {"Color": (*tint, 1), "Density": density})
        tree.wire(volume.outputs[0], output.inputs["Volume"])
    return material


def label(name: str, path: str, roughness: float = 0.3, fibre: float = 0.0, sheen: float = 0.0) -> Any:
    """Return a printed film or paper; `fibre` is the depth of paper's grain (m), `sheen` a clear coat."""
    material = bpy.data.materials.new(name)
    tree = Tree(material)
    inputs: dict[str, Any] = {
        "Base Color": picture(tree, path).outputs[0],
        "Roughness": roughness,
        "Clearcoat": sheen,
        "Clearcoat Roughness": 0.08,
    }
    if fibre:
        inputs["Normal"] = tree.bump(tree.noise(tree.where(), 1400, 4, 0.6), fibre, 0.6)
    tree.surface(tree.add("BsdfPrincipled", inputs))
    return material


def aluminium(roughness: float = 0.17, scratches: float = 0.5) -> Any:
    """Return bare rolled aluminium with fine scratches along x."""
    material = bpy.data.materials.new("aluminium")
    tree = Tree(material)
    place = tree.where()
    lines = tree.noise(tree.stretched(place, 40, 2600, 300), 1.0, 3, 0.6)
    cloud = tree.noise(place, 90, 4)
    rough = tree.math("MULTIPLY_ADD", cloud, 0.16, roughness - 0.06)
    tree.surface(
        tree.add(
            "BsdfPrincipled",
            {
                "Base Color": (0.80, 0.805, 0.81, 1),
                "Metallic": 1.0,
                "Roughness": rough,
                "Normal": tree.bump(lines, 0.00004, scratches),
            },
        )
    )
    return material


def can_body(art: str, mask: str) -> Any:
    """Return the printed wall of a can: transparent inks over metal, opaque white where the mask is white."""
    material = bpy.data.materials.new("can")
    tree = Tree(material)
    colour = tree.add("HueSaturation", {"Color": picture(tree, art).outputs[0], "Saturation": 1.1, "Value": 1.25})
    metal = tree.math("SUBTRACT", 1.0, numbers(tree, mask))
    scuff = tree.noise(tree.stretched(tree.where("UV"), 9, 60, 1), 14, 5, 0.7)
    rough = tree.math("MULTIPLY_ADD", scuff, 0.12, 0.13)
    tree.surface(
        tree.add(
            "BsdfPrincipled",
            {
                "Base Color": colour.outputs[0],
                "Metallic": tree.math("MULTIPLY", metal, 0.96),
                "Roughness": rough,
                "Clearcoat": 0.6,
                "Clearcoat Roughness": 0.06,
            },
        )
    )
    return material


def foam() -> Any:
    """Return expanded polystyrene: white, light wanders in it, its skin shows the outlines of the beads."""
    material = bpy.data.materials.new("foam")
    tree = Tree(material)
    place = tree.where()
    warp = tree.add("TexNoise", {"Vector": place, "Scale": 120.0}).outputs["Color"]
    moved = tree.mix(0.004, place, warp, "ADD")
    bead = tree.add("TexVoronoi", {"Vector": moved, "Scale": 330.0}, feature="DISTANCE_TO_EDGE").outputs["Distance"]
    rim = tree.add("MapRange", {"Value": bead, 1: 0.0, 2: 0.16}).outputs[0]
    tone = tree.add("TexVoronoi", {"Vector": moved, "Scale": 330.0}).outputs["Color"]
    colour = tree.mix(rim, (0.775, 0.775, 0.765, 1), (0.83, 0.83, 0.82, 1))
    colour = tree.mix(0.02, colour, tone, "OVERLAY")
    height = tree.math("MULTIPLY_ADD", rim, 0.35, tree.noise(place, 90, 4))
    tree.surface(
        tree.add(
            "BsdfPrincipled",
            {
                "Base Color": colour,
                "Subsurface": 0.15,
                "Subsurface Radius": (0.003, 0.003, 0.003),
                "Subsurface Color": (0.9, 0.9, 0.89, 1),
                "Roughness": 0.5,
                "Specular": 0.35,
                "Normal": tree.bump(height, 0.0002, 0.6),
            },
        )
    )
    return material
