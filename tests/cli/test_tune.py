"""`ponder tune` on a server that is started for every cell, and on a made embedded engine."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ponder.cli import main
from ponder.lm import load, tuned

SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

port, slots = int(sys.argv[1]), int(sys.argv[2])
if slots == 3:
    sys.exit("no room for 3 slots")


class Handler(BaseHTTPRequestHandler):
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({"data": [{"id": "m"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        choices = [{"index": i, "text": " word" * slots, "finish_reason": "length"} for i in range(asked.get("n", 1))]
        self.answer({"choices": choices, "usage": {"prompt_tokens": 5, "completion_tokens": slots * len(choices)}})

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def ponder(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("tune", *arguments))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_server_of_ones_own_is_started_for_every_setting(tmp_path: Path):
    (tmp_path / "server.py").write_text(SERVER)
    port = free_port()
    start = f"{sys.executable} {tmp_path / 'server.py'} {port} {{slots}}"
    result = ponder(
        f"http://127.0.0.1:{port}/v1#m", "--start", start, "--factor", "slots=2,3,4000", "--optimiser", "grid", "--requests", "2",
        "--prompt", "4", "--repeats", "2", "--out", str(tmp_path), "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["best"] == {"slots": 4000}  # 2,000 times the tokens for each call
    assert told["interval"][0] > 1
    assert "no room for 3 slots" in told["failures"]["slots=3"]
    assert told["kept"] is None
    assert len(json.loads((tmp_path / "landscape.json").read_text())["cells"]) == 3


def test_what_was_tuned_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from ponder.lm.embedded import Scheduling

    monkeypatch.setenv("PONDER_HOME", str(tmp_path))
    assert tuned.kept("embedded:smollm2", Scheduling) == {}
    tuned.keep("embedded:smollm2", {"threads": 1, "group": 4, "colour": 3})
    seen = {}

    class Made:
        def __init__(self, path, **settings):
            seen.update(settings)
            self.name = settings["name"]

    monkeypatch.setattr("ponder.lm.embedded.Embedded", Made)
    monkeypatch.setattr("ponder.pull.fetch", lambda name: tmp_path)
    load._embedded(None, None)
    assert seen["scheduling"] == Scheduling(threads=1, group=4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("organism:chain",), "say what to vary"),
        (("organism:chain", "--factor", "a=1,2"), "no settings to tune"),
        (("smollm2", "--factor", "batch=1,2"), "no setting 'batch'"),
        (("smollm2", "--factor", "threads"), "NAME=LEVEL"),
        (("smollm2", "--factor", "threads=1,1"), "all different"),
        (("http://localhost:1/v1#m", "--factor", "slots=1,2"), "no setting 'slots'"),
        (("http://localhost:1/v1#m", "--start", "serve", "--factor", "slots=1,2"), "does not mention {slots}"),
        (("nothing",), "no model"),
    ],
)
def test_bad_input_is_refused_before_anything_is_measured(arguments: tuple[str, ...], said: str):
    result = ponder(*arguments)
    assert result.exit_code == 2
    assert said in result.output
