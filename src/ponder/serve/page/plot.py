"""Accuracy against cost as an SVG that takes its colours from the page: one numbered dot a method, its interval, the Pareto front."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from ponder.bench.summary import Row

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 16, 46


def accuracy_against_cost(rows: Sequence[Row]) -> str:
    """The rows of one task, numbered from 1 in their order; tokens a question on a logarithmic axis. "" if none spent tokens."""
    shown = [(number, row) for number, row in enumerate(rows, 1) if row.tokens > 0]
    if not shown:
        return ""
    logs = [math.log10(row.tokens) for _, row in shown]
    low, high = min(logs) - 0.15, max(logs) + 0.15

    def x(tokens: float) -> float:
        return LEFT + (math.log10(tokens) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(accuracy: float) -> float:
        return TOP + (1 - accuracy) * (HEIGHT - TOP - BOTTOM)

    front = sorted((row.tokens, row.accuracy.value) for _, row in shown if row.front)
    parts = [_axes(low, high, x, y), _front(front, x, y)]
    parts += [_point(number, row, x(row.tokens), y) for number, row in shown]
    told = f"accuracy against tokens a question, {len(shown)} methods; the table below has the figures"
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">{"".join(parts)}</svg>'


def _axes(low: float, high: float, x, y) -> str:
    ticks = [m * 10**e for e in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5) if low <= math.log10(m * 10.0**e) <= high]
    lines = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(a):.1f}" y2="{y(a):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y(a) + 4:.1f}" text-anchor="end">{a:.0%}</text>'
        for a in (0, 0.25, 0.5, 0.75, 1)
    ]
    lines += [f'<text x="{x(t):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_short(t)}</text>' for t in ticks]
    lines.append(f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">tokens a question</text>')
    return "".join(lines)


def _front(points: Sequence[tuple[float, float]], x, y) -> str:
    if len(points) < 2:
        return ""
    path = f"M{x(points[0][0]):.1f} {y(points[0][1]):.1f}" + "".join(f"H{x(t):.1f}V{y(a):.1f}" for t, a in points[1:])
    return f'<path class="front" d="{path}"/>'


def _point(number: int, row: Row, x: float, y) -> str:
    interval = row.accuracy
    title = html.escape(f"{row.method}: {interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}], {row.tokens:,.0f} tokens")
    css = "best" if row.front else ""
    return (
        f'<g class="point {css}"><title>{title}</title>'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y(interval.low):.1f}" y2="{y(interval.high):.1f}"/>'
        f'<circle cx="{x:.1f}" cy="{y(interval.value):.1f}" r="10"/>'
        f'<text x="{x:.1f}" y="{y(interval.value) + 4:.1f}" text-anchor="middle">{number}</text></g>'
    )


def _short(tokens: float) -> str:
    return f"{tokens / 1e6:g}M" if tokens >= 1e6 else f"{tokens / 1e3:g}k" if tokens >= 1e3 else f"{tokens:g}"
