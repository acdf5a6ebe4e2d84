"""A string diagram as SVG: causes at the bottom, effects at the top; a dot copies a wire, an earth sign discards it."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from ponder.causal.diagrams.diagram import Diagram

PORT, GAP, ROW, HIGH, MARGIN = 34, 22, 96, 32, 34
_STYLE = """
.w{fill:none;stroke:#4a5568;stroke-width:1.6}.b{fill:#fff;stroke:#1a202c;stroke-width:1.6}.c{fill:#1a202c}
.u{fill:none;stroke:#b83280;stroke-width:2.2}
text{font:13px system-ui,sans-serif;fill:#1a202c;text-anchor:middle}.l{font-size:11px;fill:#4a5568}
"""


@dataclass(eq=False)
class _Item:
    """What stands in a row: a box, a uniform state, an end of the diagram, or a wire that passes by."""

    kind: str
    label: str = ""
    ports: int = 1
    x: float = 0.0
    joined: list[tuple[_Item, float]] = field(default_factory=list)

    @property
    def width(self) -> float:
        return 16.0 if self.kind == "pass" else max(PORT * self.ports, 9.0 * len(self.label) + 14)

    def port(self, k: int, of: int) -> float:
        """How far from the middle the k-th of several wires is."""
        return (k - (of - 1) / 2) * PORT


@dataclass(frozen=True)
class _Strand:
    """One use of a wire: the items it goes through from its maker to its user, and its place at both."""

    through: tuple[tuple[int, _Item], ...]
    start: float
    end: float


def svg(diagram: Diagram, title: str = "") -> str:
    """One SVG document that needs nothing else. All text is escaped.

    Args:
        diagram: what to draw. A uniform state is drawn as an earth sign upside down, in colour.
        title: what a screen reader says; by default the boxes.
    """
    rows, strands = _laid_out(diagram)
    _arrange(rows)
    left = min(item.x - item.width / 2 for row in rows for item in row) - MARGIN
    width = max(item.x + item.width / 2 for row in rows for item in row) + MARGIN - left
    height = 2 * MARGIN + ROW * (len(rows) - 1) + HIGH

    def y(row: int) -> float:
        return height - MARGIN - HIGH / 2 - ROW * row

    marks = [mark for wire in strands for mark in _wire(wire, y)]
    marks += [_mark(item, y(r)) for r, row in enumerate(rows) for item in row]
    told = html.escape(title or "string diagram of " + ", ".join(node.box.name for node in diagram.nodes))
    size = f'viewBox="{left:.0f} 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{told}"><style>{_STYLE}</style>{"".join(marks)}</svg>'


def _laid_out(diagram: Diagram) -> tuple[list[list[_Item]], list[list[_Strand]]]:
    """Rows of items from the bottom up, and for each wire its strands (one that leads nowhere, if it is discarded)."""
    maker: list[tuple[int, _Item, float]] = []
    ends = [_Item("end", wire.name) for wire in diagram.dom]
    rows: list[list[_Item]] = [ends] if ends else []
    bottom = len(rows)
    maker += [(0, end, 0.0) for end in ends]
    uses: list[list[tuple[int, _Item, float]]] = [[] for _ in diagram.wires]
    for node in diagram.nodes:
        row = max([bottom, *(maker[i][0] + 1 for i in node.inputs)])
        item = _Item("uniform" if node.box.uniform else "box", node.box.name, max(1, len(node.inputs), len(node.box.cod)))
        _grown(rows, row).append(item)
        for k, i in enumerate(node.inputs):
            uses[i].append((row, item, item.port(k, len(node.inputs))))
        maker += [(row, item, item.port(k, len(node.box.cod))) for k in range(len(node.box.cod))]
    top = len(rows)
    for i in diagram.outputs:
        end = _Item("end", diagram.wires[i].name)
        _grown(rows, top).append(end)
        uses[i].append((top, end, 0.0))
    strands = [[_strand(rows, maker[i], use) for use in uses[i]] or [_Strand((maker[i][:2],), maker[i][2], 0.0)] for i in range(len(maker))]
    return rows, strands


def _strand(rows: list[list[_Item]], maker: tuple[int, _Item, float], use: tuple[int, _Item, float]) -> _Strand:
    passing = [(row, _Item("pass")) for row in range(maker[0] + 1, use[0])]
    for row, item in passing:
        rows[row].append(item)
    through = (maker[:2], *passing, use[:2])
    for (_, low), (_, high) in pairwise(through):
        up, down = (maker[2] if low is maker[1] else 0.0), (use[2] if high is use[1] else 0.0)
        low.joined.append((high, down - up))
        high.joined.append((low, up - down))
    return _Strand(through, maker[2], use[2])


def _arrange(rows: list[list[_Item]]) -> None:
    """Order each row but the ends by where its neighbours are, then move items towards them without overlap; a few sweeps are enough."""
    for row in rows:
        _spread(row, [float(i) for i in range(len(row))])
    for sweep in range(24):
        for row in rows if sweep % 2 else reversed(rows):
            wanted = [sum(other.x + off for other, off in item.joined) / len(item.joined) if item.joined else item.x for item in row]
            if sweep < 16 and all(item.kind != "end" for item in row):
                order = sorted(range(len(row)), key=wanted.__getitem__)
                row[:] = [row[i] for i in order]
                wanted = [wanted[i] for i in order]
            _spread(row, wanted)


def _spread(row: list[_Item], wanted: list[float]) -> None:
    """Put items as near as they fit to where they want to be, in their order."""
    for i, item in enumerate(row):
        before = row[i - 1] if i else None
        item.x = wanted[i] if before is None else max(wanted[i], before.x + (before.width + item.width) / 2 + GAP)
    if row:
        excess = sum(item.x - want for item, want in zip(row, wanted, strict=True)) / len(row)
        for item in row:
            item.x -= excess


def _grown(rows: list[list[_Item]], row: int) -> list[_Item]:
    while len(rows) <= row:
        rows.append([])
    return rows[row]


def _wire(strands: list[_Strand], y: Callable[[int], float]) -> list[str]:
    """A wire's strands; a dot where it is copied, an earth sign where it is discarded."""
    row, maker = strands[0].through[0]
    x = maker.x + strands[0].start
    foot = y(row) - (0 if maker.kind == "uniform" else HIGH / 2)
    marks = []
    if len(strands) > 1 or len(strands[0].through) == 1:
        marks.append(f'<path class="w" d="M{x:.1f} {foot:.1f}V{foot - 14:.1f}"/>')
        foot -= 14
    if len(strands[0].through) == 1:
        return [*marks, *(f'<path class="w" d="M{x - w} {foot - d:.1f}h{2 * w}"/>' for w, d in ((10, 0), (6, 4), (2, 8)))]
    for strand in strands:
        path, here, at = f"M{x:.1f} {foot:.1f}", x, foot
        for r, item in strand.through[1:]:
            last = item is strand.through[-1][1]
            to = item.x + (strand.end if last else 0.0)
            below = y(r) + HIGH / 2
            path += f"C{here:.1f} {(at + below) / 2:.1f} {to:.1f} {(at + below) / 2:.1f} {to:.1f} {below:.1f}"
            if not last:
                path += f"V{y(r) - HIGH / 2:.1f}"
            here, at = to, y(r) - HIGH / 2
        marks.append(f'<path class="w" d="{path}"/>')
    if len(strands) > 1:
        marks.append(f'<circle class="c" cx="{x:.1f}" cy="{foot:.1f}" r="3.6"/>')
    return marks


def _mark(item: _Item, y: float) -> str:
    x, label = item.x, html.escape(item.label)
    if item.kind == "box":
        corner = f'x="{x - item.width / 2:.1f}" y="{y - HIGH / 2:.1f}" width="{item.width:.1f}" height="{HIGH}"'
        return f'<rect class="b" {corner} rx="3"/><text x="{x:.1f}" y="{y + 4.5:.1f}">{label}</text>'
    if item.kind == "uniform":
        bars = "".join(f'<path class="u" d="M{x - w:.1f} {y + d:.1f}h{2 * w}"/>' for w, d in ((12, 0), (8, 5), (4, 10)))
        return f'{bars}<text class="l" x="{x:.1f}" y="{y + 27:.1f}">{label}</text>'
    if item.kind == "end":
        return f'<text class="l" x="{x:.1f}" y="{y + 6:.1f}">{label}</text>'
    return ""
