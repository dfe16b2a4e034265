"""Take the renderer's noise away. Debian builds Blender without Open Image Denoise, so this does it in numpy.

The method is non-local means over two independent renderings (Rousselle, Knaus, Zwicker: Adaptive Rendering with
Non-Local Means Filtering, 2012): how alike two places are is judged in one rendering and used on the other, so that
noise never votes for itself. Colours are divided by the surface's own colour first: textures stay sharp, only light
is smoothed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

FLOOR = 0.02  # added to surface colours before dividing by them


def denoised(takes: Sequence[Sequence[Any]], reach: int = 5, trust: float = 0.9) -> Any:
    """Merge two noisy renderings of a scene into a smooth one.

    Parameters:
        takes: two renderings with different seeds, each (linear RGB, albedo, normal), float32 of shape
            (height, width, 3); the last two are the renderer's passes for denoising.
        reach: how far alike places are looked for (pixels).
        trust: how many times the noise's own spread two places may differ; more is smoother.

    Returns:
        linear RGB of the same shape.
    """
    surfaces = [np.clip(albedo, 0, 1) + FLOOR for _, albedo, _ in takes]
    lights = [
        np.log1p(4 * np.clip(colour, 0, 60) / surface) for (colour, _, _), surface in zip(takes, surfaces, strict=True)
    ]
    albedo, normal = ((takes[0][index] + takes[1][index]) / 2 for index in (1, 2))
    spread = _blurred(((lights[0] - lights[1]) ** 2).mean(axis=-1) / 2, 3) + 2e-5
    sums = [light.copy() for light in lights]
    weights = [np.ones(spread.shape, np.float32) for _ in lights]
    for down in range(reach + 1):
        for right in range(-reach if down else 1, reach + 1):
            shift = (down, right)
            same = _alike([albedo, normal], (0.012, 0.06), shift)
            noise = spread + _moved(spread, shift)
            votes = []
            for light in lights:
                apart = ((light - _moved(light, shift)) ** 2).mean(axis=-1)
                votes.append(same * np.exp(-np.maximum(0, _blurred((apart - noise) / (trust**2 * noise), 1))))
            for vote, light, total, weight in zip(reversed(votes), lights, sums, weights, strict=True):
                back = _moved(vote, (-down, -right))
                total += vote[..., None] * _moved(light, shift) + back[..., None] * _moved(light, (-down, -right))
                weight += vote + back
    merged = sum(total / weight[..., None] for total, weight in zip(sums, weights, strict=True)) / 2
    return np.expm1(merged) / 4 * sum(surfaces) / 2


def _alike(features: Sequence[Any], scales: Sequence[float], shift: tuple[int, int]) -> Any:
    """Return from 0 to 1 how alike the noise-free features are at places `shift` apart."""
    apart = 0
    for feature, scale in zip(features, scales, strict=True):
        apart = apart + ((feature - _moved(feature, shift)) ** 2).sum(axis=-1) / scale
    return np.exp(-apart)


def _moved(values: Any, shift: tuple[int, int]) -> Any:
    """Return the values found `shift` (rows, columns) further on, going round at the borders."""
    return np.roll(values, (-shift[0], -shift[1]), axis=(0, 1))


def _blurred(values: Any, radius: int) -> Any:
    """Return the mean over squares of 2 radius + 1 pixels."""
    for axis in (0, 1):
        values = sum(np.roll(values, step, axis=axis) for step in range(-radius, radius + 1)) / (2 * radius + 1)
    return values
