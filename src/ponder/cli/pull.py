"""`ponder pull`: models and data sets, fetched and checked."""

from __future__ import annotations

import click

from ponder.cli.options import json_option, print_json
from ponder.core.errors import InputError
from ponder.pull import SOURCES, fetch


@click.command()
@click.argument("names", nargs=-1)
@json_option
def pull(names: tuple[str, ...], as_json: bool) -> None:
    """Fetch models and data sets by name; without a name, list what there is.

    \b
    ponder pull smollm2
    ponder pull gsm8k boolq

    Files are checked against their sha256 and kept in ~/.cache/ponder, or where PONDER_HOME says.
    """
    if not names:
        known = [{"name": s.name, "about": s.about, "licence": s.licence, "megabytes": round(s.size / 1e6, 1)} for s in SOURCES.values()]
        if as_json:
            print_json(known)
        else:
            for source in known:
                click.echo(f"{source['name']:<16} {source['megabytes']:>6} MB  {source['licence']:<14} {source['about']}")
        return
    for name in names:
        if name not in SOURCES:
            raise InputError(f"nothing to pull is called {name!r}; there are {', '.join(SOURCES)}")
    paths = {name: str(fetch(name)) for name in names}
    if as_json:
        print_json(paths)
    else:
        for name, path in paths.items():
            click.echo(f"{name}: {path}")
