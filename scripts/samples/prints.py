"""What is printed on the things: invented labels and pages, drawn with Pillow. No real brand, no real news."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = Path("/usr/share/fonts/truetype/nanum")
Colour = tuple[int, int, int]
INK = (34, 32, 36)


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


WHO = ["시민들은", "주민들은", "구청은", "전문가들은", "학생들은", "시장 상인들은", "연구진은", "동네 이웃들은", "환경 단체는", "도서관은"]
WHEN = ["지난 주말", "올해 봄", "이번 달", "어제 오후", "내년부터", "최근", "아침마다", "매주 수요일", "장마가 끝난 뒤"]
WHAT = ["빈 병을 씻어서", "종이를 가지런히 묶어", "골목 화단을 새로 가꾸고", "버려진 상자를 모아", "작은 음악회를 열어", "강가의 산책로를 고쳐", "헌 책을 서로 나누며", "자전거 길을 넓히고", "텃밭에 상추를 심어", "분리배출 요령을 배우며"]
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
DID = ["큰 호응을 얻었다.", "함께 웃었다고 전했다.", "새 바람을 일으켰다.", "뜻을 모았다.", "반갑다고 말했다.", "계획을 밝혔다.", "눈길을 끌었다."]


def sentence(rng: random.Random) -> str:
    """Return an invented sentence of a local paper."""
    return f"{rng.choice(WHO)} {rng.choice(WHEN)} {rng.choice(WHAT)} {rng.choice(DID)}"


def water_label(folder: Path) -> str:
    """Return the wrap-around label of a water bottle: width 0.2 m, height 0.052 m."""
    rng = random.Random(11)
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
        draw.text((left + 420, 545), "NATURAL WATER  500 mL", font=font("GothicBold", 50), fill=(236, 246, 255), anchor="mm")
    small_print(draw, (830, 70, 1160, 420), (255, 255, 255), 22, rng)
    barcode(draw, (2040, 110, 2340, 330), rng)
    recycling(draw, (2190, 480), 75, (255, 255, 255), "페트")
    draw.rectangle((0, 0, wide, 16), fill=(250, 250, 252))
    draw.rectangle((0, high - 16, wide, high), fill=(250, 250, 252))
    return saved(picture, folder, "water_label")


def can_print(folder: Path) -> tuple[str, str]:
    """Return the print of a drink can and its mask (white where opaque ink hides the metal), 0.207 × 0.1 m."""
    rng = random.Random(5)
    wide, high = 2484, 1200
    picture = Image.new("RGB", (wide, high), (214, 218, 216))
    opaque = Image.new("L", (wide, high), 40)
    draw, hide = ImageDraw.Draw(picture), ImageDraw.Draw(opaque)
    for offset in (0, wide // 2):
        wave = [(offset + x, 760 + 90 * np.sin(x / wide * 4 * np.pi)) for x in range(0, wide // 2 + 1, 6)]
        band = wave + [(x, y + 70 + 50 * np.cos((x - offset) / wide * 4 * np.pi)) for x, y in reversed(wave)]
        draw.polygon(band, fill=(150, 200, 60))
        hide.polygon(band, fill=255)
        under = wave + [(offset + wide // 2, high), (offset, high)]
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
    rng = random.Random(23)
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
    recycling(ImageDraw.Draw(ring), (220, 220), 165, (30,), "종이")  # type: ignore[arg-type]
    picture.paste(ring, (1440, 800))
    worn = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.2)), float)
    speckle = np.random.default_rng(4).random((high, wide))
    worn = 255 - (255 - worn) * np.where(speckle > 0.16, 0.94, 0.55)
    return saved(Image.fromarray(worn.astype(np.uint8)), folder, "box_print")


def parcel_label(folder: Path) -> str:
    """Return a shipping label with nobody's address, 0.12 × 0.09 m."""
    rng = random.Random(8)
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


def newspaper_page(folder: Path, seed: int, front: bool = True) -> str:
    """Return one page of an invented local newspaper, 0.39 × 0.54 m."""
    rng = random.Random(seed)
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
