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


def aluminium(roughness: float = 0.24, scratches: float = 0.5) -> Any:
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
    rough = tree.math("MULTIPLY_ADD", scuff, 0.14, 0.20)
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
    colour = tree.mix(rim, (0.70, 0.70, 0.69, 1), (0.83, 0.83, 0.82, 1))
    colour = tree.mix(0.06, colour, tone, "OVERLAY")
    height = tree.math("MULTIPLY_ADD", rim, 0.8, tree.math("MULTIPLY", tree.noise(place, 90, 4), 0.8))
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
                "Normal": tree.bump(height, 0.00022, 0.7),
            },
        )
    )
    return material
