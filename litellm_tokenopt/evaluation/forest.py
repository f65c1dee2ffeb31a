"""A forest plot as SVG: each measure's difference between an experiment's sides, with its bounds."""

from __future__ import annotations

from html import escape

from .arms import Experiment, Line
from .clusters import Bounds

LABEL_WIDTH, PLOT_WIDTH, ROW_HEIGHT, RADIUS = 190, 480, 26, 4
MOST = 100.0
"""Bounds beyond so many percent are drawn there."""


def forest(experiment: Experiment) -> str:
    """*experiment*'s plot: what lies to the right is better. Nothing where no measure has bounds."""
    drawn = [(line, *found) for line in experiment.lines if (found := _gain(line)) is not None]
    if not drawn:
        return ""
    reach = min(MOST, max(max(map(abs, bounds)) for _, _, bounds in drawn)) or 1.0
    rows = "".join(_row(at, line, gain, bounds, reach) for at, (line, gain, bounds) in enumerate(drawn))
    middle, bottom = _x(0.0, reach), ROW_HEIGHT * len(drawn)
    ends = "".join(
        f'<text x="{_x(end, reach):.1f}" y="{bottom + 18}" text-anchor="middle">{end:+.3g} %</text>'
        for end in (-reach, reach)
    )
    axis = f'<line class="axis" x1="{middle:.1f}" y1="0" x2="{middle:.1f}" y2="{bottom}"/>{ends}'
    title = (
        f"{experiment.name}: is {experiment.sides[1].name} better (to the right)? Points of shares, percent of the rest"
    )
    size = f"0 0 {LABEL_WIDTH + PLOT_WIDTH + 60} {bottom + 26}"
    return f'<h2>{escape(title)}</h2><svg viewBox="{size}" role="img">{axis}{rows}</svg>'


def _gain(line: Line) -> tuple[float, Bounds] | None:
    """By how many points, or percent of the base, the tried side is better, with bounds; None where none is known."""
    if line.base is None or line.difference is None or line.bounds is None:
        return None
    whole = 1.0 if line.unit == "%" else line.base.value
    if not whole:
        return None
    scale = 100 / whole if line.more_is_better else -100 / whole
    low, high = sorted(scale * bound for bound in line.bounds)
    return scale * line.difference, (low, high)


def _row(at: int, line: Line, gain: float, bounds: Bounds, reach: float) -> str:
    y = ROW_HEIGHT * at + ROW_HEIGHT / 2
    low, high = (_x(bound, reach) for bound in bounds)
    return (
        f'<text x="{LABEL_WIDTH - 10}" y="{y + 4}" text-anchor="end">{escape(line.measure)}</text>'
        f'<g class="{line.verdict}"><line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke-width="2"/>'
        f'<circle cx="{_x(gain, reach):.1f}" cy="{y}" r="{RADIUS}"/></g>'
    )


def _x(percent: float, reach: float) -> float:
    return LABEL_WIDTH + PLOT_WIDTH * (1 + max(-reach, min(reach, percent)) / reach) / 2
