"""What the pages say is what the code does: examples are run, methods in tables are parsed."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import ponder
from ponder.cli import main
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
        if re.match(r"\(?(sample|until|start|split)\(", cell)
    ]
    assert len(cells) >= 9
    for page, text in cells:
        method = ponder.method(text)
        assert ponder.method(str(method)) == method, f"{page} shows {text}"


def commands() -> list[str]:
    """What the pages tell to type after `ponder`, in blocks and in sentences; continuation lines joined."""
    found: set[str] = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            found.update(re.findall(r"^\$ ponder (.*)$", block.replace("\\\n", " "), re.MULTILINE))
        found.update(re.findall(r"`ponder ([^`]+)`", text))
    return sorted(found)


@pytest.mark.parametrize("line", commands())
def test_command_lines_are_understood(line: str):
    words = shlex.split(line, comments=True)
    command: click.Command | None = main
    while isinstance(command, click.Group) and words:
        command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, f"ponder has no such command: {line}"
    assert command is not None
    command.make_context("ponder", words)
