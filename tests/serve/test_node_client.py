"""The real Node `openai` package against a gateway on a socket."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.serve.live import Seen, gateway

HERE = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def folder():
    """The package, installed into a cache folder once for each lock file."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ponder-tests" / "node"
    cache.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "package-lock.json").read_bytes()
    kept = cache / "package-lock.json"
    if not ((cache / "node_modules" / "openai").is_dir() and kept.is_file() and kept.read_bytes() == lock):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, cache)
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=cache, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            kept.unlink()
            pytest.skip(f"npm cannot install the openai package: {done.stderr.strip()[-200:]}")
    shutil.copy(HERE / "client.mjs", cache)
    return cache


def test_the_node_client(folder):
    with gateway(more={"slow": Seen({" ".join(["word"] * 900): 1.0}, slow=0.01)}) as live:
        done = subprocess.run(["node", "client.mjs", live.v1], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert live.until(lambda: not live.gateway.jobs, 1.0)
    got = json.loads(done.stdout)
    assert got["whole"]["choices"][0]["message"]["content"] == "7 * 8 is 56. The answer is 56."
    assert got["whole"]["ponder"]["shares"] == got["byField"]["ponder"]["shares"]
    assert "".join(got["pieces"]) == got["plain"]["choices"][0]["message"]["content"]
    assert len(got["pieces"]) > 4
    assert got["usage"] == got["plain"]["usage"]
    assert got["method"]["choices"][0]["message"]["content"] == got["whole"]["choices"][0]["message"]["content"]
    assert "scripted" in got["names"]
    assert got["refused"] == [400, "invalid_request_error", "logprobs"]
    assert got["timedOut"]
