"""A search as a drawing: a column a step, circles sized by weight, lines as thick as many copies, the winner in colour."""

from __future__ import annotations

import html
import math

from ponder.picture.genealogy import Genealogy, Node

COLUMN, ROW, MARGIN = 130, 30, 28
MOST = 400
"""Steps that are drawn; of larger searches the branches that died early are left out."""
_STYLE = """
.n{fill:#7a869a;stroke:none}.d{fill:none;stroke:#9aa4b2;stroke-width:1}.w{fill:#178a5b}
.e{fill:none;stroke:#9aa4b2;stroke-opacity:.7}.x{stroke-dasharray:3 3;stroke-opacity:.45}.v{stroke:#178a5b;stroke-opacity:1}
text{font:11px system-ui,sans-serif;fill:#39424e}.t{fill:#178a5b;font-weight:600}
@media (prefers-color-scheme:dark){text{fill:#c7d0db}.n{fill:#93a1b5}.w,.t{fill:#3ecf8e}.v{stroke:#3ecf8e}.d,.e{stroke:#6b7684}}
"""


def svg(search: Genealogy, styled: bool = True) -> str:
    """One SVG document; the text of a step shows where the pointer rests. All text is escaped.

    Args:
        styled: with its style, so that it needs nothing else; without, for a page whose style sheet knows the classes.
    """
    root = search.root.condensed()
    nodes = list(root.walk())
    kept = {id(n) for n in nodes}
    hidden = 0
    if len(nodes) > MOST:  # the heaviest steps, and all that lead to them
        kept = _heaviest(root)
        hidden = len(nodes) - len(kept)
    places: dict[int, tuple[float, float]] = {}
    _place(root, kept, places, [0])
    depth = max(n.depth for n in nodes if id(n) in kept)
    height = max(y for _, y in places.values()) + MARGIN
    width = MARGIN * 2 + COLUMN * depth + 120
    lines: list[str] = []
    marks: list[str] = []
    for node in nodes:
        if id(node) not in kept:
            continue
        x, y = places[id(node)]
        lines += [_line((x, y), places[id(child)], child) for child in node.children if id(child) in kept]
        marks.append(_mark(node, x, y))
    note = f'<text x="{MARGIN}" y="{height + 16:.0f}">{hidden} light steps are not drawn</text>' if hidden else ""
    total = height + (24 if hidden else 0)
    size = f'viewBox="0 0 {width:.0f} {total:.0f}" width="{width:.0f}" height="{total:.0f}"'
    told = f'role="img" aria-label="the search as a tree of {search.size} steps"'
    style = f"<style>{_STYLE}</style>" if styled else ""
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {told}>{style}{"".join(lines)}{"".join(marks)}{note}</svg>'


def _heaviest(root: Node) -> set[int]:
    above: dict[int, Node] = {id(child): node for node in root.walk() for child in node.children}
    kept = {id(root)}
    for node in sorted(root.walk(), key=lambda n: (not n.winner, bool(n.dropped), -n.share)):
        line = [node]
        while id(line[-1]) in above and id(line[-1]) not in kept:
            line.append(above[id(line[-1])])
        if len(kept) + len(line) > MOST and not node.winner:
            break
        kept.update(map(id, line))
    return kept


def _place(node: Node, kept: set[int], places: dict[int, tuple[float, float]], rows: list[int]) -> float:
    """Leaves in rows from the top, parents in the middle of their children."""
    ys = [_place(child, kept, places, rows) for child in node.children if id(child) in kept]
    if ys:
        y = (ys[0] + ys[-1]) / 2
    else:
        y = float(MARGIN + ROW * rows[0])
        rows[0] += 1
    places[id(node)] = (MARGIN + COLUMN * node.depth, y)
    return y


def _line(start: tuple[float, float], end: tuple[float, float], child: Node) -> str:
    middle = (start[0] + end[0]) / 2
    css = "e" + " v" * child.winner + " x" * bool(child.dropped)
    thick = 1 + min(5.0, math.log2(child.copies)) * 0.8
    path = f"M{start[0]:.0f} {start[1]:.1f}C{middle:.0f} {start[1]:.1f} {middle:.0f} {end[1]:.1f} {end[0]:.0f} {end[1]:.1f}"
    return f'<path class="{css}" stroke-width="{thick:.1f}" d="{path}"/>'


def _mark(node: Node, x: float, y: float) -> str:
    css = "w" if node.winner or node.depth == 0 else "d" if node.dropped else "n"
    radius = 3 + 6 * math.sqrt(min(1.0, node.share))
    facts = [
        node.text.strip() or "the question",
        f"weight {node.share:.3f}",
        f"score {node.score:.3f}" if node.score is not None else "",
        f"drawn {node.drawn} times" if node.drawn > 1 else "",
        f"{node.copies} copies" if node.copies > node.drawn else "",
        f"dropped by {node.dropped}" if node.dropped else "",
    ]
    title = html.escape(_plain("\n".join(f for f in facts if f)))
    circle = f'<circle class="{css}" cx="{x:.0f}" cy="{y:.1f}" r="{radius:.1f}"><title>{title}</title></circle>'
    css = "t" if node.winner else ""
    if node.finished and node.value is not None:
        return circle + f'<text class="{css}" x="{x + 12:.0f}" y="{y + 4:.1f}">{_short(node.value)}</text>'
    return (
        circle + f'<text class="{css}" x="{x:.0f}" y="{y - 10:.1f}" text-anchor="middle">{_short(node.text)}</text>'
        if node.depth
        else circle
    )


def _short(text: str, most: int = 16) -> str:
    words = _plain(" ".join(text.split()))
    return html.escape(words if len(words) <= most else words[: most - 1] + "…")


def _plain(text: str) -> str:
    """Without the control characters that XML does not admit."""
    return "".join(c for c in text if c in "\n\t" or ord(c) >= 32)
