"""What only the sandbox of full Python has: its processes, its two ways to start, its filter of system calls."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import select
import signal
import stat
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.conftest import made
from tests.sandbox.escapes import ESCAPES

from ponder.core.errors import EngineError, MissingExtra
from ponder.sandbox import Check, Limits, Sandbox
from ponder.sandbox.box import check_that_it_works
from ponder.sandbox.bubblewrap import Bubblewrap
from ponder.sandbox.inside import seccomp
from ponder.sandbox.run import Run

RIGHT = Check("def f(x):\n    return x + 2", ("assert f(2) == 4",))


def children(process: int) -> set[int]:
    """All processes below one."""
    below = {int(pid) for task in Path(f"/proc/{process}/task").iterdir() for pid in (task / "children").read_text().split()}
    return below.union(*(children(pid) for pid in below)) if below else below


def test_no_process_is_left_after_200_hostile_runs() -> None:
    box = made(Bubblewrap, 2)
    before = children(os.getpid())
    quick = [e for e in ESCAPES if not e.endless and "@" not in e.code and "deep" not in e.name and "big" not in e.name]
    checks = [Check(e.program, (e.test,)) for e in (quick * 3)[:200]]
    assert not any(outcome.all_passed for outcome in box.check(checks, Limits(seconds=3, memory=2**26)))
    running = children(os.getpid()) - before
    assert len(running) <= 2 * 2 * 2  # bubblewrap and the first process of each sandbox
    assert all(outcome.all_passed for outcome in box.check([RIGHT] * 4))
    box.close()
    assert children(os.getpid()) <= before


def test_what_is_left_in_a_sandbox_ends_with_it(bubblewrap: Sandbox) -> None:
    write = Check("import os\nos.makedirs('/tmp/a/b')\nos.chmod('/tmp/a', 0)\nopen('/tmp/left', 'w').write('x')")
    look = Check("import os\nprint(os.listdir('/tmp'))")
    outcomes = bubblewrap.check([write, look])
    assert outcomes[0].status == "ok"
    assert outcomes[1].output == "[]\n"


def test_a_sandbox_that_died_is_replaced(bubblewrap: Sandbox) -> None:
    before = children(os.getpid())
    assert bubblewrap.check([RIGHT])[0].all_passed
    for pid in children(os.getpid()):
        if b"bwrap" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
            with os.fdopen(os.pidfd_open(pid)) as gone:
                assert select.select([gone], [], [], 10)[0]
    assert bubblewrap.check([RIGHT])[0].all_passed
    assert len(children(os.getpid())) <= max(len(before), 4)


def test_the_sandbox_dies_with_its_process() -> None:
    made(Bubblewrap).close()
    code = (
        "from ponder.sandbox import *\nfrom ponder.sandbox.bubblewrap import Bubblewrap\nbox = Bubblewrap(1)\n"
        "assert box.check([Check('print(1)', ('assert True',))])[0].all_passed\nprint('up', flush=True)\n"
        "box.check([Check('while True:\\n    pass')], Limits(seconds=60))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        watched = [os.pidfd_open(pid) for pid in children(process.pid)]
        process.kill()
        for fd in watched:
            assert select.select([fd], [], [], 10)[0]
            os.close(fd)
    assert len(watched) >= 2


AS_NOBODY = """
from ponder.sandbox import Check, Limits
from ponder.sandbox.bubblewrap import Bubblewrap
from tests.sandbox.escapes import ESCAPES

box = Bubblewrap(1)
escapes = [e for e in ESCAPES if not e.endless and "@" not in e.code and e.name.split(":")[0] in ("files", "processes", "limits")]
for e, o in zip(escapes, box.check([Check(e.program, (e.test,)) for e in escapes], Limits(seconds=3, memory=2**26)), strict=True):
    assert not o.all_passed and "ESCAPED" not in o.output, (e.name, o)
assert box.check([Check("def f():\\n    return 1", ("assert f() == 1",))])[0].all_passed
print(len(escapes))
"""


def test_it_works_as_tightly_for_users_other_than_root(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), *(p for p in sys.path if p.startswith(str(root)) or p.endswith("site-packages"))])
    line = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    for python in [sys.executable, "/usr/bin/python3"]:
        try:
            tried = [
                *line,
                python,
                "-c",
                "import os, sys, ponder.sandbox; sys.exit(sys.version_info < (3, 11) or not os.access(sys._base_executable, os.R_OK))",
            ]
            usable = not subprocess.run(tried, env=environment, cwd="/", capture_output=True, check=False).returncode
        except OSError:
            continue
        if usable:
            break
    else:
        pytest.skip("no Python that another user may run: install Debian's python3")
    result = subprocess.run([*line, python, "-c", AS_NOBODY], env=environment, cwd="/", capture_output=True, text=True, check=False)
    if "may not make a sandbox" in result.stderr:
        pytest.skip(result.stderr.splitlines()[-1])
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 50


def test_every_system_call_on_the_list_is_refused(bubblewrap: Sandbox) -> None:
    refused = {**seccomp._REFUSED[platform.machine()], **seccomp._NEW_ON_ALL}
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"for name, number in {refused}.items():\n"
        "    ctypes.set_errno(0)\n    result = libc.syscall(number, 0, 0, 0, 0, 0, 0)\n    print(name, result, ctypes.get_errno())\n"
    )
    outcome = bubblewrap.check([Check(code)])[0]
    assert outcome.output.splitlines() == [f"{name} -1 1" for name in refused]


def test_it_works_in_a_process_with_many_open_files() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[0] < 2000:
        pytest.skip("needs 2,000 open files: ulimit -n 2000")
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(1500)]
    try:
        box = made(Bubblewrap)
        assert box.check([RIGHT])[0].all_passed
        box.close()
    finally:
        for fd in files:
            os.close(fd)


def test_it_shares_no_namespace_with_this_process(bubblewrap: Sandbox) -> None:
    kinds = ["net", "pid", "ipc", "uts", "mnt"]
    outcome = bubblewrap.check([Check(f"import os\nfor k in {kinds}:\n    print(os.readlink('/proc/self/ns/' + k))")])[0]
    assert len(outcome.output.split()) == len(kinds)
    assert not set(outcome.output.split()) & {os.readlink(f"/proc/self/ns/{kind}") for kind in kinds}


def test_a_verdict_without_the_runs_nonce_is_none(bubblewrap: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    hear = Run.hear

    def forged(run: Run) -> Any:
        said = hear(run)
        return {**said, "nonce": "0" * 32} if "passed" in said else said

    monkeypatch.setattr(Run, "hear", forged)
    outcome = bubblewrap.check([RIGHT])[0]
    assert (outcome.status, outcome.passed) == ("crashed", (False,))


def test_threads_work_and_the_standard_library_is_there(bubblewrap: Sandbox) -> None:
    code = "import asyncio, threading\nt = threading.Thread(target=print, args=(5,))\nt.start()\nt.join()\n"
    code += "print(asyncio.run(asyncio.sleep(0, 7)))"
    outcome = bubblewrap.check([Check(code)])[0]
    assert (outcome.status, outcome.output) == ("ok", "5\n7\n")
    extensions = [p.name.partition(".")[0] for p in Path(sysconfig.get_path("platstdlib"), "lib-dynload").glob("*.so")]
    here = [name for name in extensions if "test" not in name and importlib.util.find_spec(name)]
    code = "import importlib\nfor name in {}:\n    importlib.import_module(name)"
    assert bubblewrap.check([Check(code.format(here))])[0].error == ""


def test_no_packages_and_an_empty_home(bubblewrap: Sandbox) -> None:
    outcome = bubblewrap.check([Check("import numpy"), Check("import os\nprint(sorted(os.environ))")])
    assert outcome[0].error == "ModuleNotFoundError: No module named 'numpy'"
    assert outcome[1].output == "['LC_CTYPE', 'PWD', 'PYTHONHASHSEED']\n"


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("import os\nos._exit(0)", "crashed", "Crash: exit status 0"),
        ("import os\nos.kill(os.getpid(), 11)", "crashed", "Crash: exit status -11"),
        ("import sys\nsys.exit(0)", "failed", "SystemExit: 0"),
        ("import os\nos.fork()", "failed", "PermissionError: [Errno 1] Operation not permitted"),
        ("x = bytearray(2**30)", "memory", "MemoryError"),
        ("import os\nwhile True:\n    os.write(4, b'\\xff' * 2**16)", "crashed", "Crash: exit status -9"),
    ],
)
def test_how_a_process_ends(bubblewrap: Sandbox, code: str, status: str, error: str) -> None:
    outcome = bubblewrap.check([Check(code, ("assert True",))])[0]
    assert (outcome.status, outcome.error, outcome.passed) == (status, error, ())


def test_where_it_cannot_work_it_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check_that_it_works.cache_clear()
    try:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MissingExtra, match="install bubblewrap"):
            Bubblewrap(1)
        fake = tmp_path / "bwrap"
        fake.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
        with pytest.raises(EngineError, match="is installed but may not make a sandbox here: No permissions to create new namespace"):
            Bubblewrap(1)
        monkeypatch.setattr(platform, "machine", lambda: "sparc")
        with pytest.raises(EngineError, match="sparc"):
            Bubblewrap(1)
    finally:
        check_that_it_works.cache_clear()
