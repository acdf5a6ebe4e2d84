"""A search as a tree in the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from ponder.picture.genealogy import Genealogy, Node

SHOWN = 4
"""Children of one step that are drawn; the rest are counted."""
LINES = 60
"""Steps that are drawn in all, besides those of the winner."""
_BAR = " ▁▂▃▄▅▆▇█"


def tree(search: Genealogy) -> Group:
    """The search for a terminal: equal steps as one, the winner's branch first and marked, large families and trees summarised."""
    root = Tree(Text(f"{search.size} steps drawn", "bold"))
    room = [LINES]
    _grow(root, search.root.condensed(), room)
    lines = [Text(str(r), "dim") for r in search.resamplings]
    return Group(root, *lines)


def _grow(branch: Tree, node: Node, room: list[int]) -> None:
    ranked = sorted(node.children, key=lambda c: (not c.winner, bool(c.dropped), -c.share))
    shown: list[Node] = []
    for child in ranked:
        if child.winner or (len(shown) < SHOWN and room[0] > 0):
            shown.append(child)
            room[0] -= 1
    for child in shown:
        _grow(branch.add(label(child)), child, room)
    hidden = [c for c in node.children if not any(c is s for s in shown)]
    if hidden:
        dropped = sum(bool(c.dropped) for c in hidden)
        branch.add(Text(f"{len(hidden)} more" + (f", {dropped} of them dropped" if dropped else ""), "dim"))


def label(node: Node) -> Text:
    """A step in one line: its weight as a bar, its text, what became of it."""
    words = " ".join(node.text.split())
    style = "bold green" if node.winner else "dim" if node.dropped else ""
    text = Text(_BAR[round(8 * min(1.0, node.share))] + " ", "cyan")
    text.append(words if len(words) <= 60 else words[:57] + "...", style)
    facts = [
        f"drawn {node.drawn} times" if node.drawn > 1 else "",
        f"{node.copies} copies" if node.copies > node.drawn else "",
        f"score {node.score:.2f}" if node.score is not None else "",
        f"= {node.value}" if node.finished and node.value is not None else "",
        f"dropped by {node.dropped}" if node.dropped else "",
        "the answer" if node.winner and node.finished else "",
    ]
    told = "  ".join(f for f in facts if f)
    if told:
        text.append(f"  {told}", "green" if node.winner else "dim")
    return text
