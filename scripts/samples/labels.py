"""The labels, stamps and prints of the packages: all brands and addresses are invented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from prints import INK, barcode, chance, font, recycling, saved, small_print


def water_label(folder: Path) -> str:
    """Return the wrap-around label of a water bottle: width 0.2 m, height 0.052 m."""
    rng = chance(11)
    wide, high = 2400, 624
    down = np.linspace(0, 1, high)[:, None]
    across = np.linspace(0, 1, wide)[None, :]
    ridge = 0.56 + 0.10 * np.sin(across * 37.7) + 0.06 * np.sin(across * 88 + 1) + 0.03 * np.sin(across * 201)
    sky = np.array([28, 110, 190]) + (np.array([150, 212, 238]) - np.array([28, 110, 190])) * down[..., None] ** 0.8
    hill = np.array([22, 74, 140]) + np.zeros((high, wide, 1)) + 26 * (down - ridge)[..., None]
    far = 0.44 + 0.07 * np.sin(across * 25.1 + 2) + 0.04 * np.sin(across * 119)
    art = np.where((down > far)[..., None], np.array([90, 158, 208]), sky + np.zeros((high, wide, 3)))
    art = np.where((down > ridge)[..., None], hill, art)
    picture = Image.fromarray(art.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for left in (0, wide // 2):
        draw.text((left + 420, 215), "맑은골", font=font("SquareB", 210), fill=(255, 255, 255), anchor="mm")
        draw.text((left + 420, 372), "산속 깊은 샘물", font=font("GothicBold", 70), fill=(255, 255, 255), anchor="mm")
        draw.text(
            (left + 420, 545), "NATURAL WATER  500 mL", font=font("GothicBold", 50), fill=(236, 246, 255), anchor="mm"
        )
    small_print(draw, (830, 70, 1160, 420), (255, 255, 255), 22, rng)
    barcode(draw, (2040, 110, 2340, 330), rng)
    recycling(draw, (2190, 480), 75, (255, 255, 255), "페트")
    draw.rectangle((0, 0, wide, 16), fill=(250, 250, 252))
    draw.rectangle((0, high - 16, wide, high), fill=(250, 250, 252))
    return saved(picture, folder, "water_label")


def can_print(folder: Path) -> tuple[str, str]:
    """Return the print of a drink can and its mask (white where opaque ink hides the metal), 0.207 × 0.1 m."""
    rng = chance(5)
    wide, high = 2484, 1200
    picture = Image.new("RGB", (wide, high), (214, 218, 216))
    opaque = Image.new("L", (wide, high), 40)
    draw, hide = ImageDraw.Draw(picture), ImageDraw.Draw(opaque)
    for offset in (0, wide // 2):
        wave = [(offset + x, 760 + 90 * np.sin(x / wide * 4 * np.pi)) for x in range(0, wide // 2 + 1, 6)]
        band = wave + [(x, y + 70 + 50 * np.cos((x - offset) / wide * 4 * np.pi)) for x, y in reversed(wave)]
        draw.polygon(band, fill=(150, 200, 60))
        hide.polygon(band, fill=255)
        under = [*wave, (offset + wide // 2, high), (offset, high)]
        draw.polygon([(x, y + (150 if i < len(wave) else 0)) for i, (x, y) in enumerate(under)], fill=(12, 78, 66))
        centre = offset + wide // 4
        for place, text, face, size, ink in (
            (350, "톡톡", "SquareB", 330, (10, 104, 70)),
            (575, "청포도 탄산", "GothicBold", 130, (10, 104, 70)),
            (1010, "SPARKLING  355 mL", "GothicBold", 66, (255, 252, 245)),
        ):
            draw.text((centre, place), text, font=font(face, size), fill=ink, anchor="mm")
            hide.text((centre, place), text, font=font(face, size), fill=255, anchor="mm")
        for _ in range(60):
            x, y, r = centre + rng.gauss(0, 260), rng.uniform(30, 720), rng.uniform(4, 17)
            draw.ellipse((x - r, y - r, x + r, y + r), outline=(60, 150, 96), width=3)
    small_print(draw, (1080, 120, 1400, 560), (30, 70, 52), 24, rng)
    barcode(draw, (1120, 920, 1360, 1100), rng)
    hide.rectangle((1110, 912, 1370, 1108), fill=255)
    recycling(draw, (2400, 980), 62, (240, 252, 240), "캔류")
    return saved(picture, folder, "can_print"), saved(opaque, folder, "can_mask")


def paper_label(folder: Path) -> str:
    """Return the paper label of a glass bottle, 0.098 × 0.07 m."""
    rng = chance(23)
    wide, high = 1400, 1000
    picture = Image.new("RGB", (wide, high), (243, 238, 222))
    draw = ImageDraw.Draw(picture)
    green, gold = (24, 84, 52), (176, 138, 60)
    draw.rectangle((26, 26, wide - 26, high - 26), outline=gold, width=8)
    draw.rectangle((44, 44, wide - 44, high - 44), outline=green, width=3)
    draw.pieslice((450, -110, 950, 390), 0, 180, fill=green)
    for turn in np.linspace(15, 165, 11):
        x, y = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        draw.line((700 + 260 * x, 140 + 260 * y, 700 + 320 * x, 140 + 320 * y), fill=gold, width=8)
    draw.text((700, 250), "SINCE 2021", font=font("GothicBold", 50), fill=(243, 238, 222), anchor="mm")
    draw.text((700, 600), "노을언덕", font=font("MyeongjoBold", 220), fill=green, anchor="mm")
    draw.text((700, 795), "사과 발효 음료  360 mL", font=font("MyeongjoBold", 66), fill=gold, anchor="mm")
    small_print(draw, (330, 862, 1080, 930), (90, 88, 80), 26, rng)
    return saved(picture, folder, "paper_label")


def box_print(folder: Path) -> str:
    """Return the stamp on a parcel's side, black ink on white to be multiplied into the board: 0.4 × 0.26 m."""
    wide, high = 2000, 1300
    picture = Image.new("L", (wide, high), 255)
    draw = ImageDraw.Draw(picture)
    for x in (190, 470):  # this way up
        draw.rectangle((x, 380, x + 60, 600), fill=30)
        draw.polygon([(x - 75, 390), (x + 135, 390), (x + 30, 230)], fill=30)
    draw.rectangle((90, 650, 620, 680), fill=30)
    draw.polygon([(820, 230), (1080, 230), (1040, 430), (860, 430)], fill=30)  # a glass: fragile
    draw.polygon([(950, 230), (985, 300), (940, 330), (975, 400), (1000, 320), (1030, 230)], fill=255)
    draw.rectangle((938, 430, 962, 590), fill=30)
    draw.rectangle((850, 590, 1050, 625), fill=30)
    draw.arc((1230, 250, 1670, 640), 180, 360, fill=30, width=26)  # an umbrella: keep dry
    draw.chord((1240, 260, 1660, 640), 180, 360, fill=30)
    draw.rectangle((1438, 440, 1462, 640), fill=30)
    draw.text((90, 760), "취급주의", font=font("SquareB", 190), fill=30)
    draw.text((90, 1000), "햇살 과수원  사과 5 kg", font=font("GothicBold", 110), fill=30)
    draw.text((90, 1150), "BOX NO. B-402   400×300×260 mm", font=font("GothicBold", 62), fill=30)
    ring = Image.new("L", (440, 440), 255)
    recycling(ImageDraw.Draw(ring), (220, 220), 165, 30, "종이")
    picture.paste(ring, (1440, 800))
    worn = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.2)), float)
    speckle = np.random.default_rng(4).random((high, wide))
    worn = 255 - (255 - worn) * np.where(speckle > 0.16, 0.94, 0.55)
    return saved(Image.fromarray(worn.astype(np.uint8)), folder, "box_print")


def parcel_label(folder: Path) -> str:
    """Return a shipping label with nobody's address, 0.12 × 0.09 m."""
    rng = chance(8)
    picture = Image.new("RGB", (1200, 900), (248, 248, 246))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((14, 14, 1186, 886), outline=INK, width=5)
    draw.text((50, 40), "새벽택배", font=font("SquareB", 110), fill=(20, 90, 160))
    draw.text((1150, 60), "B4-17", font=font("SquareB", 130), fill=INK, anchor="ra")
    for y in (200, 420, 560):
        draw.line((14, y, 1186, y), fill=INK, width=5)
    draw.text((50, 220), "받는 분", font=font("GothicBold", 46), fill=INK)
    draw.text((50, 285), "홍길동  예시시 보기로 12", font=font("GothicBold", 78), fill=INK)
    draw.text((50, 450), "사과 5 kg · 1 / 1", font=font("GothicBold", 64), fill=INK)
    barcode(draw, (60, 600, 840, 820), rng)
    draw.text((900, 640), "착불", font=font("SquareB", 110), fill=(190, 30, 30))
    return saved(picture, folder, "parcel_label")


def fluting(folder: Path) -> str:
    """Return the cut edge of corrugated board: two liners and the wave between, 0.032 × 0.004 m."""
    wide, high = 1024, 128
    down, across = np.mgrid[0:high, 0:wide]
    wave = high / 2 + (high / 2 - 16) * np.sin(across / wide * 2 * np.pi * 4)
    slope = np.abs(np.cos(across / wide * 2 * np.pi * 4))
    paper = (np.abs(down - wave) < 8 + 14 * slope) | (down < 13) | (down > high - 14)
    art = np.where(paper[..., None], np.array([196, 152, 104]), np.array([46, 30, 18])).astype(float)
    art += np.random.default_rng(2).normal(0, 9, (high, wide, 1))
    picture = Image.fromarray(art.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
    return saved(picture, folder, "fluting")
