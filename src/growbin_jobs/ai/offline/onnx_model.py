"""Writes the network as an ONNX model, in the protobuf wire format, by hand.

The ``onnx`` package would be a dependency of 20 MB for these few messages. Field numbers: ``onnx/onnx.proto``
(ir_version 8, opset 13); wire format: protobuf's encoding guide. The tests run the result in onnxruntime.
"""

from typing import Final

import numpy as np

from growbin_jobs.ai.offline.network import FEATURES, IMAGENET_CLASSES, INPUT_SIDE, Array, Convolution, Network

_IR_VERSION: Final = 8
_OPSET: Final = 13
_FLOAT: Final = 1  # TensorProto.DataType
_INT, _INTS = 2, 7  # AttributeProto.AttributeType


def build(network: Network) -> bytes:
    """Return the serialised model: input ``pixels`` (1, 3, 224, 224), outputs ``features`` and ``logits``."""
    graph = _Graph()
    value, side = "pixels", INPUT_SIDE
    for block in network.blocks:
        entry = value
        for convolution in block.convolutions:
            value = graph.convolution(value, convolution, side)
            side = -(-side // convolution.stride)
        if block.residual:
            value = graph.node("Add", [value, entry])
    pooled = graph.node("GlobalAveragePool", [value])
    graph.node("Flatten", [pooled], output="features")
    weight = graph.tensor(np.ascontiguousarray(network.linear_weight.T))
    product = graph.node("MatMul", ["features", weight])
    graph.node("Add", [product, graph.tensor(network.linear_bias)], output="logits")
    return _message(
        _number(1, _IR_VERSION),
        _text(2, "growbin-jobs"),
        _field(7, graph.serialise()),
        _field(8, _number(2, _OPSET)),
    )


class _Graph:
    """Collects the nodes and tensors of a GraphProto."""

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._tensors: list[bytes] = []
        self._low = self.tensor(np.array(0.0, np.float32))
        self._high = self.tensor(np.array(6.0, np.float32))

    def convolution(self, value: str, convolution: Convolution, side: int) -> str:
        before, after = convolution.padding(side)
        output = self.node(
            "Conv",
            [value, self.tensor(convolution.weight), self.tensor(convolution.bias)],
            _ints("strides", [convolution.stride] * 2),
            _ints("pads", [before, before, after, after]),
            _int("group", len(convolution.bias) if convolution.depthwise else 1),
        )
        return self.node("Clip", [output, self._low, self._high]) if convolution.activated else output

    def node(self, operator: str, inputs: list[str], *attributes: bytes, output: str | None = None) -> str:
        name = output or f"v{len(self._nodes)}"
        parts = [_text(1, value) for value in inputs]
        parts += [_text(2, name), _text(4, operator), *(_field(5, attribute) for attribute in attributes)]
        self._nodes.append(_message(*parts))
        return name

    def tensor(self, array: Array) -> str:
        name = f"t{len(self._tensors)}"
        dimensions = [_number(1, size) for size in array.shape]
        raw = array.astype("<f4").tobytes()
        self._tensors.append(_message(*dimensions, _number(2, _FLOAT), _text(8, name), _field(9, raw)))
        return name

    def serialise(self) -> bytes:
        return _message(
            *(_field(1, node) for node in self._nodes),
            _text(2, "efficientnet-lite0"),
            *(_field(5, tensor) for tensor in self._tensors),
            _field(11, _value("pixels", [1, 3, INPUT_SIDE, INPUT_SIDE])),
            _field(12, _value("features", [1, FEATURES])),
            _field(12, _value("logits", [1, IMAGENET_CLASSES])),
        )


def _value(name: str, shape: list[int]) -> bytes:
    dimensions = _message(*(_field(1, _number(1, size)) for size in shape))
    tensor_type = _message(_number(1, _FLOAT), _field(2, dimensions))
    return _message(_text(1, name), _field(2, _field(1, tensor_type)))


def _int(name: str, value: int) -> bytes:
    return _message(_text(1, name), _number(3, value), _number(20, _INT))


def _ints(name: str, values: list[int]) -> bytes:
    return _message(_text(1, name), *(_number(8, value) for value in values), _number(20, _INTS))


def _message(*fields: bytes) -> bytes:
    return b"".join(fields)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _field(field, value.encode())


def _field(field: int, payload: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
