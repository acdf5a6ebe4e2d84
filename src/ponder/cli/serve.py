"""`ponder serve`: the gateway and its page."""

from __future__ import annotations

import click

from ponder.core.errors import need


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; the default is this machine only.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port to listen on.")
def serve(host: str, port: int) -> None:
    """Serve ponder to OpenAI clients, with a page.

    \b
    ponder serve
    curl 127.0.0.1:8080/v1/chat/completions -H "content-type: application/json" \\
      -d '{"model": "smollm2:sample(8)|vote()", "messages": [{"role": "user", "content": "What is 7 * 8?"}]}'
    """
    uvicorn = need("uvicorn", "serve")
    need("fastapi", "serve")
    from ponder.serve.app import create_app

    uvicorn.run(create_app(), host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=30)
