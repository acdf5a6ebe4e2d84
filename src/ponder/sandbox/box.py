"""One bubblewrap sandbox: starting it, giving it runs, ending it."""

from __future__ import annotations

import contextlib
import functools
import glob
import itertools
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ponder.core.errors import EngineError, MissingExtra
from ponder.sandbox.contract import Limits
from ponder.sandbox.inside import seccomp

INSTALL = "apt-get install bubblewrap (or your system's package of that name)"
_INSIDE = Path(__file__).parent / "inside"
_AT = "/inside"
_DISK = 32 * 2**20
_LONGEST_START = 30.0
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter")
"""Starts all sandboxes: the kernel ends a sandbox with the thread that started it, and this one lives as long as the process."""
_USERS = itertools.count(2_000_000_000 + os.getpid() % 1_000_000 * 1000)
"""One user id for each sandbox that root starts, so that they do not share the limit on processes."""


def command(as_root: bool, user: int) -> list[str]:
    """The command that starts a sandbox.

    As root, a sandbox has no user namespace: its first process has the right to become another user, and becomes `user` at once. Else it is
    in a user namespace of its own, without any right.
    """
    unshare = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    rights = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if as_root else ["--unshare-user", "--disable-userns"]
    line = [shutil.which("bwrap") or "bwrap", *unshare, "--cap-drop", "ALL", *rights, "--die-with-parent", "--new-session", "--as-pid-1"]
    line += ["--clearenv", "--setenv", "PYTHONHASHSEED", "0"]
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    for path in ("/lib", "/lib64", "/usr/lib", "/usr/lib64"):
        if os.path.islink(path):
            line += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            line += ["--ro-bind", path, path]
    for path in [python, os.path.join(sys.base_prefix, "lib")]:
        for parent in reversed(Path(path).parents[:-1]):  # else as closed to others as it is outside
            line += ["--perms", "0755", "--dir", str(parent)]
        line += ["--ro-bind", path, path]
    stdlib = os.path.dirname(os.path.realpath(os.__file__))
    for hidden in [
        os.path.join(stdlib, "site-packages"),
        *glob.glob("/usr/lib/python3*/dist-packages"),
        *glob.glob("/usr/lib/python3*/site-packages"),
    ]:
        if os.path.isdir(hidden):
            line += ["--tmpfs", hidden, "--remount-ro", hidden]
    line += ["--ro-bind", str(_INSIDE), f"{_AT}/ponder/sandbox/inside", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    line += ["--perms", "1777", "--size", str(_DISK), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]
    start = f"import sys; sys.path.insert(0, {_AT!r}); from ponder.sandbox.inside import zygote; del sys.path[0]; zygote.main({user})"
    return [*line, "--", python, "-P", "-s", "-S", "-B", "-c", start]


@functools.cache
def mode() -> bool:
    """Whether sandboxes start as root here, found out once by starting one.

    Raises:
        MissingExtra: if bubblewrap is not installed.
        EngineError: if it is, but cannot make a sandbox; says what it said.
    """
    if sys.platform != "linux" or not shutil.which("bwrap"):
        raise MissingExtra(f"full Python for hostile code needs bubblewrap on Linux: {INSTALL}")
    if platform.machine() not in seccomp.ARCHITECTURES:
        raise EngineError(
            f"the bubblewrap sandbox knows the system calls of {', '.join(seccomp.ARCHITECTURES)}, not of {platform.machine()}"
        )
    errors = []
    for as_root in [True, False] if os.geteuid() == 0 else [False]:
        try:
            Box(as_root).close()
        except EngineError as error:
            errors.append(str(error))
        else:
            return as_root
    raise EngineError(errors[0])


@dataclass(frozen=True)
class Pipes:
    """This side's ends of a run's pipes: to it, from it, and what it prints. Not blocking."""

    to: int
    answers: int
    printed: int

    def close(self) -> None:
        """Close all."""
        for fd in (self.to, self.answers, self.printed):
            os.close(fd)


def _launch(line: list[str], stdin: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(line, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={}, cwd="/", start_new_session=True)


class Box:
    """A sandbox with its first process waiting for runs. One run at a time.

    Raises:
        EngineError: if it cannot start; says why.
    """

    def __init__(self, as_root: bool) -> None:
        self._runs = itertools.count()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            line = command(as_root, next(_USERS) if as_root else 0)
            self._process = _STARTER.submit(_launch, line, theirs.fileno()).result()
        self._socket = ours
        self._socket.settimeout(_LONGEST_START)
        try:
            self._hear()
        except EngineError:
            self._process.kill()
            said = (self._process.communicate()[1] or b"").decode(errors="replace").strip()[-500:]
            self.close()
            raise EngineError(f"bubblewrap is installed but may not make a sandbox here: {said or 'it did not start'}") from None

    def start(self, role: str, limits: Limits) -> Pipes:
        """Begin a run in a fresh process: of "code" or of "tests"."""
        most = {"CPU": int(limits.seconds) + 2, "FSIZE": _DISK, "NPROC": 64, "NOFILE": 64, "CORE": 0, "MEMLOCK": 0, "MSGQUEUE": 0}
        order = {"run": next(self._runs), "role": role, "memory": limits.memory, "limits": most}
        their_in, to = os.pipe()
        answers, their_out = os.pipe()
        printed, their_printed = os.pipe()
        theirs = [their_in, their_out, their_printed]
        pipes = Pipes(to, answers, printed)
        try:
            socket.send_fds(self._socket, [json.dumps(order).encode()], theirs)
        except OSError:
            pipes.close()
            raise EngineError("a sandbox has ended by itself") from None
        finally:
            for fd in theirs:
                os.close(fd)
        for fd in (to, answers, printed):
            os.set_blocking(fd, False)
        return pipes

    def end(self) -> tuple[int, bool]:
        """End the run: its exit status (negative for a signal), and whether the sandbox is as it was before it."""
        with contextlib.suppress(OSError):
            self._socket.sendall(b"end")
        report = json.loads(self._hear())
        return report["status"], report["clean"]

    @property
    def alive(self) -> bool:
        """False once it has ended."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the sandbox and all in it."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def _hear(self) -> bytes:
        """The next message of the first process."""
        try:
            message = self._socket.recv(4096)
        except OSError:
            message = b""
        if not message:
            raise EngineError("a sandbox has ended by itself")
        return message
