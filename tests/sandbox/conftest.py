"""The sandboxes under test, each with one worker, so that what one program leaves behind the next one would meet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ponder.core.errors import PonderError
from ponder.sandbox import Sandbox
from ponder.sandbox.bubblewrap import Bubblewrap
from ponder.sandbox.monty import Monty


def made(maker: type, workers: int = 1) -> Sandbox:
    """A sandbox, or a skip that says how to install it."""
    try:
        return maker(workers)
    except PonderError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def bubblewrap() -> Iterator[Sandbox]:
    """Full CPython."""
    box = made(Bubblewrap)
    yield box
    box.close()


@pytest.fixture(scope="session")
def monty() -> Iterator[Sandbox]:
    """The small one."""
    box = made(Monty)
    yield box
    box.close()


@pytest.fixture(params=["monty", "bubblewrap"])
def box(request: pytest.FixtureRequest) -> Sandbox:
    """Each backend in turn."""
    return request.getfixturevalue(request.param)
