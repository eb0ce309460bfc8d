"""Product pictures drawn with Pillow: a thing on a table, in two colours and a motif.

Coordinates are hundredths of the picture's side. Everything is drawn at twice the final size
and scaled down, which smooths the edges.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont

SIDE = 640  #: of the final picture, in pixels
_DRAWN = SIDE * 2
_UNIT = _DRAWN / 100

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be seen: one of `PACKAGES` (with one of `MOTIFS`) or `TEAWARE`, before a ground."""

    shape: str
    body: str  #: "#rrggbb"
    ground: str  #: "#rrggbb"
    motif: str = ""


def draw(picture: Picture, caption: str) -> bytes:
    """The picture as JPEG, the same each time. Packages carry the caption."""
    canvas = _Canvas(ImageColor.getrgb(picture.ground)[:3])
    colour = ImageColor.getrgb(picture.body)[:3]
    if picture.shape in PACKAGES:
        PACKAGES[picture.shape](canvas, colour, picture.motif, caption)
    else:
        TEAWARE[picture.shape](canvas, colour)
    return canvas.jpeg()


def draw_missing() -> bytes:
    """The picture of a product without one, as PNG."""
    canvas = _Canvas((235, 233, 228))
    _motif_leaf(canvas, 50, 52, 16, (200, 196, 188))
    return canvas.png()


# The canvas


class _Canvas:
    def __init__(self, ground: Colour) -> None:
        self.ground = ground
        self.image = _vertical(_lighter(ground, 0.45), ground)
        self.ellipse((14, 8, 86, 80), _lighter(ground, 0.35))
        self.image.paste(
            _vertical(_darker(ground, 0.10), _darker(ground, 0.03)), mask=_mask((0, 76, 100, 100))
        )

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image)

    def ellipse(self, box: Box, fill: Colour) -> None:
        self.pen.ellipse(_pixels(box), fill=fill)

    def box(self, box: Box, fill: Colour, radius: float = 0) -> None:
        self.pen.rounded_rectangle(_pixels(box), radius=radius * _UNIT, fill=fill)

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self.pen.polygon([(x * _UNIT, y * _UNIT) for x, y in points], fill=fill)

    def stroke(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """A line with round ends and joints."""
        self.pen.line([(x * _UNIT, y * _UNIT) for x, y in points], fill, round(width * _UNIT), joint="curve")
        for x, y in (points[0], points[-1]):
            self.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill)

    def solid(self, colour: Colour, cut: Callable[[ImageDraw.ImageDraw], None], box: Box) -> None:
        """What `cut` draws in white, filled as a round body that stands in light from the left."""
        mask = Image.new("L", (_DRAWN, _DRAWN))
        cut(ImageDraw.Draw(mask))
        left, _, right, _ = box
        self.image.paste(_round_shading(colour, left, right), mask=mask)

    def shadow(self, box: Box) -> None:
        """A soft shadow on the table."""
        mask = Image.new("L", (_DRAWN, _DRAWN))
        ImageDraw.Draw(mask).ellipse(_pixels(box), fill=120)
        mask = mask.filter(ImageFilter.GaussianBlur(1.6 * _UNIT))
        self.image.paste(_mixed(self.ground, (58, 50, 48), 0.55), (0, 0, _DRAWN, _DRAWN), mask)

    def text(self, centre: Point, words: str, fill: Colour, size: float, width: float) -> None:
        """Words in capitals, one below the other, as large as fits into `width` hundredths."""
        lines = words.upper().split("\n")
        font = ImageFont.load_default(size * _UNIT)
        widest = max(font.getlength(line) for line in lines)
        if widest > width * _UNIT:
            font = ImageFont.load_default(size * _UNIT * width * _UNIT / widest)
        self.pen.multiline_text(
            (centre[0] * _UNIT, centre[1] * _UNIT),
            "\n".join(lines),
            fill,
            font,
            anchor="mm",
            align="center",
            spacing=0.8 * _UNIT,
        )

    def finished(self) -> Image.Image:
        return self.image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)

    def jpeg(self) -> bytes:
        file = BytesIO()
        self.finished().save(file, "JPEG", quality=88)
        return file.getvalue()

    def png(self) -> bytes:
        file = BytesIO()
        self.finished().save(file, "PNG", optimize=True)
        return file.getvalue()


# Packages


def _tin(canvas: _Canvas, colour: Colour, motif: str, caption: str) -> None:
    canvas.shadow((24, 78, 84, 88))
    body, lid = (28, 27, 72, 83), (26.5, 17, 73.5, 29)
    canvas.solid(colour, lambda pen: _cylinder(pen, body, 3.2), body)
    canvas.solid(_darker(colour, 0.25), lambda pen: _cylinder(pen, lid, 3.2), lid)
    canvas.ellipse((26.5, 13.8, 73.5, 20.2), _lighter(colour, 0.22))
    canvas.ellipse((30, 14.9, 70, 19.1), _lighter(colour, 0.12))
    label = (28, 39, 72, 76)
    canvas.solid((250, 246, 236), lambda pen: _band(pen, label, 3.2), label)
    MOTIFS[motif](canvas, 50, 53, 8.5, colour)
    canvas.text((50, 68.5), _two_lines(caption), _darker(colour, 0.2), 3.6, 38)


def _pouch(canvas: _Canvas, colour: Colour, motif: str, caption: str) -> None:
    canvas.shadow((22, 79, 82, 88))
    outline = [(27, 20), (73, 20), (75.5, 82), (71, 85), (29, 85), (24.5, 82)]
    canvas.solid(colour, lambda pen: pen.polygon([_pixel(p) for p in outline], 255), (24, 20, 76, 85))
    canvas.polygon([(27, 20), (73, 20), (73.2, 27), (26.8, 27)], _darker(colour, 0.22))
    for x in (36, 50, 64):
        canvas.stroke([(x, 22), (x, 25)], _lighter(colour, 0.15), 0.5)
    canvas.box((33, 35, 67, 77), (250, 246, 236), radius=17)
    MOTIFS[motif](canvas, 50, 50, 9.5, colour)
    canvas.text((50, 68), _two_lines(caption), _darker(colour, 0.2), 3.3, 27)


def _box(canvas: _Canvas, colour: Colour, motif: str, caption: str) -> None:
    canvas.shadow((12, 78, 92, 89))
    ribbon = (244, 226, 190)
    canvas.box((16, 40, 84, 84), colour, radius=1.5)
    canvas.polygon([(16, 66), (84, 58), (84, 84), (16, 84)], _darker(colour, 0.08))
    canvas.box((13.5, 31, 86.5, 43), _lighter(colour, 0.10), radius=1.5)
    canvas.box((46, 31, 54, 84), ribbon)
    canvas.box((46, 43, 54, 44), _darker(ribbon, 0.2))
    for side in (-1, 1):
        bow = [(50, 31), (50 + side * 9, 18), (50 + side * 19, 19), (50 + side * 17, 28), (50, 31)]
        canvas.polygon(_smooth(bow), ribbon)
        canvas.polygon(
            _smooth([(50, 31), (50 + side * 8, 23), (50 + side * 14, 24), (50, 31)]), _darker(ribbon, 0.15)
        )
    canvas.ellipse((46.5, 27.5, 53.5, 34.5), _darker(ribbon, 0.08))
    MOTIFS[motif](canvas, 31, 63, 8.5, _lighter(colour, 0.35))
    canvas.box((58, 55, 81, 70), (250, 246, 236), radius=1)
    canvas.text((69.5, 62.5), _two_lines(caption), _darker(colour, 0.2), 3, 20)


# Teaware


def _teapot(canvas: _Canvas, colour: Colour) -> None:
    canvas.shadow((20, 76, 84, 87))
    dark = _darker(colour, 0.15)
    canvas.stroke(_arc((74, 54), 13, 15, -100, 100), dark, 4.5)
    canvas.polygon(_smooth([(32, 62), (16, 50), (10, 36), (15.5, 35), (23, 46), (36, 48)]), dark)
    body = (24, 36, 76, 82)
    canvas.solid(colour, lambda pen: pen.ellipse(_pixels(body), 255), body)
    canvas.box((38, 79, 62, 83), dark, radius=1.5)
    canvas.solid(
        _lighter(colour, 0.12), lambda pen: pen.ellipse(_pixels((36, 31, 64, 43)), 255), (36, 31, 64, 43)
    )
    canvas.ellipse((46, 24, 54, 33), dark)
    canvas.stroke(_arc((50, 59), 20, 17, 205, 250), _lighter(colour, 0.35), 1.6)


def _cup(canvas: _Canvas, colour: Colour) -> None:
    canvas.shadow((18, 76, 84, 88))
    canvas.ellipse((16, 74, 84, 86), _darker(colour, 0.10))
    canvas.ellipse((18, 73, 82, 83), _lighter(colour, 0.25))
    canvas.stroke(_arc((72, 54), 11, 11, -95, 105), _darker(colour, 0.08), 4)
    outline = [(27, 40), (28, 60), (37, 76), (50, 79), (63, 76), (72, 60), (73, 40)]
    canvas.solid(
        colour, lambda pen: pen.polygon([_pixel(p) for p in _smooth(outline)], 255), (27, 40, 73, 79)
    )
    canvas.ellipse((26.8, 34, 73.2, 47), _lighter(colour, 0.35))
    canvas.ellipse((29.5, 36, 70.5, 46), (158, 94, 42))
    canvas.ellipse((33, 38, 58, 43), (178, 114, 58))
    _steam(canvas)


def _glass(canvas: _Canvas, colour: Colour) -> None:
    canvas.shadow((26, 79, 82, 88))
    wall = _lighter(canvas.ground, 0.55)
    canvas.stroke(_arc((71, 54), 12, 14, -95, 95), _darker(wall, 0.08), 3.5)
    canvas.box((29, 24, 71, 84), wall, radius=8)
    tea = (33, 40, 67, 80)
    canvas.solid(colour, lambda pen: pen.rounded_rectangle(_pixels(tea), 6 * _UNIT, 255), tea)
    canvas.ellipse((33, 36.5, 67, 43.5), _lighter(colour, 0.25))
    canvas.box((39, 28, 61, 62), (176, 180, 184), radius=3)
    for x in range(42, 60, 3):
        for y in range(45, 60, 3):
            canvas.ellipse((x - 0.6, y - 0.6, x + 0.6, y + 0.6), (120, 104, 88))
    canvas.box((36, 25, 64, 31), (205, 208, 211), radius=2)
    canvas.stroke([(32, 34), (32, 70)], _lighter(wall, 0.8), 1)


def _scoop(canvas: _Canvas, colour: Colour) -> None:
    canvas.shadow((14, 66, 66, 82))
    canvas.stroke([(46, 56), (84, 22)], _darker(colour, 0.1), 4)
    canvas.stroke([(47, 54.5), (83, 22)], _lighter(colour, 0.25), 1)
    canvas.ellipse((79, 15, 89, 25), _darker(colour, 0.1))
    canvas.ellipse((82, 18, 86, 22), _lighter(canvas.ground, 0.3))
    bowl = (14, 46, 58, 76)
    canvas.solid(colour, lambda pen: pen.ellipse(_pixels(bowl), 255), bowl)
    canvas.ellipse((18, 48, 54, 68), _darker(colour, 0.3))
    for x, y, turn in (
        (28, 58, 20),
        (36, 55, 70),
        (44, 59, -30),
        (33, 62, 120),
        (40, 63, 200),
        (26, 54, 250),
    ):
        _blade(canvas, (x, y), turn, 6, (66, 92, 52))


def _whisk(canvas: _Canvas, colour: Colour) -> None:
    canvas.shadow((28, 79, 74, 87))
    for step in range(-14, 15):
        x = step * 1.35
        curve = _smooth(
            [(50 + x * 0.45, 46), (50 + x * 1.1, 60), (50 + x, 76), (50 + x * 0.75, 82)], closed=False
        )
        canvas.stroke(curve, _darker(colour, 0.04 * (step % 3)), 0.8)
    handle = (41, 16, 59, 48)
    canvas.solid(colour, lambda pen: pen.rounded_rectangle(_pixels(handle), 2 * _UNIT, 255), handle)
    canvas.box((40, 43, 60, 48), (52, 60, 66), radius=1)
    canvas.box((41, 25, 59, 26), _darker(colour, 0.18))
    canvas.ellipse((41, 14, 59, 18.5), _lighter(colour, 0.25))


def _kettle(canvas: _Canvas, colour: Colour) -> None:
    canvas.shadow((22, 78, 86, 88))
    dark = _darker(colour, 0.35)
    canvas.stroke(
        _smooth([(34, 74), (18, 70), (22, 46), (14, 32), (8, 31)], closed=False), _lighter(colour, 0.1), 3.4
    )
    canvas.stroke(_smooth([(66, 40), (88, 36), (88, 66), (80, 72)], closed=False), dark, 5)
    outline = [(36, 36), (64, 36), (73, 80), (70, 83), (30, 83), (27, 80)]
    canvas.solid(colour, lambda pen: pen.polygon([_pixel(p) for p in outline], 255), (27, 36, 73, 83))
    canvas.solid(
        _lighter(colour, 0.1), lambda pen: pen.ellipse(_pixels((35, 32, 65, 40)), 255), (35, 32, 65, 40)
    )
    canvas.box((46, 24, 54, 35), dark, radius=2)
    canvas.ellipse((44.5, 50, 55.5, 61), (244, 240, 230))
    canvas.stroke([(50, 55.5), (53, 52.5)], (170, 60, 40), 0.9)


def _towel(canvas: _Canvas, colour: Colour) -> None:
    canvas.shadow((16, 78, 86, 88))
    linen = (238, 230, 214)
    canvas.box((20, 66, 80, 83), _darker(linen, 0.12), radius=3)
    canvas.box((20, 50, 80, 70), _darker(linen, 0.05), radius=3)
    canvas.box((20, 33, 80, 56), linen, radius=3)
    for top, bottom in ((33, 56), (57, 70), (71, 83)):
        for x, width in ((27, 3), (32, 1), (70, 1), (73, 3)):
            canvas.box((x, top + 1, x + width, bottom - 1), colour)
    canvas.stroke([(38, 44), (62, 44)], _darker(linen, 0.06), 0.5)
    canvas.stroke([(38, 48), (62, 48)], _darker(linen, 0.06), 0.5)


def _trivet(canvas: _Canvas, colour: Colour) -> None:
    canvas.shadow((14, 30, 90, 90))
    disc = (16, 16, 84, 84)
    canvas.solid(colour, lambda pen: pen.ellipse(_pixels(disc), 255), disc)
    canvas.ellipse((21, 21, 79, 79), _lighter(colour, 0.12))
    for number in range(12):
        turn = number * math.tau / 12
        inner, outer = (
            (50 + 12 * math.cos(turn), 50 + 12 * math.sin(turn)),
            (
                50 + 27 * math.cos(turn + 0.35),
                50 + 27 * math.sin(turn + 0.35),
            ),
        )
        canvas.stroke([inner, outer], canvas.ground, 2.2)
    canvas.ellipse((43, 43, 57, 57), _darker(colour, 0.1))
    canvas.ellipse((45.5, 45.5, 54.5, 54.5), canvas.ground)


PACKAGES: dict[str, Callable[[_Canvas, Colour, str, str], None]] = {"box": _box, "pouch": _pouch, "tin": _tin}

TEAWARE: dict[str, Callable[[_Canvas, Colour], None]] = {
    "cup": _cup,
    "glass": _glass,
    "kettle": _kettle,
    "scoop": _scoop,
    "teapot": _teapot,
    "towel": _towel,
    "trivet": _trivet,
    "whisk": _whisk,
}


# Motifs: drawn around (x, y), about `r` in radius


def _motif_leaf(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.stroke([(x, y + r), (x, y - r * 0.2)], _darker(colour, 0.15), r * 0.09)
    _blade(canvas, (x, y + r * 0.1), -90, r * 1.1, colour)
    _blade(canvas, (x, y + r * 0.55), -150, r * 1.05, _lighter(colour, 0.18))
    _blade(canvas, (x, y + r * 0.55), -30, r * 1.05, _lighter(colour, 0.10))


def _motif_flower(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    for number in range(8):
        turn = number * math.tau / 8
        cx, cy = x + r * 0.58 * math.cos(turn), y + r * 0.58 * math.sin(turn)
        canvas.ellipse(
            (cx - r * 0.34, cy - r * 0.34, cx + r * 0.34, cy + r * 0.34),
            _lighter(colour, 0.25 * (number % 2)),
        )
    canvas.ellipse((x - r * 0.32, y - r * 0.32, x + r * 0.32, y + r * 0.32), (238, 190, 84))


def _motif_sun(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    for number in range(12):
        turn = number * math.tau / 12
        near, far = r * 0.68, r * (1.05 if number % 2 else 0.9)
        canvas.stroke(
            [
                (x + near * math.cos(turn), y + near * math.sin(turn)),
                (x + far * math.cos(turn), y + far * math.sin(turn)),
            ],
            colour,
            r * 0.1,
        )
    canvas.ellipse((x - r * 0.5, y - r * 0.5, x + r * 0.5, y + r * 0.5), colour)


def _motif_moon(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    whole = _disc(x, y, r * 0.9)
    bite = _disc(x + r * 0.42, y - r * 0.22, r * 0.78)
    canvas.image.paste(colour, (0, 0, _DRAWN, _DRAWN), ImageChops.subtract(whole, bite))
    for dx, dy, size in ((0.45, -0.45, 0.1), (0.75, 0.1, 0.07), (0.2, -0.05, 0.06)):
        cx, cy = x + r * dx, y + r * dy
        canvas.ellipse((cx - r * size, cy - r * size, cx + r * size, cy + r * size), colour)


def _motif_mountain(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.ellipse((x + r * 0.2, y - r * 0.95, x + r * 0.75, y - r * 0.4), _lighter(colour, 0.45))
    canvas.polygon(
        [(x - r * 0.3, y + r * 0.7), (x + r * 0.45, y - r * 0.35), (x + r * 1.15, y + r * 0.7)],
        _lighter(colour, 0.25),
    )
    canvas.polygon(
        [(x - r * 1.15, y + r * 0.7), (x - r * 0.25, y - r * 0.7), (x + r * 0.6, y + r * 0.7)], colour
    )
    canvas.polygon(
        [
            (x - r * 0.25, y - r * 0.7),
            (x - r * 0.53, y - r * 0.26),
            (x - r * 0.22, y - r * 0.36),
            (x + r * 0.02, y - r * 0.26),
        ],
        (250, 246, 236),
    )


def _motif_waves(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    for row, shade in enumerate((0.0, 0.2, 0.4)):
        level = y - r * 0.5 + row * r * 0.5
        line = [
            (x - r + r * 2 * step / 40, level + r * 0.16 * math.sin(step / 40 * math.tau * 2))
            for step in range(41)
        ]
        canvas.stroke(line, _lighter(colour, shade), r * 0.16)


def _motif_flame(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    outline = [(0, 0), (-0.55, -0.22), (-0.66, -0.7), (-0.3, -1.15), (-0.22, -1.75), (0.25, -1.3), (0.3, -0.95),
               (0.5, -1.05), (0.64, -0.6), (0.5, -0.2)]  # fmt: skip
    foot = y + r * 0.85
    for size, shade in ((1.0, 0.0), (0.5, 0.4)):
        canvas.polygon(
            _smooth([(x + r * size * dx, foot + r * size * dy) for dx, dy in outline]),
            _lighter(colour, shade),
        )


def _motif_citrus(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    rind = (224, 168, 58)
    canvas.ellipse((x - r * 0.85, y - r * 0.85, x + r * 0.85, y + r * 0.85), rind)
    canvas.ellipse((x - r * 0.72, y - r * 0.72, x + r * 0.72, y + r * 0.72), (252, 240, 206))
    for number in range(8):
        middle = number * math.tau / 8
        near, far, half = r * 0.14, r * 0.64, 0.3
        canvas.polygon(
            [(x + near * math.cos(middle), y + near * math.sin(middle))]
            + [
                (x + far * math.cos(middle + half * side / 4), y + far * math.sin(middle + half * side / 4))
                for side in range(-4, 5)
            ],
            _lighter(rind, 0.15),
        )
    _blade(canvas, (x + r * 0.55, y - r * 0.6), -35, r * 0.75, colour)


def _motif_apple(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.ellipse((x - r * 0.8, y - r * 0.45, x + r * 0.15, y + r * 0.8), colour)
    canvas.ellipse((x - r * 0.15, y - r * 0.45, x + r * 0.8, y + r * 0.8), colour)
    canvas.ellipse((x - r * 0.55, y - r * 0.2, x - r * 0.25, y + r * 0.15), _lighter(colour, 0.35))
    canvas.stroke([(x, y - r * 0.35), (x + r * 0.1, y - r * 0.9)], _darker(colour, 0.4), r * 0.1)
    _blade(canvas, (x + r * 0.1, y - r * 0.6), -20, r * 0.7, (96, 128, 62))


def _motif_berry(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    for dx, dy in ((-0.45, 0.3), (0.45, 0.35), (0.0, -0.15)):
        cx, cy = x + r * dx, y + r * dy
        canvas.stroke([(cx, cy), (x + r * 0.1, y - r * 0.9)], (96, 110, 62), r * 0.07)
        canvas.ellipse((cx - r * 0.34, cy - r * 0.38, cx + r * 0.34, cy + r * 0.4), colour)
        canvas.ellipse((cx - r * 0.18, cy - r * 0.22, cx - r * 0.02, cy - r * 0.04), _lighter(colour, 0.5))
    _blade(canvas, (x + r * 0.1, y - r * 0.85), 10, r * 0.75, (96, 128, 62))


def _motif_grain(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.stroke([(x, y + r), (x, y - r * 0.8)], colour, r * 0.08)
    for row in range(4):
        level = y + r * 0.45 - row * r * 0.38
        _blade(canvas, (x, level), -55, r * 0.6, _lighter(colour, 0.2))
        _blade(canvas, (x, level), -125, r * 0.6, colour)
    _blade(canvas, (x, y - r * 0.6), -90, r * 0.5, colour)


def _motif_lantern(canvas: _Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    canvas.stroke([(x, y - r), (x, y + r)], _darker(colour, 0.3), r * 0.07)
    canvas.ellipse((x - r * 0.75, y - r * 0.6, x + r * 0.75, y + r * 0.6), colour)
    canvas.ellipse((x - r * 0.42, y - r * 0.6, x + r * 0.42, y + r * 0.6), _lighter(colour, 0.22))
    canvas.ellipse((x - r * 0.14, y - r * 0.6, x + r * 0.14, y + r * 0.6), _lighter(colour, 0.4))
    for side in (-0.68, 0.55):
        canvas.box(
            (x - r * 0.34, y + r * side, x + r * 0.34, y + r * (side + 0.13)),
            _darker(colour, 0.3),
            radius=0.4,
        )


MOTIFS: dict[str, Callable[[_Canvas, float, float, float, Colour], None]] = {
    "apple": _motif_apple,
    "berry": _motif_berry,
    "citrus": _motif_citrus,
    "flame": _motif_flame,
    "flower": _motif_flower,
    "grain": _motif_grain,
    "lantern": _motif_lantern,
    "leaf": _motif_leaf,
    "moon": _motif_moon,
    "mountain": _motif_mountain,
    "sun": _motif_sun,
    "waves": _motif_waves,
}


# Strokes and shapes


def _blade(canvas: _Canvas, foot: Point, degrees: float, length: float, colour: Colour) -> None:
    """A leaf that grows from `foot` in a direction (0 is right, -90 is up)."""
    turn = math.radians(degrees)

    def at(along: float, aside: float) -> Point:
        return (
            foot[0] + length * (along * math.cos(turn) - aside * math.sin(turn)),
            foot[1] + length * (along * math.sin(turn) + aside * math.cos(turn)),
        )

    sides = [at(step / 12, 0.26 * math.sin(math.pi * (step / 12) ** 0.8)) for step in range(13)]
    sides += [at(step / 12, -0.26 * math.sin(math.pi * (step / 12) ** 0.8)) for step in range(12, -1, -1)]
    canvas.polygon(sides, colour)
    canvas.stroke([at(0.05, 0), at(0.8, 0)], _lighter(colour, 0.3), length * 0.03)


def _steam(canvas: _Canvas) -> None:
    layer = Image.new("L", (_DRAWN, _DRAWN))
    pen = ImageDraw.Draw(layer)
    for x in (42, 50, 58):
        line = [_pixel((x + 2.2 * math.sin(step / 6), 31 - step * 0.6)) for step in range(32)]
        pen.line(line, 150, round(1.6 * _UNIT), joint="curve")
    canvas.image.paste((255, 255, 255), (0, 0, _DRAWN, _DRAWN), layer.filter(ImageFilter.GaussianBlur(_UNIT)))


def _cylinder(pen: ImageDraw.ImageDraw, box: Box, bulge: float) -> None:
    left, top, right, bottom = box
    pen.rectangle(_pixels((left, top, right, bottom - bulge)), 255)
    pen.ellipse(_pixels((left, bottom - 2 * bulge, right, bottom)), 255)
    pen.ellipse(_pixels((left, top - bulge, right, top + bulge)), 255)


def _band(pen: ImageDraw.ImageDraw, box: Box, bulge: float) -> None:
    """A label around a cylinder: bent at its upper and lower edge like the cylinder's foot."""
    left, top, right, bottom = box
    pen.rectangle(_pixels((left, top, right, bottom - bulge)), 255)
    pen.ellipse(_pixels((left, bottom - 2 * bulge, right, bottom)), 255)
    pen.ellipse(_pixels((left, top - bulge, right, top + bulge)), 0)


def _arc(centre: Point, width: float, height: float, start: float, end: float) -> list[Point]:
    turns = [math.radians(start + (end - start) * step / 24) for step in range(25)]
    return [(centre[0] + width * math.cos(turn), centre[1] + height * math.sin(turn)) for turn in turns]


def _smooth(points: Sequence[Point], *, closed: bool = True) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    count = len(points)
    curve: list[Point] = []
    for i in range(count if closed else count - 1):
        near = [
            points[j % count] if closed else points[min(max(j, 0), count - 1)] for j in range(i - 1, i + 3)
        ]
        for step in range(12):
            t = step / 12
            curve.append((_catmull([p[0] for p in near], t), _catmull([p[1] for p in near], t)))
    return curve if closed else [*curve, points[-1]]


def _catmull(p: Sequence[float], t: float) -> float:
    return 0.5 * (
        2 * p[1]
        + (p[2] - p[0]) * t
        + (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3]) * t**2
        + (3 * p[1] - p[0] - 3 * p[2] + p[3]) * t**3
    )


# Pixels and colours


def _pixel(point: Point) -> Point:
    return point[0] * _UNIT, point[1] * _UNIT


def _pixels(box: Box) -> Box:
    left, top, right, bottom = box
    return left * _UNIT, top * _UNIT, right * _UNIT, bottom * _UNIT


def _mask(box: Box) -> Image.Image:
    mask = Image.new("L", (_DRAWN, _DRAWN))
    ImageDraw.Draw(mask).rectangle(_pixels(box), 255)
    return mask


def _disc(x: float, y: float, r: float) -> Image.Image:
    mask = Image.new("L", (_DRAWN, _DRAWN))
    ImageDraw.Draw(mask).ellipse(_pixels((x - r, y - r, x + r, y + r)), 255)
    return mask


def _vertical(top: Colour, bottom: Colour) -> Image.Image:
    strip = Image.new("RGB", (1, 256))
    for y in range(256):
        strip.putpixel((0, y), _mixed(top, bottom, y / 255))
    return strip.resize((_DRAWN, _DRAWN))


def _round_shading(colour: Colour, left: float, right: float) -> Image.Image:
    """Light from the left on a round body between two edges."""
    strip = Image.new("RGB", (100, 1))
    for x in range(100):
        across = min(max((x - left) / (right - left), 0), 1)
        light = math.cos((across - 0.3) * math.pi)  # brightest at 30 % of the width
        shaded = _lighter(colour, 0.22 * light) if light > 0 else _darker(colour, -0.38 * light)
        strip.putpixel((x, 0), shaded)
    return strip.resize((_DRAWN, _DRAWN), Image.Resampling.BICUBIC)


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _lighter(colour: Colour, share: float) -> Colour:
    return _mixed(colour, (255, 255, 255), share)


def _darker(colour: Colour, share: float) -> Colour:
    """Darker and a little more saturated, as shadows are."""
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    red, green, blue = colorsys.hls_to_rgb(hue, light * (1 - share), min(1, saturation * (1 + share / 2)))
    return round(red * 255), round(green * 255), round(blue * 255)


def _two_lines(words: str) -> str:
    """Broken at the blank that is nearest to the middle."""
    blanks = [i for i, letter in enumerate(words) if letter == " "]
    if not blanks:
        return words
    middle = min(blanks, key=lambda i: abs(i - len(words) / 2))
    return f"{words[:middle]}\n{words[middle + 1 :]}"
