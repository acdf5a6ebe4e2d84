"""A server of one's own that is started for a measurement and stopped after it."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from ponder.core.errors import EngineError, InputError


def filled(command: str, settings: Mapping[str, Any]) -> list[str]:
    """A command with its {name} filled in, as arguments; no shell reads it.

    Raises:
        InputError: a name that no setting has, or quotes that do not close.
    """
    try:
        return [part.format_map(settings) for part in shlex.split(command)]
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"the command {command!r} cannot be filled in with {', '.join(settings) or 'nothing'}: {error!r}") from error


@contextmanager
def running(
    command: list[str],
    url: str,
    patience: float = 120.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers at `url`/models while the block runs, and is ended after it.

    Raises:
        EngineError: it cannot be started, ends by itself, or does not answer within `patience` seconds; with the end of its output.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        except OSError as error:
            raise EngineError(f"{command[0]} cannot be started: {error}") from error
        try:
            until = clock() + patience
            while not _answers(url):
                if process.poll() is not None or clock() > until:
                    output.seek(0)
                    said = output.read()[-300:].decode(errors="replace").strip()
                    what = f"ended with {process.returncode}" if process.returncode is not None else f"did not answer at {url}"
                    raise EngineError(f"{command[0]} {what}; its last words: {said or 'none'}")
                sleep(0.2)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url.rstrip('/')}/models", timeout=2).status_code < 500
    except httpx.HTTPError:
        return False
