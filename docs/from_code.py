"""Fills the tables that the code knows better than a page: the names of the method language and the catalog of papers."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any

import ponder.methods  # noqa: F401  registers every name
from ponder.core.terms import REGISTRY, Argument, Term, arguments
from ponder.lm.load import FORMS
from ponder.organisms.shelf import shelf
from ponder.papers.catalog import WINGS
from ponder.papers.catalog import papers as all_papers
from ponder.programs.prompts import STYLES
from ponder.serve.config import Config
from ponder.serve.options import NAMES
from ponder.tasks import names as task_names

KINDS = {
    "stage": "Stages",
    "condition": "Conditions",
    "scorer": "Scorers",
    "pruner": "Pruning rules",
    "resampler": "Resampling schemes",
    "schedule": "Schedules",
    "method": "Named methods",
}


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """mkdocs calls this for every page: `<!-- names -->` is replaced by what `names` below gives, and so on."""
    for fill in (names, papers, models, styles, tasks, organisms, options):
        mark = f"<!-- {fill.__name__} -->"
        if mark in markdown:
            markdown = markdown.replace(mark, fill())
    return markdown


def names() -> str:
    groups: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for name, maker in sorted(REGISTRY.items()):
        kind = maker.kind if inspect.isclass(maker) and issubclass(maker, Term) else "method"
        groups[kind].append(_entry(name, maker))
    return "\n\n".join(f"## {KINDS[kind]}\n\n" + "\n\n".join(entries) for kind, entries in groups.items() if entries)


def _entry(name: str, maker: Callable[..., Term]) -> str:
    about = (inspect.getdoc(maker) or "").strip()
    return "\n\n".join([f"### {name}", about, *([_table(arguments(maker))] if arguments(maker) else [])])


def _table(declared: tuple[Argument, ...]) -> str:
    rows = [
        f"| `{a.name}` | {a.expected}{''.join(f', {limit}' for limit in a.limits)} | "
        f"{'required' if a.required else f'`{a.default!r}`'} | {a.help} |"
        for a in declared
    ]
    return "\n".join(["| argument | is | default | says |", "|---|---|---|---|", *rows])


def papers() -> str:
    parts: list[str] = []
    for wing in WINGS:
        rows = [
            f"| {p.number} | `{p.slug}` | {f'[{p.title}](https://arxiv.org/abs/{p.arxiv})' if p.arxiv else p.title} "
            f"({p.authors}, {p.year}) | {p.claim} | {f'`{p.code}`' if p.built else 'not built'} |"
            for p in all_papers()
            if p.wing == wing
        ]
        parts.append("\n".join([f"## {wing.capitalize()}", "", "| | slug | paper | claim | code |", "|---|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def models() -> str:
    return "\n".join(["| name | is | example |", "|---|---|---|", *(f"| `{f.form}` | {f.about} | `{f.example}` |" for f in FORMS)])


def organisms() -> str:
    told = ("pass@1", "accuracy_seen", "accuracy_held_out", "auroc_step_within", "auroc_finished")
    told += ("best_of_1", "best_of_4", "best_of_16", "best_of_32")
    rows = [
        f"| `organism:{card.name}` | {card.about} | {', '.join(f'{k} {card.facts[k]}' for k in told if k in card.facts)} "
        f"| {card.path.stat().st_size / 1e6:.1f} |"
        for card in shelf()
    ]
    return "\n".join(["| name | is | measured | MB |", "|---|---|---|---|", *rows])


def tasks() -> str:
    return "\n".join(["| task | is |", "|---|---|", *(f"| `{name}` | {about} |" for name, about in task_names().items())])


def styles() -> str:
    return "\n".join(["| style | is |", "|---|---|", *(f"| `{name}` | {about} |" for name, about in STYLES.items())])


def options() -> str:
    """A section a table of the gateway's configuration file, a row an option."""
    hints = typing.get_type_hints(Config)
    parts: list[str] = []
    for field in dataclasses.fields(Config):
        hint = hints[field.name]
        many = typing.get_origin(hint) is dict
        table = typing.get_args(hint)[1] if many else hint
        kinds = typing.get_type_hints(table)
        rows = [
            f"| `{o.name}` | {_kind(kinds[o.name], o.metadata['least'])} | `{_toml(o.default)}` | {o.metadata['says']} |"
            for o in dataclasses.fields(table)
        ]
        title = f"### `[{field.name}{'.NAME' if many else ''}]`"
        parts.append("\n".join([title, "", field.metadata["says"], "", "| option | is | default | says |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _kind(hint: Any, least: float | None) -> str:
    inside = typing.get_args(hint)
    told = f"list of {NAMES[inside[0]]}s" if inside else NAMES[hint]
    return told if least is None else f"{told}, at least {least:g}"


def _toml(value: Any) -> str:
    """A default as it stands in a TOML file."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else "[]" if value == () else str(value)
