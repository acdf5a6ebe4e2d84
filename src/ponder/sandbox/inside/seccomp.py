"""A filter of system calls: what a run may not ask of the kernel, whatever user it is.

No processes (threads only), no programs, no sockets that reach anything, no namespaces or mounts, no look into other processes, none of the
kernel's rarely used corners, nothing that outlives the process. What is refused fails with EPERM, as it does for want of a privilege.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER_MODE = 22, 38, 2
_CLONE_THREAD = 0x10000
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENT_AT = 0, 4, 16
_ALLOW, _KILL = 0x7FFF0000, 0x80000000

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""What the kernel calls each machine whose system calls are known here."""

_CLONE = {"x86_64": 56, "aarch64": 220}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_NEW_ON_ALL = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442,
    "quotactl_fd": 443, "memfd_secret": 447,
}  # fmt: skip
_REFUSED = {
    "x86_64": {
        "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "socket": 41, "ptrace": 101, "process_vm_readv": 310,
        "process_vm_writev": 311, "kcmp": 312, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161,
        "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248, "request_key": 249, "memfd_create": 319,
        "shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240, "personality": 135, "setpriority": 141, "ioprio_set": 251,
        "sched_setparam": 142, "sched_setscheduler": 144, "sched_setattr": 314, "sched_setaffinity": 203, "init_module": 175,
        "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320, "swapon": 167, "swapoff": 168, "reboot": 169,
        "acct": 163, "quotactl": 179, "settimeofday": 164, "clock_settime": 227, "clock_adjtime": 305, "adjtimex": 159, "sethostname": 170,
        "setdomainname": 171, "syslog": 103, "name_to_handle_at": 303, "open_by_handle_at": 304, "fanotify_init": 300,
        "migrate_pages": 256, "move_pages": 279, "vhangup": 153, "iopl": 172, "ioperm": 173, "modify_ldt": 154,
    },
    "aarch64": {
        "execve": 221, "execveat": 281, "socket": 198, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "unshare": 97, "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "keyctl": 219, "add_key": 217, "request_key": 218, "memfd_create": 279, "shmget": 194, "semget": 190,
        "msgget": 186, "mq_open": 180, "personality": 92, "setpriority": 140, "ioprio_set": 30, "sched_setparam": 118,
        "sched_setscheduler": 119, "sched_setattr": 274, "sched_setaffinity": 122, "init_module": 105, "finit_module": 273,
        "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294, "swapon": 224, "swapoff": 225, "reboot": 142, "acct": 89,
        "quotactl": 60, "settimeofday": 170, "clock_settime": 112, "clock_adjtime": 266, "adjtimex": 171, "sethostname": 161,
        "setdomainname": 162, "syslog": 116, "name_to_handle_at": 264, "open_by_handle_at": 265, "fanotify_init": 262,
        "migrate_pages": 238, "move_pages": 239, "vhangup": 58,
    },
}  # fmt: skip


class Filter:
    """A filter for this machine, ready to be installed after a fork."""

    def __init__(self) -> None:
        program = b"".join(struct.pack("<HBBI", *line) for line in _lines(platform.machine()))
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._program = ctypes.create_string_buffer(program, len(program))
        self._header = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._program))

    def install(self) -> None:
        """Put this process and all it starts behind the filter, for good.

        Raises:
            OSError: if the kernel refuses.
        """
        for call in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _FILTER_MODE, self._header, 0, 0)):
            if self._libc.prctl(*call):
                raise OSError(ctypes.get_errno(), f"no filter of system calls: {os.strerror(ctypes.get_errno())}")


def _lines(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter as (operation, jump if true, jump if false, operand): jumps skip lines."""

    def refuse(error: int) -> tuple[int, int, int, int]:
        return (_RETURN, 0, 0, 0x00050000 | error)

    def unless(number: int, condition: int, operand: int) -> list[tuple[int, int, int, int]]:
        """Refuse a call unless its first argument meets a condition."""
        test = [(_LOAD, 0, 0, _ARGUMENT_AT), (condition, 0, 1, operand), (_RETURN, 0, 0, _ALLOW), refuse(errno.EPERM)]
        return [(_IF_EQUAL, 0, len(test), number), *test]

    lines = [(_LOAD, 0, 0, _ARCHITECTURE_AT), (_IF_EQUAL, 1, 0, ARCHITECTURES[machine]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NUMBER_AT)]
    lines += [(_IF_AT_LEAST, 0, 1, 0x40000000), refuse(errno.ENOSYS)]  # the second numbering of x86_64
    lines += [(_IF_EQUAL, 0, 1, 435), refuse(errno.ENOSYS)]  # clone3: its flags cannot be read here; libraries then use clone
    for number in [*_REFUSED[machine].values(), *_NEW_ON_ALL.values()]:
        lines += [(_IF_EQUAL, 0, 1, number), refuse(errno.EPERM)]
    lines += unless(_CLONE[machine], _IF_ANY_BIT, _CLONE_THREAD)
    lines += unless(_PRLIMIT[machine], _IF_EQUAL, 0)  # its own limits only
    return [*lines, (_RETURN, 0, 0, _ALLOW)]
