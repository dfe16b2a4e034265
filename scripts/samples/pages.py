"""The pages of an invented local newspaper."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from prints import INK, chance, font, saved, sentence, small_print

HEADS = (
    ("강변 산책로", "다시 열린다"),
    ("헌책 나눔에", "이웃 북적"),
    ("비 온 뒤", "텃밭 풍년"),
    ("골목 화단", "꽃길이 되다"),
    ("아이들이 만든", "작은 음악회"),
    ("우유갑 모아", "화장지로"),
    ("새 도서관", "가을에 문 연다"),
    ("투명 페트병", "따로 모은다"),
)


def newspaper_page(folder: Path, seed: int, front: bool = True) -> str:
    """Return one page of an invented local newspaper, 0.39 × 0.54 m."""
    rng = chance(seed)
    wide, high = 2184, 3024
    picture = Image.new("RGB", (wide, high), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    top = 110
    if front:
        draw.text((wide // 2, 190), "마을신문", font=font("MyeongjoBold", 230), fill=INK, anchor="mm")
        draw.text((110, 200), "제 1204 호", font=font("Gothic", 40), fill=INK, anchor="lm")
        draw.text((wide - 110, 200), "맑음 · 24도", font=font("Gothic", 40), fill=INK, anchor="rm")
        draw.line((100, 330, wide - 100, 330), fill=INK, width=8)
        draw.line((100, 344, wide - 100, 344), fill=INK, width=3)
        draw.text((110, 362), "동네가 깨끗해졌다", font=font("MyeongjoBold", 150), fill=INK)
        draw.text((1350, 398), "분리배출 넉 달, 쓰레기 절반으로", font=font("GothicBold", 56), fill=INK)
        draw.text((1350, 470), "줄어… 이웃 구에서도 배우러 와", font=font("GothicBold", 56), fill=INK)
        top = 580
    _columns(draw, picture, top, wide, high, rng, front)
    soft = picture.filter(ImageFilter.GaussianBlur(0.7))
    return saved(soft, folder, f"page{seed}")


def _columns(draw: Any, picture: Image.Image, top: int, wide: int, high: int, rng: random.Random, front: bool) -> None:
    """Fill a page below `top` with columns of text, headlines and pictures."""
    count, gap = 6, 36
    column = (wide - 200 - gap * (count - 1)) // count
    free = [top] * count
    heads = rng.sample(HEADS, len(HEADS)) * 4
    turn = -1
    for index in range(1, count):
        x = 100 + index * (column + gap) - gap // 2
        draw.line((x, top, x, high - 130), fill=(170, 170, 174), width=2)
    spans = [(1, 3, 520)] if front else [(1, 3, 560), (0, 2, 360)]
    for first, span, tall in spans:
        y = max(free[first : first + span])
        left, across = 100 + first * (column + gap), column * span + gap * (span - 1)
        draw.rectangle((left, y, left + across, y + tall + 60), fill=(255, 255, 255))
        picture.paste(landscape(across, tall, rng, front), (left, y))
        draw.text((left, y + tall + 12), sentence(rng), font=font("Gothic", 30), fill=(70, 70, 74))
        free[first : first + span] = [y + tall + 80] * span
    for index in range(count):
        left, y = 100 + index * (column + gap), free[index]
        while y < high - 320:
            for line in heads[turn := turn + 1]:
                draw.text((left, y), line, font=font("MyeongjoBold", 48), fill=INK)
                y += 60
            bottom = min(high - 130, y + rng.randrange(420, 900))
            small_print(draw, (left, y + 14, left + column, bottom), (52, 50, 54), 29, rng, "Myeongjo")
            y = bottom + 50
            draw.line((left, y - 28, left + column, y - 28), fill=(120, 120, 124), width=2)


def cloudy(wide: int, high: int, seed: int, octaves: int = 7) -> Any:
    """Return a fractal noise from 0 to 1, shape (high, wide)."""
    total = np.zeros((high, wide))
    rng = np.random.default_rng(seed)
    for octave in range(octaves):
        cells = 3 * 2**octave
        small = Image.fromarray((rng.random((cells, cells)) * 255).astype(np.uint8))
        total += np.asarray(small.resize((wide, high), Image.Resampling.BICUBIC), float) / 255 / 1.9**octave
    return (total - total.min()) / (total.max() - total.min())


def landscape(wide: int, high: int, rng: random.Random, colour: bool) -> Image.Image:
    """Return a printed photo of wooded hills in the haze over a lake, with the raster of the press."""
    down, across = np.mgrid[0 : 1 : high * 1j, 0 : 1 : wide * 1j]
    seed = rng.randrange(10**6)
    cloud = cloudy(wide, high, seed)[..., None].clip(0.35, 0.8)
    art = np.array([120, 158, 200]) + (np.array([238, 238, 236]) - np.array([120, 158, 200])) * (cloud - 0.35) / 0.45
    for layer in range(4):
        ridge = cloudy(wide, 8, seed + layer + 1, 8)[4] * (0.34 - 0.05 * layer) + 0.22 + 0.11 * layer
        leaves = cloudy(wide, high, seed + 20 + layer, 9)[..., None]
        haze = 0.72 - 0.22 * layer
        trees = np.array([34, 58, 30]) + np.array([70, 84, 40]) * (leaves - 0.3)
        slope = trees * (1 - haze) + np.array([168, 186, 200]) * haze
        art = np.where((down > ridge[None, :])[..., None], slope, art)
    ripple = cloudy(wide, high, seed + 40, 9)
    shore = 0.80 + 0.03 * np.sin(across * 5 + 1)
    water = art[::-1] * 0.55 + (40 + 60 * np.roll(ripple, 3, 0) * (down - 0.7))[..., None]
    art = np.where((down > shore)[..., None], water, art)
    art = (art - 128) * 1.15 + 128 + np.random.default_rng(seed).normal(0, 7, art.shape)
    if not colour:
        art = np.repeat(art.mean(axis=-1, keepdims=True), 3, axis=-1)
    raster = 14 * np.sin(across * wide * 0.9) * np.sin(down * high * 0.9)
    return Image.fromarray((art * 0.94 + 16 + raster[..., None]).clip(0, 255).astype(np.uint8))
