"""Programs that try to get out of a sandbox, to break it, or to pass a test that they should fail.

Each says ESCAPED where it got what it must not get. In a program, @FILE@ is a file outside with a secret, @DIR@ its folder, @PORT@ a port
that somebody listens to on this machine, @PID@ the process of the tests; the environment outside has PONDER_SECRET.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WRONG = "\ndef f(x):\n    return 5\n"
"""Added to programs that define no f: it should return 4."""
TEST = "assert f(2) == 4"
LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"


@dataclass(frozen=True)
class Escape:
    """One abuse.

    Attributes:
        name: what it tries.
        code: the program.
        test: that it must not pass.
        control: how it succeeds where nothing stops it, which the tests also try: by saying so, or by passing the test in an interpreter
            that it shares with it; None where trying would harm, or needs rights.
        endless: whether it means to run until it is stopped.
    """

    name: str
    code: str
    test: str = TEST
    control: Literal["says", "passes"] | None = None
    endless: bool = False

    @property
    def program(self) -> str:
        """The code, with a wrong `f` if it has none."""
        return self.code if "def f(" in self.code or "\nf = " in self.code else self.code + WRONG


def _endless(name: str, code: str) -> Escape:
    return Escape(name, code, endless=True)


def _says(name: str, code: str) -> Escape:
    return Escape(name, code, control="says")


def _passes(name: str, code: str, test: str = TEST) -> Escape:
    return Escape(name, code, test, control="passes")


NETWORK = [
    _says(
        "network: connect",
        """\
import socket
socket.create_connection(('127.0.0.1', @PORT@), 1)
print('ESCAPED')""",
    ),
    _says(
        "network: http",
        """\
import urllib.request
urllib.request.urlopen('http://127.0.0.1:@PORT@/', timeout=1)
print('ESCAPED')""",
    ),
    _says(
        "network: datagram",
        """\
import socket
socket.socket(2, 2).sendto(b'x', ('127.0.0.1', @PORT@))
print('ESCAPED')""",
    ),
    _says(
        "network: listen",
        """\
import socket
s = socket.socket()
s.bind(('127.0.0.1', 0))
s.listen()
print('ESCAPED')""",
    ),
    _says(
        "network: unix socket",
        """\
import socket
socket.socket(socket.AF_UNIX).connect('@DIR@/unix')
print('ESCAPED')""",
    ),
    Escape("network: raw socket", "import socket\nsocket.socket(17, 3)\nprint('ESCAPED')"),
]

FILES = [
    _says("files: /etc/passwd", "print('ESCAPED' if 'root:' in open('/etc/passwd').read() else '')"),
    Escape("files: /etc/shadow", "print('ESCAPED' if ':' in open('/etc/shadow').read() else '')"),
    _says("files: a secret elsewhere", "print(open('@FILE@').read(), 'ESCAPED')"),
    Escape(
        "files: walk for a secret",
        """\
import os
name = os.path.basename('@FILE@')
for root, _, files in os.walk('/'):
    if name in files:
        print('ESCAPED')""",
    ),
    Escape("files: through /proc/1/root", "print(open('/proc/1/root@FILE@').read(), 'ESCAPED')"),
    _says(
        "files: by a descriptor of a folder",
        """\
import os
d = os.open('@DIR@', os.O_RDONLY)
print(os.listdir(d), 'ESCAPED')""",
    ),
    _says("files: write outside", "open('@DIR@/written', 'w').write('x')\nprint('ESCAPED')"),
    Escape("files: write to the standard library", "import os\nopen(os.__file__, 'a').write('#')\nprint('ESCAPED')"),
    Escape(
        "files: write to the sandbox's own code",
        """\
open('/inside/ponder/sandbox/inside/wire.py', 'a').write('#')
print('ESCAPED')""",
    ),
    Escape("files: write to the root", "open('/x', 'w').write('x')\nprint('ESCAPED')"),
    Escape("files: write to /dev", "open('/dev/x', 'w').write('x')\nprint('ESCAPED')"),
    _says(
        "files: symbolic link",
        """\
import os, tempfile
p = tempfile.mkdtemp() + '/l'
os.symlink('@FILE@', p)
print(open(p).read(), 'ESCAPED')""",
    ),
    Escape(
        "files: hard link",
        """\
import os
os.link('@FILE@', '/tmp/l')
print(open('/tmp/l').read(), 'ESCAPED')""",
    ),
    Escape(
        "files: hard link of the interpreter",
        """\
import os, sys
os.link(sys.executable, '/tmp/python')
print('ESCAPED')""",
    ),
    Escape(
        "files: make a device",
        """\
import os, stat
os.mknod('/tmp/d', stat.S_IFCHR | 0o666, os.makedev(1, 1))
print('ESCAPED')""",
    ),
    Escape(
        "files: disks in /dev",
        """\
import os, stat
for n in os.listdir('/dev'):
    if stat.S_ISBLK(os.lstat('/dev/' + n).st_mode):
        print('ESCAPED')""",
    ),
    Escape("files: mount", LIBC + "print('ESCAPED' if libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0 else '')"),
    Escape("files: bind over", LIBC + "print('ESCAPED' if libc.mount(b'/tmp', b'/usr', None, 4096, None) == 0 else '')"),
    Escape("files: remount the root", LIBC + "print('ESCAPED' if libc.mount(None, b'/', None, 32, None) == 0 else '')"),
    Escape("files: chroot", "import os\nos.chroot('/tmp')\nprint('ESCAPED')"),
    Escape(
        "files: core pattern",
        """\
open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/x')
print('ESCAPED')""",
    ),
    Escape("files: sysrq", "open('/proc/sysrq-trigger', 'w').write('h')\nprint('ESCAPED')"),
    Escape("files: kernel memory", "open('/proc/kcore', 'rb').read(16)\nprint('ESCAPED')"),
]

ENVIRONMENT = [
    _says("environment: os.environ", "import os\nprint(os.environ['PONDER_SECRET'], 'ESCAPED')"),
    _says("environment: /proc/self/environ", "print('ESCAPED' if 'PONDER_SECRET' in open('/proc/self/environ').read() else '')"),
    Escape("environment: /proc/1/environ", "print(open('/proc/1/environ').read(), 'ESCAPED')"),
    _says(
        "environment: of all processes",
        """\
import os
for p in filter(str.isdigit, os.listdir('/proc')):
    try:
        if 'PONDER_SECRET' in open(f'/proc/{p}/environ').read():
            print('ESCAPED')
    except OSError:
        pass""",
    ),
    _says(
        "environment: by C",
        """\
import ctypes
c = ctypes.CDLL(None)
c.getenv.restype = ctypes.c_char_p
print(c.getenv(b'PONDER_SECRET').decode(), 'ESCAPED')""",
    ),
    _says("environment: the parent's command", "print('ESCAPED' if 'py' in open('/proc/@PID@/cmdline').read() else '')"),
    _says("environment: by __import__", "print(__import__('o' + 's').environ['PONDER_SECRET'], 'ESCAPED')"),
    _says(
        "environment: by __subclasses__",
        """\
w = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]
print(w.__init__.__globals__['environ']['PONDER_SECRET'], 'ESCAPED')""",
    ),
    _says(
        "environment: by eval and compile", "print(eval(compile('__import__(\"os\").environ[\"PONDER_SECRET\"]', '', 'eval')), 'ESCAPED')"
    ),
]

PROCESSES = [
    Escape("processes: kill the tests' process", "import os\nos.kill(@PID@, 9)\nprint('ESCAPED')"),
    Escape(
        "processes: kill the parent",
        """\
import os
for s in (15, 2, 9, 19, 11):
    os.kill(os.getppid(), s)""",
    ),
    Escape("processes: kill all", "import os\nos.kill(-1, 9)"),
    _endless("processes: stop all", "import os\nos.kill(-1, 19)\nos.kill(os.getpid(), 19)"),
    Escape("processes: kill the group", "import os\nos.killpg(0, 9)"),
    _says(
        "processes: fork",
        """\
import os
if os.fork() == 0:
    print('ESCAPED', flush=True)
    os._exit(0)
os.wait()""",
    ),
    _endless(
        "processes: fork bomb",
        """\
import os
while True:
    try:
        os.fork()
        print('ESCAPED', flush=True)
    except OSError:
        pass""",
    ),
    _says(
        "processes: run a program",
        """\
import subprocess, sys
print(subprocess.run([sys.executable, '-c', 'print("ESC" + "APED")'], capture_output=True, text=True).stdout)""",
    ),
    _says("processes: shell", "import os\nprint(os.popen('echo ESC''APED').read())"),
    _says(
        "processes: posix_spawn",
        """\
import os, sys
p = os.posix_spawn(sys.executable, [sys.executable, '-c', ''], {})
os.waitpid(p, 0)
print('ESCAPED')""",
    ),
    _says(
        "processes: exec",
        """\
import os, sys
os.execv(sys.executable, [sys.executable, '-c', 'print("ESC" + "APED")'])""",
    ),
    _says(
        "processes: multiprocessing",
        """\
import multiprocessing as m
m.get_context('fork').Process(target=print, args=('ESCAPED',)).start()""",
    ),
    Escape(
        "processes: a daemon that stays",
        """\
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print('ESCAPED', flush=True)
        time.sleep(1000)
    os._exit(0)""",
    ),
    Escape(
        "processes: thread bomb",
        """\
import threading, time
for n in range(3000):
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
    if n > 1000:
        print('ESCAPED')""",
    ),
    _endless(
        "processes: threads that stay",
        """\
import threading
def spin():
    while True:
        pass
for _ in range(3):
    threading.Thread(target=spin).start()""",
    ),
    Escape(
        "processes: trace the parent",
        LIBC
        + """\
import os
print('ESCAPED' if libc.ptrace(16, os.getppid() or 1, 0, 0) == 0 else '')""",
    ),
    Escape("processes: the parent's memory", "open('/proc/1/mem', 'rb').read(1)\nprint('ESCAPED')"),
    Escape("processes: the parent's descriptors", "import os\nprint(os.listdir('/proc/1/fd'), 'ESCAPED')"),
    Escape(
        "processes: the parent's limits",
        """\
import os, resource
resource.prlimit(os.getppid() or 1, resource.RLIMIT_CPU, (1, 1))
print('ESCAPED')""",
    ),
    Escape(
        "processes: become root",
        """\
import os
try:
    os.setuid(0)
except OSError:
    pass
try:
    os.setresuid(0, 0, 0)
except OSError:
    pass
print('ESCAPED' if 0 in os.getresuid() else '')""",
    ),
    Escape("processes: new namespaces", LIBC + "print('ESCAPED' if libc.unshare(0x10000000) == 0 or libc.unshare(0x20000) == 0 else '')"),
    Escape(
        "processes: enter namespaces",
        LIBC
        + """\
import os
print('ESCAPED' if libc.setns(os.open('/proc/1/ns/net', os.O_RDONLY), 0) == 0 else '')""",
    ),
    Escape(
        "processes: set the clock",
        """\
import time
time.clock_settime(time.CLOCK_REALTIME, 0)
print('ESCAPED')""",
    ),
    Escape("processes: set the host name", "import socket\nsocket.sethostname('escaped')\nprint('ESCAPED')"),
    Escape("processes: the kernel's keys", LIBC + "print('ESCAPED' if libc.syscall(248, b'user', b'k', b'v', 1, -2) > 0 else '')"),
    Escape("processes: memory that stays", LIBC + "print('ESCAPED' if libc.shmget(1234, 4096, 0o1666) >= 0 else '')"),
    _endless(
        "processes: leave the signals",
        """\
import signal
for s in range(1, 32):
    try:
        signal.signal(s, signal.SIG_IGN)
    except OSError:
        pass
while True:
    pass""",
    ),
]

LIMITS = [
    Escape(
        "limits: raise them",
        """\
import resource
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
print('ESCAPED')""",
    ),
    Escape("limits: memory by a list", "x = [0]\nwhile len(x) < 2**28:\n    x += x\nprint('ESCAPED')"),
    Escape("limits: memory by bytes", "x = b'x' * 2**31\nprint('ESCAPED')"),
    Escape("limits: memory by text", "x = 'x' * 10**10\nprint('ESCAPED')"),
    Escape("limits: memory by mmap", "import mmap\nx = mmap.mmap(-1, 2**31)\nprint('ESCAPED')"),
    Escape("limits: memory by a file in memory", "import os\nfd = os.memfd_create('x')\nprint('ESCAPED')"),
    Escape("limits: recursion", "def g(n):\n    return g(n + 1)\ng(0)\nprint('ESCAPED')"),
    _endless(
        "limits: recursion without Python's limit",
        """\
import sys
sys.setrecursionlimit(10**9)
def g(n):
    return [g(n + 1)]
g(0)
print('ESCAPED')""",
    ),
    Escape("limits: nested source", "eval('(' * 10**5 + ')' * 10**5)\nprint('ESCAPED')"),
    _endless("limits: endless output", "while True:\n    print('x' * 1000)"),
    _endless("limits: endless output of errors", "import sys\nwhile True:\n    sys.stderr.write('x' * 1000)"),
    _endless("limits: endless line", "import os\nwhile True:\n    os.write(1, b'x' * 4096)"),
    Escape(
        "limits: fill the disk",
        """\
with open('/tmp/big', 'wb') as big:
    for _ in range(200):
        big.write(b'x' * 2**20)
print('ESCAPED')""",
    ),
    Escape(
        "limits: many files",
        """\
for i in range(200):
    with open(f'/tmp/{i}', 'wb') as big:
        big.write(b'x' * 2**20)
print('ESCAPED')""",
    ),
    Escape(
        "limits: file descriptors",
        """\
import os
for n in range(2000):
    os.dup(1)
print('ESCAPED')""",
    ),
    _endless("limits: sleep for ever", "import time\nwhile True:\n    time.sleep(1000)"),
    _endless("limits: busy loop", "while True:\n    pass"),
    _endless(
        "limits: slow regular expression",
        """\
import re
re.match(r'(a|a)*b', 'a' * 60)
re.match(r'(a+)+$', 'a' * 60 + 'b')
while True:
    pass""",
    ),
    _endless("limits: huge power", "x = 9 ** 9 ** 9\nprint('ESCAPED')"),
    _endless(
        "limits: endless __del__",
        """\
class D:
    def __del__(self):
        while True:
            pass
d = D()
del d""",
    ),
    _endless(
        "limits: endless end",
        """\
import atexit
@atexit.register
def _():
    while True:
        print('x')""",
    ),
    Escape("limits: wait for input", "input()"),
    Escape("limits: crash", "import ctypes\nctypes.string_at(0)"),
    Escape("limits: abort", "import os\nos.abort()"),
    _endless("limits: stop itself", "import os\nos.kill(os.getpid(), 19)"),
]

_LIAR = (
    "class Liar({base}):\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return False\n"
    "    __hash__ = None\ndef f(x):\n    return Liar({value})\n"
)

VERDICTS = [
    _passes("verdict: patch abs", "import builtins\nbuiltins.abs = lambda x: 0" + WRONG, "assert abs(f(2) - 4) < 0.1"),
    _passes(
        "verdict: patch len",
        """\
import builtins
builtins.len = lambda x: 4
def f(x):
    return [0] * 5
""",
        "assert len(f(2)) == 4",
    ),
    _passes("verdict: patch isinstance", "import builtins\nbuiltins.isinstance = lambda *a: True" + WRONG, "assert isinstance(f(2), str)"),
    _passes(
        "verdict: patch sorted",
        """\
import builtins
builtins.sorted = lambda x: [1, 2]
def f(x):
    return [9]
""",
        "assert sorted(f(2)) == [1, 2]",
    ),
    _passes("verdict: patch all", "import builtins\nbuiltins.all = lambda x: True" + WRONG, "assert all([f(2) == 4])"),
    _passes("verdict: define abs", "def abs(x):\n    return 0" + WRONG, "assert abs(f(2) - 4) < 0.1"),
    _passes(
        "verdict: replace __builtins__",
        """\
import builtins
__builtins__ = {**vars(builtins), 'abs': lambda x: 0}"""
        + WRONG,
        "assert abs(f(2) - 4) < 0.1",
    ),
    _passes("verdict: poison a module", "import math\nmath.isclose = lambda *a: True" + WRONG, "import math\nassert math.isclose(f(2), 4)"),
    _passes(
        "verdict: poison sys.modules",
        """\
import sys, types
m = sys.modules['math'] = types.ModuleType('math')
m.isclose = lambda *a: True"""
        + WRONG,
        "import math\nassert math.isclose(f(2), 4)",
    ),
    _passes(
        "verdict: import hook",
        """\
import sys, types
class H:
    def find_spec(self, name, *_):
        return __import__('importlib').machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        m = types.ModuleType(spec.name)
        m.isclose = lambda *a: True
        return m
    def exec_module(self, m):
        pass
import importlib.machinery
sys.modules.pop('cmath', None)
sys.meta_path.insert(0, H())"""
        + WRONG,
        "import cmath\nassert cmath.isclose(f(2), 4)",
    ),
    _passes(
        "verdict: a name like a module", "class math:\n    isclose = staticmethod(lambda *a: True)" + WRONG, "assert math.isclose(f(2), 4)"
    ),
    _passes("verdict: equal to everything", _LIAR.format(base="object", value="")),
    _passes("verdict: an integer that lies", _LIAR.format(base="int", value=5)),
    _passes("verdict: a float that lies", _LIAR.format(base="float", value=5)),
    _passes("verdict: a text that lies", _LIAR.format(base="str", value="'no'"), "assert f(2) == 'yes'"),
    _passes("verdict: bytes that lie", _LIAR.format(base="bytes", value="b'no'"), "assert f(2) == b'yes'"),
    _passes("verdict: a list that lies", _LIAR.format(base="list", value="[5]"), "assert f(2) == [4]"),
    _passes("verdict: a tuple that lies", _LIAR.format(base="tuple", value="[5]"), "assert f(2) == (4,)"),
    _passes("verdict: a dict that lies", _LIAR.format(base="dict", value=""), "assert f(2) == {1: 4}"),
    _passes("verdict: a set that lies", _LIAR.format(base="set", value=""), "assert f(2) == {4}"),
    _passes(
        "verdict: a liar in a list", _LIAR.format(base="int", value=5).replace("return Liar(5)", "return [Liar(5)]"), "assert f(2) == [4]"
    ),
    _passes(
        "verdict: smaller than everything",
        """\
class L:
    def __lt__(self, other):
        return True
def f(x):
    return L()
""",
        "assert f(2) < 4",
    ),
    _passes(
        "verdict: lies in arithmetic",
        """\
class L:
    def __sub__(self, other):
        return 0
def f(x):
    return L()
""",
        "assert abs(f(2) - 4) < 0.1",
    ),
    _passes(
        "verdict: lies about its class",
        """\
class L:
    __class__ = int
    def __eq__(self, other):
        return True
def f(x):
    return L()
""",
        "assert isinstance(f(2), int) and f(2) == 4",
    ),
    _passes(
        "verdict: iterates as it likes",
        """\
class L:
    def __iter__(self):
        return iter([4])
def f(x):
    return L()
""",
        "assert list(f(2)) == [4]",
    ),
    _passes("verdict: ends a loop of the tests", "def f(x):\n    raise StopIteration\n", "assert all(map(f, [2]))"),
    _passes(
        "verdict: read the tests in a frame",
        """\
import sys
def f(x):
    g = sys._getframe()
    while 'answer' not in g.f_locals:
        g = g.f_back
    return g.f_locals['answer']
""",
        "answer = 4\nassert f(2) == answer",
    ),
    _passes(
        "verdict: change the tests' variables",
        """\
import sys
def f(x):
    sys._getframe(1).f_globals['answer'] = 5
    return 5
""",
        "answer = 4\nassert f(2) == answer",
    ),
    _passes(
        "verdict: trace the tests",
        """\
import sys
def g(frame, event, arg):
    frame.f_globals['answer'] = 5
    return g
sys.setprofile(g)"""
        + WRONG,
        "answer = 4\nassert f(2) == answer",
    ),
    Escape(
        "verdict: find the tests in memory",
        """\
import gc
def f(x):
    s = [o for o in gc.get_objects() if isinstance(o, dict) and isinstance(o.get('tests'), (list, tuple))]
    print(*['ESCAPED' for o in s])
    return 4 if s else 5
""",
    ),
    Escape(
        "verdict: say what a pass would say",
        """\
import json
for n in ('', '0', 'nonce'):
    print(json.dumps({'nonce': n, 'test': 0, 'passed': True, 'error': ''}))
print('PASSED', 'OK', '1 passed', 'exit 0')""",
    ),
    Escape(
        "verdict: write it to every descriptor",
        """\
import os, json
b = json.dumps({'test': 0, 'passed': True, 'error': '', 'nonce': ''}).encode()
for fd in range(3, 256):
    try:
        os.write(fd, len(b).to_bytes(4, 'big') + b)
    except OSError:
        pass""",
    ),
    Escape(
        "verdict: define what the tests have",
        """\
import os, json
b = json.dumps({'defined': {n: {'value': 4} for n in ('f', 'int', '__builtins__', '_error_of', 'ask')}}).encode()
for fd in range(3, 256):
    try:
        os.write(fd, len(b).to_bytes(4, 'big') + b)
    except OSError:
        pass""",
    ),
    Escape(
        "verdict: an endless message",
        """\
import os
for fd in range(3, 256):
    try:
        os.write(fd, b'\\xff' * 1000)
    except OSError:
        pass""",
    ),
    Escape(
        "verdict: a nested message",
        """\
import os
b = b'[' * 100000
for fd in range(3, 256):
    try:
        os.write(fd, len(b).to_bytes(4, 'big') + b)
    except OSError:
        pass""",
    ),
    Escape("verdict: close every descriptor", "import os\nos.closerange(0, 256)"),
    Escape(
        "verdict: make descriptors not block",
        """\
import os
for fd in range(256):
    try:
        os.set_blocking(fd, False)
    except OSError:
        pass""",
    ),
    Escape(
        "verdict: break the sandbox's own tools",
        """\
import json, os, sys
json.dumps = json.loads = os.read = sys.stdout = None""",
    ),
    Escape("verdict: exit at once", "import sys\nsys.exit(0)"),
    Escape("verdict: exit in a call", "import sys\ndef f(x):\n    sys.exit(0)\n"),
    Escape("verdict: _exit at once", "import os\nos._exit(0)"),
    Escape("verdict: _exit in a call", "import os\ndef f(x):\n    os._exit(0)\n"),
    Escape("verdict: raise SystemExit", "raise SystemExit(0)"),
    Escape("verdict: raise KeyboardInterrupt in a call", "def f(x):\n    raise KeyboardInterrupt\n"),
    Escape("verdict: raise GeneratorExit in a call", "def f(x):\n    raise GeneratorExit\n"),
    Escape(
        "verdict: an exception that lies",
        """\
class E(Exception):
    def __str__(self):
        raise SystemExit(0)
    args = property(lambda self: 1 / 0)
def f(x):
    raise E
""",
    ),
    Escape(
        "verdict: redefine the checker",
        "def check(candidate):\n    return True" + WRONG,
        "def check(candidate):\n    assert candidate(2) == 4\ncheck(f)",
    ),
    _endless(
        "verdict: replace the packer of values",
        """\
def isinstance(v, k):
    return True
def len(v):
    return 0
many = {i * (2**61 - 1) for i in range(20000)}
def f(x):
    return many
many""",
    ),
    Escape(
        "verdict: a pickle",
        """\
import os
class P:
    def __reduce__(self):
        return os.system, ('echo ESCAPED',)
def f(x):
    return P()
""",
    ),
    Escape("verdict: a generator", "def f(x):\n    yield 4\n", "assert f(2) == [4]"),
    Escape("verdict: a coroutine", "async def f(x):\n    return 4\n"),
    Escape("verdict: a cycle", "def f(x):\n    y = []\n    y.append(y)\n    return y\n"),
    Escape(
        "verdict: deep data",
        """\
def f(x):
    y = []
    for _ in range(10**5):
        y = [y]
    return y
""",
    ),
    Escape("verdict: big data", "def f(x):\n    return 'x' * 10**8\n"),
    Escape("verdict: a big number", "def f(x):\n    return 1 << 10**7\n"),
    _endless(
        "verdict: keys that collide",
        """\
def f(x):
    return {i * (2**61 - 1) for i in range(20000)}
""",
    ),
]

ESCAPES = [*NETWORK, *FILES, *ENVIRONMENT, *PROCESSES, *LIMITS, *VERDICTS]
