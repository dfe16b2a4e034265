"""Printing with Pillow: what the labels and the newspaper share. No real brand, no real news."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFont

FONTS = Path("/usr/share/fonts/truetype/nanum")
Colour = tuple[int, int, int] | int
INK = (34, 32, 36)


def chance(seed: int) -> random.Random:
    """Return the dice of one picture; the same seed throws the same."""
    return random.Random(seed)  # noqa: S311 - nothing to guess here


def font(name: str, size: int) -> Any:
    """Return a Nanum font (Debian's fonts-nanum): Gothic, GothicBold, Myeongjo, MyeongjoBold…; `size` in pixels."""
    return ImageFont.truetype(str(FONTS / f"Nanum{name}.ttf"), size)


def saved(picture: Image.Image, folder: Path, name: str) -> str:
    """Save a texture and return its path for Blender."""
    path = folder / f"{name}.png"
    picture.save(path)
    return str(path)


def barcode(draw: Any, box: tuple[int, int, int, int], rng: random.Random) -> None:
    """Draw bars that no shop sells by."""
    left, top, right, bottom = box
    draw.rectangle((left - 10, top - 8, right + 10, bottom + 8), fill=(246, 246, 244))
    x = left
    while x < right:
        bar = rng.choice((2, 2, 4, 6))
        draw.rectangle((x, top, min(x + bar, right), bottom), fill=INK)
        x += bar + rng.choice((2, 4, 4, 6))


def recycling(draw: Any, centre: tuple[float, float], radius: float, colour: Colour, text: str) -> None:
    """Draw three arrows around a word, in the manner of the Korean separate-disposal marks."""
    for part in range(3):
        start = part * 120 - 80
        box = [centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius]
        draw.arc(box, start, start + 82, fill=colour, width=max(2, int(radius / 6)))
        tip = np.radians(start + 100)
        base = np.radians(start + 80)
        inner, outer = radius * 0.74, radius * 1.16
        draw.polygon(
            [
                (centre[0] + np.cos(base) * inner, centre[1] + np.sin(base) * inner),
                (centre[0] + np.cos(base) * outer, centre[1] + np.sin(base) * outer),
                (centre[0] + np.cos(tip) * radius * 0.92, centre[1] + np.sin(tip) * radius * 0.92),
            ],
            fill=colour,
        )
    draw.text(centre, text, font=font("GothicBold", int(radius * 0.46)), fill=colour, anchor="mm")


def small_print(
    draw: Any, box: tuple[int, int, int, int], colour: Colour, size: int, rng: random.Random, face: str = "Gothic"
) -> None:
    """Fill a box with lines of Korean sentences."""
    left, top, right, bottom = box
    type_face = font(face, size)
    words: list[str] = []
    y = top
    while y + size <= bottom:
        line = ""
        while draw.textlength(line, font=type_face) < right - left:
            if not words:
                words = sentence(rng).split()
            line += words.pop(0) + " "
        line = line.rstrip()
        while line and draw.textlength(line, font=type_face) > right - left:
            line = line[:-1]
        draw.text((left, y), line, font=type_face, fill=colour)
        y += int(size * 1.42)


WHO = (
    "시민들은",
    "주민들은",
    "구청은",
    "전문가들은",
    "학생들은",
    "시장 상인들은",
    "연구진은",
    "동네 이웃들은",
    "환경 단체는",
    "도서관은",
)
WHEN = ("지난 주말", "올해 봄", "이번 달", "어제 오후", "내년부터", "최근", "아침마다", "매주 수요일", "장마가 끝난 뒤")
WHAT = (
    "빈 병을 씻어서",
    "종이를 가지런히 묶어",
    "골목 화단을 새로 가꾸고",
    "버려진 상자를 모아",
    "작은 음악회를 열어",
    "강가의 산책로를 고쳐",
    "헌 책을 서로 나누며",
    "자전거 길을 넓히고",
    "텃밭에 상추를 심어",
    "분리배출 요령을 배우며",
)
DID = (
    "큰 호응을 얻었다.",
    "함께 웃었다고 전했다.",
    "새 바람을 일으켰다.",
    "뜻을 모았다.",
    "반갑다고 말했다.",
    "계획을 밝혔다.",
    "눈길을 끌었다.",
)


def sentence(rng: random.Random) -> str:
    """Return an invented sentence of a local paper."""
    return f"{rng.choice(WHO)} {rng.choice(WHEN)} {rng.choice(WHAT)} {rng.choice(DID)}"
