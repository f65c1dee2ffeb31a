"""A small line chart as SVG: shares against shares, the horizontal axis logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 860, 460, 60, 40, 520, 360
LEAST = 0.001
"""Where the horizontal axis begins; smaller shares, none among them, are drawn there."""

COLOURS = ("#9aa0a6", "#5f8dd3", "#e8a33d", "#c0392b", "#2e8b57", "#7d3c98", "#34495e")
TICKS = (0.001, 0.01, 0.1, 1.0)


@dataclass(frozen=True, slots=True)
class Line:
    """A named line through (horizontal, vertical) shares."""

    name: str
    points: Sequence[tuple[float, float]]


def draw(title: str, across: str, up: str, lines: Sequence[Line]) -> str:
    """The chart's SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 24, title, "start", "16"),
        *_axes(across, up),
    ]
    for number, line in enumerate(lines):
        parts += _drawn(line, COLOURS[number % len(COLOURS)], TOP + 20 + 24 * number)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axes(across: str, up: str) -> list[str]:
    parts = []
    for tick in TICKS:
        x = _x(tick)
        parts.append(_rule(x, TOP, x, TOP + PLOT_HEIGHT))
        parts.append(_text(x, TOP + PLOT_HEIGHT + 18, f"{tick:.1%}" if tick < 0.01 else f"{tick:.0%}", "middle"))
    for fifth in range(6):
        y = _y(fifth / 5)
        parts.append(_rule(LEFT, y, LEFT + PLOT_WIDTH, y))
        parts.append(_text(LEFT - 8, y + 4, f"{fifth / 5:.0%}", "end"))
    parts.append(_text(LEFT + PLOT_WIDTH / 2, HEIGHT - 12, across, "middle"))
    parts.append(_text(LEFT - 8, TOP - 8, up, "end"))
    return parts


def _drawn(line: Line, colour: str, y: float) -> list[str]:
    path = " ".join(f"{_x(across):.1f},{_y(up):.1f}" for across, up in line.points)
    legend = LEFT + PLOT_WIDTH + 20
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        f'<rect x="{legend}" y="{y - 10}" width="14" height="10" fill="{colour}"/>',
        _text(legend + 22, y, line.name, "start"),
    ]


def _x(share: float) -> float:
    return LEFT + PLOT_WIDTH * (1 - math.log10(max(share, LEAST)) / math.log10(LEAST))


def _y(share: float) -> float:
    return TOP + PLOT_HEIGHT * (1 - share)


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str, size: str = "13") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
