"""The first process of a sandbox: it starts one child a run, and nothing of a run is left when it has ended one.

It is process 1 of its own process namespace: no signal of a child reaches it, and it can end every other process there at once. It takes
orders on a socket that no child has, and hands each child fresh pipes. It drops what privileges it has before anything else.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
from typing import Any

from ponder.sandbox.inside import code_side, seccomp, tests_side

for _module in (
    "bisect",
    "collections",
    "copy",
    "datetime",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "random",
    "re",
    "typing",
):
    __import__(_module)  # what tested code imports most: found ready after the fork

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_RUNS = {"code": code_side.run, "tests": tests_side.run}


def main(uid: int) -> None:
    """Become that user, unless it is 0, and serve runs until the socket on file descriptor 0 closes."""
    if os.getpid() != 1:
        raise SystemExit("not process 1: this would signal processes outside")
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # becoming another user had cleared it
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    filter_ = seccomp.Filter()
    orders = socket.socket(fileno=0)  # keeps message boundaries
    orders.sendall(b"ready")
    while True:
        data, fds, _, _ = socket.recv_fds(orders, 4096, 3)
        if not data:
            os._exit(0)
        if fds:  # else the end of a run that has already ended
            orders.sendall(json.dumps(_serve(orders, json.loads(data), fds, filter_)).encode())


def _serve(orders: socket.socket, order: dict[str, Any], fds: list[int], filter_: seccomp.Filter) -> dict[str, Any]:
    """One run: until its child ends or an order to end it comes."""
    child = os.fork()
    if child == 0:
        try:
            _become(order, fds, filter_)
        finally:
            os._exit(70)
    for fd in fds:
        os.close(fd)
    watch = os.pidfd_open(child)
    select.select([watch, orders], [], [])
    os.close(watch)
    status = _end_all(child)
    return {"status": status, "clean": not os.listdir("/tmp")}


def _end_all(child: int) -> int:
    """Kill and reap everything else in the namespace; the child's exit status, negative for a signal."""
    status = 0
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            pid, raw = os.waitpid(-1, 0)
        except ChildProcessError:
            return status
        if pid == child:
            status = os.waitstatus_to_exitcode(raw)


def _become(order: dict[str, Any], fds: list[int], filter_: seccomp.Filter) -> None:
    """Turn this child into the run: its pipes, its limits, its filter of system calls, then its code."""
    os.setsid()
    incoming, outgoing, out = fds
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (incoming, outgoing, out, null):
        os.dup2(fd, fd + 100)
    os.dup2(null + 100, 0)
    os.dup2(out + 100, 1)
    os.dup2(out + 100, 2)
    os.dup2(incoming + 100, 3)
    os.dup2(outgoing + 100, 4)
    os.closerange(5, 1024)
    sys.stdin = open(0)  # noqa: SIM115 - for as long as the run lasts
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    os.chdir("/tmp")
    with open("/proc/self/statm") as statm:
        size = int(statm.read().split()[0]) * resource.getpagesize()
    for kind, most in [("AS", size + order["memory"]), *order["limits"].items()]:
        resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (most, most))
    filter_.install()
    _RUNS[order["role"]](3, 4)
    os._exit(0)
