"""No program gets out of a sandbox, breaks it, or passes a test that it should fail."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.sandbox.escapes import ESCAPES, Escape

from ponder.sandbox import Check, Limits, Sandbox

SECRET = "a7f3-what-no-sandbox-may-see"
LIMITS = Limits(seconds=3, memory=128 * 2**20, output=5000)
SHORT = replace(LIMITS, seconds=0.4)
RIGHT = Check("def f(x):\n    return x + 2", ("assert f(2) == 4", "assert abs(f(5) - 7) < 0.1"))
WRONG = Check("def f(x):\n    return 5", ("assert f(2) == 4",))


@dataclass
class Outside:
    """What is outside: a secret file, the folder it is in, and a port where somebody listens."""

    folder: Path
    port: int
    connections: list[bytes]

    def program(self, escape: Escape) -> str:
        """The escape aimed at it."""
        places = {"@FILE@": self.folder / "secret.txt", "@DIR@": self.folder, "@PORT@": self.port, "@PID@": os.getpid()}
        program = escape.program
        for mark, place in places.items():
            program = program.replace(mark, str(place))
        return program


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret.txt").write_text(SECRET)
    connections: list[bytes] = []
    os.environ["PONDER_SECRET"] = SECRET
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(folder / "unix"))
        unix.listen()

        def serve() -> None:
            while True:
                try:
                    one, _ = server.accept()
                except OSError:
                    return
                with one:
                    connections.append(b"connected")
                    one.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield Outside(folder, server.getsockname()[1], connections)
        server.shutdown(socket.SHUT_RDWR)
    del os.environ["PONDER_SECRET"]


@pytest.mark.parametrize("escape", ESCAPES, ids=lambda e: e.name)
def test_no_escape_succeeds(box: Sandbox, outside: Outside, escape: Escape) -> None:
    before = sorted(outside.folder.iterdir()), len(outside.connections)
    outcome = box.check([Check(outside.program(escape), (escape.test,))], SHORT if escape.endless else LIMITS)[0]
    assert not outcome.all_passed
    seen = "".join([outcome.output, outcome.error, *map(str, outcome.values)])
    assert SECRET not in seen
    assert "ESCAPED" not in outcome.output
    assert len(outcome.output) <= LIMITS.output
    assert (sorted(outside.folder.iterdir()), len(outside.connections)) == before
    right, wrong = box.check([RIGHT, WRONG])
    assert right.passed == (True, True)
    assert wrong.passed == (False,)


NAIVE = """
import sys
code, test = sys.argv[1:]
names = {"__name__": "tested"}
exec(code, names)
exec(test, names)
sys.__stdout__.write("PASSED")
sys.__stdout__.flush()
"""


@pytest.mark.parametrize("escape", [e for e in ESCAPES if e.control], ids=lambda e: e.name)
def test_it_does_succeed_where_nothing_stops_it(outside: Outside, escape: Escape, tmp_path: Path) -> None:
    line = [sys.executable, "-c", NAIVE, outside.program(escape), escape.test if escape.control == "passes" else ""]
    result = subprocess.run(line, capture_output=True, text=True, timeout=30, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)})
    (outside.folder / "written").unlink(missing_ok=True)
    assert ("ESCAPED" if escape.control == "says" else "PASSED") in result.stdout, result.stderr


def test_the_docs_list_every_escape() -> None:
    page = (Path(__file__).parents[2] / "docs" / "nouns" / "sandbox.md").read_text()
    listed = [line.split("|")[1].strip() for line in page.partition("| abuse |")[2].splitlines()[2:]]
    assert listed == [escape.name for escape in ESCAPES]
    assert f"{sum(escape.control is not None for escape in ESCAPES)} of them do so" in page
    assert f"None of the {len(ESCAPES)} succeeds" in page
