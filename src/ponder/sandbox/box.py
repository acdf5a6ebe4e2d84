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
_USERS = itertools.count(os.getpid() * 100)
"""Numbers for the users that root's sandboxes become, one each, so that they share no limit on processes."""


def command() -> list[str]:
    """The command that starts a sandbox.

    As root, a sandbox has no user namespace: its first process has the right to become another user, becomes one of its own, and has no
    right then. For others it is in a user namespace of its own, without any right.
    """
    user = 61184 + next(_USERS) % 4336 if os.geteuid() == 0 else 0  # of the range that systemd keeps for users made on the spot
    rights = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if user else ["--unshare-user", "--disable-userns"]
    line = [shutil.which("bwrap") or "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    line += ["--cap-drop", "ALL", *rights, "--die-with-parent", "--new-session", "--as-pid-1"]
    line += ["--hostname", "sandbox", "--clearenv", "--setenv", "PYTHONHASHSEED", "0"]
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    for path in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", python, os.path.join(sys.base_prefix, "lib"), str(_INSIDE)):
        inside = f"{_AT}/ponder/sandbox/inside" if path == str(_INSIDE) else path
        for parent in reversed(Path(inside).parents[:-1]):  # else closed to the user that it becomes
            line += ["--perms", "0755", "--dir", str(parent)]
        if os.path.islink(path):
            line += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            line += ["--ro-bind", path, inside]
    packages = os.path.join(os.path.dirname(os.path.realpath(os.__file__)), "site-packages")
    for hidden in [packages, *glob.glob("/usr/lib/python3*/dist-packages"), *glob.glob("/usr/lib/python3*/site-packages")]:
        if os.path.isdir(hidden):
            line += ["--tmpfs", hidden, "--remount-ro", hidden]
    line += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--perms", "1777", "--size", str(_DISK), "--tmpfs", "/tmp"]
    start = f"import sys; sys.path.insert(0, {_AT!r}); from ponder.sandbox.inside import zygote; del sys.path[0]; zygote.main({user})"
    return [*line, "--remount-ro", "/", "--chdir", "/tmp", "--", python, "-P", "-s", "-S", "-B", "-c", start]


@functools.cache
def _starter(process: int) -> ThreadPoolExecutor:
    """Starts all sandboxes of a process: the kernel ends a sandbox with the thread that started it, and this one lives as long."""
    return ThreadPoolExecutor(1, thread_name_prefix=f"sandboxes of {process}")


@functools.cache
def check_that_it_works() -> None:
    """Start a sandbox, once.

    Raises:
        MissingExtra: if bubblewrap is not installed.
        EngineError: if it is, but cannot make a sandbox; says what it said.
    """
    if sys.platform != "linux" or not shutil.which("bwrap"):
        raise MissingExtra(f"full Python for hostile code needs bubblewrap on Linux: {INSTALL}")
    if platform.machine() not in seccomp.ARCHITECTURES:
        known = ", ".join(seccomp.ARCHITECTURES)
        raise EngineError(f"the bubblewrap sandbox knows the system calls of {known}, not of {platform.machine()}")
    Box().close()


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

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _starter(os.getpid()).submit(_launch, command(), theirs.fileno()).result()
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
        order = {"role": role, "memory": limits.memory, "limits": most}
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

    def kill(self) -> None:
        """End all that runs in it, at once, from any thread: its first process ends when nobody is left to give it orders."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

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
