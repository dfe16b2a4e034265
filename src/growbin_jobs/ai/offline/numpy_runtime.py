"""Runs the network on numpy alone, where onnxruntime is not installed; about four times slower."""

from collections.abc import Callable, Iterator

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from growbin_jobs.ai.offline.network import Array, Block, Convolution, Network


class NumpyRuntime:
    """Runs the network. Calls from several threads at once are fine; most of the time is spent without the GIL.

    Parameters:
      network: The folded network.
    """

    name = "numpy"

    def __init__(self, network: Network) -> None:
        # BLAS would start a thread a core for each of the AI worker's threads.
        threadpool_limits(limits=1, user_api="blas")
        self._blocks = [_compile_block(block) for block in network.blocks]
        self._linear_weight = np.ascontiguousarray(network.linear_weight.T)
        self._linear_bias = network.linear_bias

    def run(self, pixels: Array) -> tuple[Array, Array]:
        """Return the features ``(1280,)`` and ImageNet's logits ``(1000,)`` of one picture ``(224, 224, 3)``."""
        activation = pixels
        for block in self._blocks:
            activation = block(activation)
        features: Array = activation.mean(axis=(0, 1))
        return features, features @ self._linear_weight + self._linear_bias


Step = Callable[[Array], Array]


def _compile_block(block: Block) -> Step:
    steps = [_compile(convolution) for convolution in block.convolutions]

    def run(activation: Array) -> Array:
        output = activation
        for step in steps:
            output = step(output)
        return output + activation if block.residual else output

    return run


def _compile(convolution: Convolution) -> Step:
    if convolution.depthwise:
        return _depthwise(convolution)
    return _pointwise(convolution) if convolution.kernel == 1 else _dense(convolution)


def _finish(output: Array, convolution: Convolution) -> Array:
    output += convolution.bias
    if convolution.activated:
        np.clip(output, 0.0, 6.0, out=output)
    return output


def _pointwise(convolution: Convolution) -> Step:
    weight = np.ascontiguousarray(convolution.weight[:, :, 0, 0].T)

    def run(activation: Array) -> Array:
        height, width, channels = activation.shape
        output: Array = activation.reshape(-1, channels) @ weight
        return _finish(output, convolution).reshape(height, width, -1)

    return run


def _dense(convolution: Convolution) -> Step:
    # (out, in, y, x) -> (y·x·in, out): one matrix product over all windows.
    weight = np.ascontiguousarray(convolution.weight.transpose(2, 3, 1, 0).reshape(-1, len(convolution.bias)))

    def run(activation: Array) -> Array:
        windows = np.concatenate(list(_windows(activation, convolution)), axis=2)
        height, width, numbers = windows.shape
        output: Array = windows.reshape(-1, numbers) @ weight
        return _finish(output, convolution).reshape(height, width, -1)

    return run


def _depthwise(convolution: Convolution) -> Step:
    taps = np.ascontiguousarray(convolution.weight[:, 0].reshape(len(convolution.bias), -1).T)

    def run(activation: Array) -> Array:
        windows = _windows(activation, convolution)
        output: Array = next(windows) * taps[0]
        product = np.empty_like(output)
        for tap, window in zip(taps[1:], windows, strict=True):
            np.multiply(window, tap, out=product)
            output += product
        return _finish(output, convolution)

    return run


def _windows(activation: Array, convolution: Convolution) -> Iterator[Array]:
    before, after = convolution.padding(activation.shape[0])
    padded = np.pad(activation, ((before, after), (before, after), (0, 0)))
    stride, kernel = convolution.stride, convolution.kernel
    reach = padded.shape[0] - kernel + 1
    for y in range(kernel):
        for x in range(kernel):
            yield padded[y : y + reach : stride, x : x + reach : stride]
