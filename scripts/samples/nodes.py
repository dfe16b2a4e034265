"""A short way to write Blender's shader node trees."""

from __future__ import annotations

from typing import Any

import bpy


class Tree:
    """The nodes of one material (or world): `add` a node, `wire` what it gives into what takes it."""

    def __init__(self, owner: Any) -> None:
        owner.use_nodes = True
        self.tree = owner.node_tree
        self.tree.nodes.clear()

    def add(self, kind: str, inputs: dict[Any, Any] | None = None, **properties: Any) -> Any:
        """Add a node.

        Parameters:
            kind: the node's class without its "ShaderNode".
            inputs: by name or number of the socket: a value, or an output socket to link.
            properties: attributes of the node itself.

        Returns:
            the node.
        """
        node = self.tree.nodes.new(f"ShaderNode{kind}")
        for name, value in properties.items():
            setattr(node, name, value)
        for socket, value in (inputs or {}).items():
            self.wire(value, node.inputs[socket])
        return node

    def wire(self, value: Any, socket: Any) -> None:
        """Link an output socket to an input, or set the input's value."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def math(self, operation: str, *values: Any) -> Any:
        """Return the output of a math node over one to three numbers or sockets."""
        return self.add("Math", dict(enumerate(values)), operation=operation).outputs[0]

    def mix(self, factor: Any, first: Any, second: Any, blend: str = "MIX") -> Any:
        """Return the output that mixes two colours."""
        return self.add("MixRGB", {"Fac": factor, "Color1": first, "Color2": second}, blend_type=blend).outputs[0]

    def ramp(self, factor: Any, *stops: tuple[float, tuple[float, ...]]) -> Any:
        """Return the colour that runs through `stops` (place from 0 to 1, RGBA) as `factor` grows."""
        node = self.add("ValToRGB", {"Fac": factor})
        elements = node.color_ramp.elements
        while len(elements) < len(stops):
            elements.new(1.0)
        for element, (place, colour) in zip(elements, stops, strict=True):
            element.position, element.color = place, colour
        return node.outputs["Color"]

    def noise(self, vector: Any, scale: float, detail: float = 4.0, roughness: float = 0.5, **more: float) -> Any:
        """Return the strength of a fractal noise over `vector` (any unit; `scale` waves a unit)."""
        inputs = {"Vector": vector, "Scale": scale, "Detail": detail, "Roughness": roughness, **more}
        return self.add("TexNoise", inputs).outputs["Fac"]

    def stretched(self, vector: Any, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> Any:
        """Return `vector` scaled along each axis."""
        return self.add("Mapping", {"Vector": vector, "Scale": (x, y, z)}).outputs[0]

    def bump(self, height: Any, metres: float, strength: float = 1.0, normal: Any = None) -> Any:
        """Return the normal of a relief of that height; `metres` is the depth of a full step."""
        inputs = {"Height": height, "Distance": metres, "Strength": strength}
        if normal is not None:
            inputs["Normal"] = normal
        return self.add("Bump", inputs).outputs[0]

    def where(self, name: str = "Object") -> Any:
        """Return the texture coordinate `name`: Object (metres), UV (0 to 1), Generated."""
        return self.add("TexCoord").outputs[name]

    def surface(self, shader: Any) -> None:
        """End the tree in this shader."""
        self.add("OutputMaterial", {"Surface": shader.outputs[0]})
