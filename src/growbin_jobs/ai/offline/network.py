"""EfficientNet-Lite0 as plain data: 49 convolutions and a linear layer, batch normalisation folded in.

Both runtimes read this one description, so they cannot drift apart.
Source of the architecture: Tan & Le, "EfficientNet" (2019), table 1, in its Lite variant: no squeeze-and-excitation,
ReLU6 for swish, "SAME" padding as TensorFlow does it, batch normalisation with epsilon 1e-3.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

#: Side of the input, in pixels.
INPUT_SIDE: Final = 224
FEATURES: Final = 1280
IMAGENET_CLASSES: Final = 1000

_EPSILON = 1e-3
#: Stride of the depthwise convolution of each of the 16 blocks.
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution with bias, and ReLU6 after it where ``activated``.

    Attributes:
      weight: ``(out, in / groups, height, width)``; depthwise ones have ``in / groups == 1``.
      bias: ``(out,)``
      stride: In both directions.
    """

    weight: Array
    bias: Array
    stride: int
    activated: bool

    @property
    def depthwise(self) -> bool:
        """True where each channel has a filter of its own."""
        return int(self.weight.shape[1]) == 1

    @property
    def kernel(self) -> int:
        """Side of the filter."""
        return int(self.weight.shape[2])

    def padding(self, side: int) -> tuple[int, int]:
        """Return TensorFlow's "SAME" padding, before and after, for an input of this side: the odd one goes after."""
        total = max((-(-side // self.stride) - 1) * self.stride + self.kernel - side, 0)
        return total // 2, total - total // 2


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Convolutions in a row, and the input added to the output where ``residual``."""

    convolutions: tuple[Convolution, ...]
    residual: bool


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The blocks, then the mean over the picture (the features), then the linear layer (ImageNet's logits)."""

    blocks: tuple[Block, ...]
    linear_weight: Array
    linear_bias: Array


def fold(state: dict[str, npt.NDArray[Any]]) -> Network:
    """Build the network from a state dict, with every batch normalisation folded into the convolution before it."""

    def convolution(name: str, norm: str, *, stride: int = 1, activated: bool = True) -> Convolution:
        scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"].astype(np.float64) + _EPSILON)
        bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
        weight = state[f"{name}.weight"] * scale[:, None, None, None]
        return Convolution(weight.astype(np.float32), bias.astype(np.float32), stride, activated)

    def block(index: int, stride: int) -> Block:
        prefix = f"_blocks.{index}."
        row = []
        if f"{prefix}_expand_conv.weight" in state:
            row.append(convolution(f"{prefix}_expand_conv", f"{prefix}_bn0"))
        row.append(convolution(f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride))
        row.append(convolution(f"{prefix}_project_conv", f"{prefix}_bn2", activated=False))
        same_shape = stride == 1 and _inputs(row[0]) == len(row[-1].bias)
        return Block(tuple(row), residual=same_shape)

    stem = Block((convolution("_conv_stem", "_bn0", stride=2),), residual=False)
    top = Block((convolution("_conv_head", "_bn1"),), residual=False)
    body = (block(index, stride) for index, stride in enumerate(_STRIDES))
    return Network((stem, *body, top), state["_fc.weight"], state["_fc.bias"])


def _inputs(first: Convolution) -> int:
    return len(first.bias) if first.depthwise else int(first.weight.shape[1])
