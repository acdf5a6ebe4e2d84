"""`ponder serve`: the gateway and its page."""

from __future__ import annotations

from dataclasses import replace

import click

from ponder.core.errors import need


@click.command()
@click.option(
    "--config", "file", type=click.Path(dir_okay=False, exists=True), default=None, help="A TOML file; without it the embedded model."
)
@click.option("--host", default=None, help="The address to listen on; by default the file's, else this machine only.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port to listen on; by default the file's, else 8080.")
def serve(file: str | None, host: str | None, port: int | None) -> None:
    """Serve ponder to OpenAI clients, with a page.

    \b
    ponder serve
    curl 127.0.0.1:8080/v1/chat/completions -H "content-type: application/json" \\
      -d '{"model": "smollm2:sample(8)|vote()", "messages": [{"role": "user", "content": "What is 7 * 8?"}]}'

    SIGTERM and Ctrl-C finish what was accepted; a second one ends at once.
    """
    need("uvicorn", "serve")
    need("fastapi", "serve")
    from ponder.serve.app import create_app
    from ponder.serve.config import Config, load
    from ponder.serve.server import Server

    config = load(file) if file else Config()
    listening = {k: v for k, v in (("host", host), ("port", port)) if v is not None}
    config = replace(config, server=replace(config.server, **listening))
    click.echo(f"http://{config.server.host}:{config.server.port}/  models: {', '.join((*config.models, *config.aliases))}", err=True)
    Server(create_app(config, path=file or ""), config.server.host, config.server.port).run()
