"""`ponder keys`: who may call the gateway."""

from __future__ import annotations

import time

import click

from ponder.cli.options import json_option, print_json
from ponder.serve.keys import KeyStore

_file = click.option(
    "--file",
    "path",
    required=True,
    envvar="PONDER_KEYS",
    show_envvar=True,
    help="The SQLite file with the keys (keys.file of the configuration).",
)


@click.group()
def keys() -> None:
    """Make, list and revoke the gateway's API keys.

    \b
    ponder keys add ann --limits "60 requests per minute, 1M tokens per day" --file keys.sqlite
    ponder keys list --file keys.sqlite --json
    ponder keys revoke ann --file keys.sqlite

    Only hashes are kept: a key is shown once, when it is made. Changes count at once, without a restart.
    """


@keys.command()
@click.argument("name")
@click.option("--limits", default="", help="What it may use: '60 requests per minute, 1M tokens per day, $5 per week'.")
@_file
def add(name: str, limits: str, path: str) -> None:
    """Make a key for NAME and print it."""
    store = KeyStore(path)
    try:
        click.echo(store.add(name, limits))
    finally:
        store.close()


@keys.command(name="list")
@_file
@json_option
def listed(path: str, as_json: bool) -> None:
    """The keys, the oldest first; never their secrets."""
    store = KeyStore(path)
    try:
        found = store.all()
    finally:
        store.close()
    rows = [{"id": k.id, "name": k.name, "limits": k.limits, "made": _day(k.made), "revoked": _day(k.revoked)} for k in found]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = f"revoked {row['revoked']}" if row["revoked"] else row["limits"] or "the configuration's limits"
        click.echo(f"{row['id']}  {row['made']}  {row['name']:<20} {state}")


@keys.command()
@click.argument("name")
@_file
def revoke(name: str, path: str) -> None:
    """Refuse the key called NAME (or with that id) from now on."""
    store = KeyStore(path)
    try:
        store.revoke(name)
    finally:
        store.close()


def _day(when: float | None) -> str | None:
    return None if when is None else time.strftime("%Y-%m-%d", time.gmtime(when))
