"""`ponder digest`: what changed in the catalog of papers, by e-mail."""

from __future__ import annotations

import os

import click

from ponder.cli.options import json_option, print_json
from ponder.core.errors import InputError, need


@click.command()
@click.option("--to", multiple=True, metavar="ADDRESS", help="Who gets it; may be repeated. By default all who subscribed at the page.")
@click.option("--smtp", default="", help="The mail server: smtps://USER@HOST:PORT, smtp://HOST:PORT (STARTTLS), smtp-plain://HOST:PORT.")
@click.option("--sender", default="", help="The address that it is from; by default ponder@ and the mail server's name.")
@click.option("--site", default="", help="Where `ponder serve` is reached, for the links; by default http://127.0.0.1:8080.")
@click.option("--config", default="", type=click.Path(dir_okay=False), help="The file of `ponder serve`: its table digest says the rest.")
@click.option("--since", default="", metavar="DATE", help="From this day on (YYYY-MM-DD); by default since each one's last digest.")
@click.option("--dry-run", is_flag=True, help="Show what changed and send nothing.")
@json_option
def digest(to: tuple[str, ...], smtp: str, sender: str, site: str, config: str, since: str, dry_run: bool, as_json: bool) -> None:
    """Send what changed in the catalog of papers: new entries, new verdicts, changed verdicts.

    The password for the mail server is read from PONDER_SMTP_PASSWORD.

    \b
    ponder digest --dry-run --since 2026-11-01
    ponder digest --to me@example.org --smtp smtps://me@mail.example.org
    ponder digest --config gateway.toml
    ponder digest --smtp smtp://mail.example.org --sender ponder@example.org --site https://ponder.example.org
    """
    need("itsdangerous", "serve")
    need("jinja2", "serve")
    need("fastapi", "serve")
    from ponder.serve.config import Digest, load
    from ponder.serve.digest.changes import notice
    from ponder.serve.digest.changes import since as changes_since
    from ponder.serve.digest.letters import digest_text
    from ponder.serve.digest.mail import read_server
    from ponder.serve.digest.sending import send_digests
    from ponder.serve.digest.store import DigestStore
    from ponder.serve.papers.entries import entries

    settings = load(config).digest if config else Digest()
    smtp, site = smtp or settings.smtp, (site or settings.url or "http://127.0.0.1:8080").rstrip("/")
    store = DigestStore()
    if dry_run:
        notice(store, entries())
        changes = changes_since(store, date=since)
        if as_json:
            print_json([{"paper": c.slug, "change": c.kind, "verdict": c.verdict, "before": c.before} for c in changes])
        else:
            click.echo(digest_text(changes, site))
        return
    if not smtp:
        raise InputError("which mail server? --smtp smtps://USER@HOST:PORT; or --dry-run to see what would be sent")
    server = read_server(smtp, sender or settings.sender, os.environ.get("PONDER_SMTP_PASSWORD", ""))
    count = send_digests(store, server, site, to, since)
    if as_json:
        print_json({name: count[name] for name in ("sent", "refused", "later", "nothing new", "unsubscribed")})
    else:
        click.echo(", ".join(f"{number} {name}" for name, number in count.items() if number) or "nobody has subscribed")
    if count["later"]:
        click.echo("the mail server could not be reached or was busy: the next run sends what is left", err=True)
        raise SystemExit(1)
