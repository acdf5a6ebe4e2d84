"""Once a net is made, numpy's matrix products run on one thread, whichever thread calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.organisms.random_nets import write

SCRIPT = """
import json, sys, threading
from threadpoolctl import threadpool_info
from ponder.organisms.net import Net

def threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

found = []
loading = threading.Thread(target=Net.load, args=(sys.argv[1],))
loading.start()
loading.join()
found.append(threads())
other = threading.Thread(target=lambda: found.append(threads()))
other.start()
other.join()
print(json.dumps(found))
"""


def test_a_net_computes_on_one_thread(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    write(path)
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    assert all(n == 1 for counts in json.loads(done.stdout) for n in counts)
