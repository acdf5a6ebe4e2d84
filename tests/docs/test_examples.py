"""What the pages say is what the code does: examples are run, methods in tables are parsed."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ponder
from ponder.core.terms import REGISTRY
from ponder.methods.named import METHODS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.joinpath("docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"\|\s*`([^`]*\)(?: \\\| [^`]*)*)`")


@pytest.fixture(autouse=True)
def own_names() -> Iterator[None]:
    """Names that an example registers are gone after it."""
    kept = [(known, dict(known)) for known in (REGISTRY, METHODS)]
    yield
    for known, before in kept:
        known.clear()
        known.update(before)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples_of_a_page_give_what_it_shows(page: Path):
    text = "\n".join(block for block in BLOCK.findall(page.read_text(encoding="utf-8")) if ">>>" in block)
    example = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    said: list[str] = []
    runner.run(example, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_methods_in_tables_can_be_parsed():
    cells = [
        (page.name, cell.replace("\\|", "|"))
        for page in PAGES
        for cell in CELL.findall(page.read_text(encoding="utf-8"))
        if "sample(" in cell
    ]
    assert len(cells) >= 9
    for page, text in cells:
        method = ponder.method(text)
        assert ponder.method(str(method)) == method, f"{page} shows {text}"
