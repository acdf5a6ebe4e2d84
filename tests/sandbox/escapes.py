"""Programs that try to get out of a sandbox, to break it, or to pass a test that they should fail.

Each says ESCAPED where it got what it must not get. In a program, @FILE@ is a file outside with a secret, @DIR@ its folder, @PORT@ a port that
somebody listens to on this machine, @PID@ the process of the tests; the environment outside has PONDER_SECRET.
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
    """

    name: str
    code: str
    test: str = TEST
    control: Literal["says", "passes"] | None = None

    @property
    def program(self) -> str:
        """The code, with a wrong `f` if it has none."""
        return self.code if "def f(" in self.code or "\nf = " in self.code else self.code + WRONG


def _says(name: str, code: str) -> Escape:
    return Escape(name, code, control="says")


def _passes(name: str, code: str, test: str = TEST) -> Escape:
    return Escape(name, code, test, control="passes")


NETWORK = [
    _says("network: connect", "import socket\nsocket.create_connection(('127.0.0.1', @PORT@), 1)\nprint('ESCAPED')"),
    _says("network: http", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:@PORT@/', timeout=1)\nprint('ESCAPED')"),
    _says("network: datagram", "import socket\nsocket.socket(2, 2).sendto(b'x', ('127.0.0.1', @PORT@))\nprint('ESCAPED')"),
    _says("network: listen", "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\nprint('ESCAPED')"),
    _says("network: unix socket", "import socket\nsocket.socket(socket.AF_UNIX).connect('@DIR@/unix')\nprint('ESCAPED')"),
    Escape("network: raw socket", "import socket\nsocket.socket(17, 3)\nprint('ESCAPED')"),
]

FILES = [
    _says("files: /etc/passwd", "print('ESCAPED' if 'root:' in open('/etc/passwd').read() else '')"),
    Escape("files: /etc/shadow", "print('ESCAPED' if ':' in open('/etc/shadow').read() else '')"),
    _says("files: a secret elsewhere", "print(open('@FILE@').read(), 'ESCAPED')"),
    Escape(
        "files: walk for a secret",
        "import os\nname = os.path.basename('@FILE@')\nfor root, _, files in os.walk('/'):\n    if name in files:\n        print('ESCAPED')",
    ),
    Escape("files: through /proc/1/root", "print(open('/proc/1/root@FILE@').read(), 'ESCAPED')"),
    _says("files: by a descriptor of a folder", "import os\nd = os.open('@DIR@', os.O_RDONLY)\nprint(os.listdir(d), 'ESCAPED')"),
    _says("files: write outside", "open('@DIR@/written', 'w').write('x')\nprint('ESCAPED')"),
    Escape("files: write to the standard library", "import os\nopen(os.__file__, 'a').write('#')\nprint('ESCAPED')"),
    Escape("files: write to the sandbox's own code", "open('/inside/ponder/sandbox/inside/wire.py', 'a').write('#')\nprint('ESCAPED')"),
    Escape("files: write to the root", "open('/x', 'w').write('x')\nprint('ESCAPED')"),
    Escape("files: write to /dev", "open('/dev/x', 'w').write('x')\nprint('ESCAPED')"),
    _says(
        "files: symbolic link",
        "import os, tempfile\np = tempfile.mkdtemp() + '/l'\nos.symlink('@FILE@', p)\nprint(open(p).read(), 'ESCAPED')",
    ),
    Escape("files: hard link", "import os\nos.link('@FILE@', '/tmp/l')\nprint(open('/tmp/l').read(), 'ESCAPED')"),
    Escape("files: hard link of the interpreter", "import os, sys\nos.link(sys.executable, '/tmp/python')\nprint('ESCAPED')"),
    Escape("files: make a device", "import os, stat\nos.mknod('/tmp/d', stat.S_IFCHR | 0o666, os.makedev(1, 1))\nprint('ESCAPED')"),
    Escape(
        "files: disks in /dev",
        "import os, stat\nfor n in os.listdir('/dev'):\n    if stat.S_ISBLK(os.stat('/dev/' + n).st_mode):\n        print('ESCAPED')",
    ),
    Escape("files: mount", LIBC + "print('ESCAPED' if libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0 else '')"),
    Escape("files: bind over", LIBC + "print('ESCAPED' if libc.mount(b'/tmp', b'/usr', None, 4096, None) == 0 else '')"),
    Escape("files: remount the root", LIBC + "print('ESCAPED' if libc.mount(None, b'/', None, 32, None) == 0 else '')"),
    Escape("files: chroot", "import os\nos.chroot('/tmp')\nprint('ESCAPED')"),
    Escape("files: core pattern", "open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/x')\nprint('ESCAPED')"),
    Escape("files: sysrq", "open('/proc/sysrq-trigger', 'w').write('h')\nprint('ESCAPED')"),
    Escape("files: kernel memory", "open('/proc/kcore', 'rb').read(16)\nprint('ESCAPED')"),
]

ENVIRONMENT = [
    _says("environment: os.environ", "import os\nprint(os.environ['PONDER_SECRET'], 'ESCAPED')"),
    _says("environment: /proc/self/environ", "print('ESCAPED' if 'PONDER_SECRET' in open('/proc/self/environ').read() else '')"),
    Escape("environment: /proc/1/environ", "print(open('/proc/1/environ').read(), 'ESCAPED')"),
    _says(
        "environment: of all processes",
        "import os\nfor p in filter(str.isdigit, os.listdir('/proc')):\n    try:\n        if 'PONDER_SECRET' in open(f'/proc/{p}/environ').read():\n"
        "            print('ESCAPED')\n    except OSError:\n        pass",
    ),
    _says(
        "environment: by C",
        "import ctypes\nc = ctypes.CDLL(None)\nc.getenv.restype = ctypes.c_char_p\nprint(c.getenv(b'PONDER_SECRET').decode(), 'ESCAPED')",
    ),
    _says("environment: the parent's command", "print('ESCAPED' if 'py' in open('/proc/@PID@/cmdline').read() else '')"),
    _says("environment: by __import__", "print(__import__('o' + 's').environ['PONDER_SECRET'], 'ESCAPED')"),
    _says(
        "environment: by __subclasses__",
        "w = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]\n"
        "print(w.__init__.__globals__['environ']['PONDER_SECRET'], 'ESCAPED')",
    ),
    _says(
        "environment: by eval and compile", "print(eval(compile('__import__(\"os\").environ[\"PONDER_SECRET\"]', '', 'eval')), 'ESCAPED')"
    ),
]

PROCESSES = [
    Escape("processes: kill the tests' process", "import os\nos.kill(@PID@, 9)\nprint('ESCAPED')"),
    Escape("processes: kill the parent", "import os\nfor s in (15, 2, 9, 19, 11):\n    os.kill(os.getppid(), s)"),
    Escape("processes: kill all", "import os\nos.kill(-1, 9)"),
    Escape("processes: stop all", "import os\nos.kill(-1, 19)\nos.kill(os.getpid(), 19)"),
    Escape("processes: kill the group", "import os\nos.killpg(0, 9)"),
    _says("processes: fork", "import os\nif os.fork() == 0:\n    print('ESCAPED', flush=True)\n    os._exit(0)\nos.wait()"),
    Escape(
        "processes: fork bomb",
        "import os\nwhile True:\n    try:\n        os.fork()\n        print('ESCAPED', flush=True)\n    except OSError:\n        pass",
    ),
    _says(
        "processes: run a program",
        "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'print(\"ESC\" + \"APED\")'], capture_output=True, text=True).stdout)",
    ),
    _says("processes: shell", "import os\nprint(os.popen('echo ESC''APED').read())"),
    _says(
        "processes: posix_spawn",
        "import os, sys\np = os.posix_spawn(sys.executable, [sys.executable, '-c', ''], {})\nos.waitpid(p, 0)\nprint('ESCAPED')",
    ),
    _says("processes: exec", "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'print(\"ESC\" + \"APED\")'])"),
    _says(
        "processes: multiprocessing", "import multiprocessing as m\nm.get_context('fork').Process(target=print, args=('ESCAPED',)).start()"
    ),
    Escape(
        "processes: a daemon that stays",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        print('ESCAPED', flush=True)\n        time.sleep(1000)\n    os._exit(0)",
    ),
    Escape(
        "processes: thread bomb",
        "import threading, time\nfor n in range(3000):\n    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n    if n > 1000:\n        print('ESCAPED')",
    ),
    Escape(
        "processes: threads that stay",
        "import threading\ndef spin():\n    while True:\n        pass\nfor _ in range(3):\n    threading.Thread(target=spin).start()",
    ),
    Escape("processes: trace the parent", LIBC + "import os\nprint('ESCAPED' if libc.ptrace(16, os.getppid() or 1, 0, 0) == 0 else '')"),
    Escape("processes: the parent's memory", "open('/proc/1/mem', 'rb').read(1)\nprint('ESCAPED')"),
    Escape("processes: the parent's descriptors", "import os\nprint(os.listdir('/proc/1/fd'), 'ESCAPED')"),
    Escape(
        "processes: the parent's limits",
        "import os, resource\nresource.prlimit(os.getppid() or 1, resource.RLIMIT_CPU, (1, 1))\nprint('ESCAPED')",
    ),
    Escape(
        "processes: become root",
        "import os\ntry:\n    os.setuid(0)\nexcept OSError:\n    pass\ntry:\n    os.setresuid(0, 0, 0)\nexcept OSError:\n    pass\nprint('ESCAPED' if 0 in os.getresuid() else '')",
    ),
    Escape("processes: new namespaces", LIBC + "print('ESCAPED' if libc.unshare(0x10000000) == 0 or libc.unshare(0x20000) == 0 else '')"),
    Escape(
        "processes: enter namespaces",
        LIBC + "import os\nprint('ESCAPED' if libc.setns(os.open('/proc/1/ns/net', os.O_RDONLY), 0) == 0 else '')",
    ),
    Escape("processes: set the clock", "import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)\nprint('ESCAPED')"),
    Escape("processes: set the host name", "import socket\nsocket.sethostname('escaped')\nprint('ESCAPED')"),
    Escape("processes: the kernel's keys", LIBC + "print('ESCAPED' if libc.syscall(248, b'user', b'k', b'v', 1, -2) > 0 else '')"),
    Escape("processes: memory that stays", LIBC + "print('ESCAPED' if libc.shmget(1234, 4096, 0o1666) >= 0 else '')"),
    Escape(
        "processes: leave the signals",
        "import signal\nfor s in range(1, 32):\n    try:\n        signal.signal(s, signal.SIG_IGN)\n    except OSError:\n        pass\nwhile True:\n    pass",
    ),
]

LIMITS = [
    Escape("limits: raise them", "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nprint('ESCAPED')"),
    Escape("limits: memory by a list", "x = [0]\nwhile len(x) < 2**28:\n    x += x\nprint('ESCAPED')"),
    Escape("limits: memory by bytes", "x = b'x' * 2**31\nprint('ESCAPED')"),
    Escape("limits: memory by text", "x = 'x' * 10**10\nprint('ESCAPED')"),
    Escape("limits: memory by mmap", "import mmap\nx = mmap.mmap(-1, 2**31)\nprint('ESCAPED')"),
    Escape("limits: memory by a file in memory", "import os\nfd = os.memfd_create('x')\nprint('ESCAPED')"),
    Escape("limits: recursion", "def g(n):\n    return g(n + 1)\ng(0)\nprint('ESCAPED')"),
    Escape(
        "limits: recursion without Python's limit",
        "import sys\nsys.setrecursionlimit(10**9)\ndef g(n):\n    return [g(n + 1)]\ng(0)\nprint('ESCAPED')",
    ),
    Escape("limits: nested source", "eval('(' * 10**5 + ')' * 10**5)\nprint('ESCAPED')"),
    Escape("limits: endless output", "while True:\n    print('x' * 1000)"),
    Escape("limits: endless output of errors", "import sys\nwhile True:\n    sys.stderr.write('x' * 1000)"),
    Escape("limits: endless line", "import os\nwhile True:\n    os.write(1, b'x' * 4096)"),
    Escape(
        "limits: fill the disk",
        "with open('/tmp/big', 'wb') as big:\n    for _ in range(200):\n        big.write(b'x' * 2**20)\nprint('ESCAPED')",
    ),
    Escape(
        "limits: many files",
        "for i in range(200):\n    with open(f'/tmp/{i}', 'wb') as big:\n        big.write(b'x' * 2**20)\nprint('ESCAPED')",
    ),
    Escape("limits: file descriptors", "import os\nfor n in range(2000):\n    os.dup(1)\nprint('ESCAPED')"),
    Escape("limits: sleep for ever", "import time\nwhile True:\n    time.sleep(1000)"),
    Escape("limits: busy loop", "while True:\n    pass"),
    Escape(
        "limits: slow regular expression",
        "import re\nre.match(r'(a|a)*b', 'a' * 60)\nre.match(r'(a+)+$', 'a' * 60 + 'b')\nwhile True:\n    pass",
    ),
    Escape("limits: huge power", "x = 9 ** 9 ** 9\nprint('ESCAPED')"),
    Escape("limits: endless __del__", "class D:\n    def __del__(self):\n        while True:\n            pass\nd = D()\ndel d"),
    Escape("limits: endless end", "import atexit\n@atexit.register\ndef _():\n    while True:\n        print('x')"),
    Escape("limits: wait for input", "input()"),
    Escape("limits: crash", "import ctypes\nctypes.string_at(0)"),
    Escape("limits: abort", "import os\nos.abort()"),
    Escape("limits: stop itself", "import os\nos.kill(os.getpid(), 19)"),
]

_LIAR = (
    "class Liar({base}):\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return False\n"
    "    __hash__ = None\ndef f(x):\n    return Liar({value})\n"
)

VERDICTS = [
    _passes("verdict: patch abs", "import builtins\nbuiltins.abs = lambda x: 0" + WRONG, "assert abs(f(2) - 4) < 0.1"),
    _passes("verdict: patch len", "import builtins\nbuiltins.len = lambda x: 4\ndef f(x):\n    return [0] * 5\n", "assert len(f(2)) == 4"),
    _passes("verdict: patch isinstance", "import builtins\nbuiltins.isinstance = lambda *a: True" + WRONG, "assert isinstance(f(2), str)"),
    _passes(
        "verdict: patch sorted",
        "import builtins\nbuiltins.sorted = lambda x: [1, 2]\ndef f(x):\n    return [9]\n",
        "assert sorted(f(2)) == [1, 2]",
    ),
    _passes("verdict: patch all", "import builtins\nbuiltins.all = lambda x: True" + WRONG, "assert all([f(2) == 4])"),
    _passes("verdict: define abs", "def abs(x):\n    return 0" + WRONG, "assert abs(f(2) - 4) < 0.1"),
    _passes(
        "verdict: replace __builtins__",
        "import builtins\n__builtins__ = {**vars(builtins), 'abs': lambda x: 0}" + WRONG,
        "assert abs(f(2) - 4) < 0.1",
    ),
    _passes("verdict: poison a module", "import math\nmath.isclose = lambda *a: True" + WRONG, "import math\nassert math.isclose(f(2), 4)"),
    _passes(
        "verdict: poison sys.modules",
        "import sys, types\nm = sys.modules['math'] = types.ModuleType('math')\nm.isclose = lambda *a: True" + WRONG,
        "import math\nassert math.isclose(f(2), 4)",
    ),
    _passes(
        "verdict: import hook",
        "import sys, types\nclass H:\n    def find_spec(self, name, *_):\n        return __import__('importlib').machinery.ModuleSpec(name, self)\n"
        "    def create_module(self, spec):\n        m = types.ModuleType(spec.name)\n        m.isclose = lambda *a: True\n        return m\n"
        "    def exec_module(self, m):\n        pass\nimport importlib.machinery\nsys.modules.pop('cmath', None)\nsys.meta_path.insert(0, H())"
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
        "verdict: small than everything",
        "class L:\n    def __lt__(self, other):\n        return True\ndef f(x):\n    return L()\n",
        "assert f(2) < 4",
    ),
    _passes(
        "verdict: lies in arithmetic",
        "class L:\n    def __sub__(self, other):\n        return 0\ndef f(x):\n    return L()\n",
        "assert abs(f(2) - 4) < 0.1",
    ),
    _passes(
        "verdict: lies about its class",
        "class L:\n    __class__ = int\n    def __eq__(self, other):\n        return True\ndef f(x):\n    return L()\n",
        "assert isinstance(f(2), int) and f(2) == 4",
    ),
    _passes(
        "verdict: iterates as it likes",
        "class L:\n    def __iter__(self):\n        return iter([4])\ndef f(x):\n    return L()\n",
        "assert list(f(2)) == [4]",
    ),
    _passes("verdict: ends a loop of the tests", "def f(x):\n    raise StopIteration\n", "assert all(map(f, [2]))"),
    _passes(
        "verdict: read the tests in a frame",
        "import sys\ndef f(x):\n    g = sys._getframe()\n    while 'answer' not in g.f_locals:\n        g = g.f_back\n    return g.f_locals['answer']\n",
        "answer = 4\nassert f(2) == answer",
    ),
    _passes(
        "verdict: change the tests' variables",
        "import sys\ndef f(x):\n    sys._getframe(1).f_globals['answer'] = 5\n    return 5\n",
        "answer = 4\nassert f(2) == answer",
    ),
    _passes(
        "verdict: trace the tests",
        "import sys\ndef g(frame, event, arg):\n    frame.f_globals['answer'] = 5\n    return g\nsys.setprofile(g)" + WRONG,
        "answer = 4\nassert f(2) == answer",
    ),
    Escape(
        "verdict: find the tests in memory",
        "import gc\ndef f(x):\n    s = [o for o in gc.get_objects() if isinstance(o, dict) and isinstance(o.get('tests'), (list, tuple))]\n    print(*['ESCAPED' for o in s])\n    return 4 if s else 5\n",
    ),
    Escape(
        "verdict: say what a pass would say",
        "import json\nfor n in ('', '0', 'nonce'):\n    print(json.dumps({'nonce': n, 'test': 0, 'passed': True, 'error': ''}))\nprint('PASSED', 'OK', '1 passed', 'exit 0')",
    ),
    Escape(
        "verdict: write it to every descriptor",
        "import os, json\nb = json.dumps({'test': 0, 'passed': True, 'error': '', 'nonce': ''}).encode()\nfor fd in range(3, 256):\n    try:\n"
        "        os.write(fd, len(b).to_bytes(4, 'big') + b)\n    except OSError:\n        pass",
    ),
    Escape(
        "verdict: define what the tests have",
        "import os, json\nb = json.dumps({'defined': {n: {'value': 4} for n in ('f', 'int', '__builtins__', '_error_of', 'ask')}}).encode()\n"
        "for fd in range(3, 256):\n    try:\n        os.write(fd, len(b).to_bytes(4, 'big') + b)\n    except OSError:\n        pass",
    ),
    Escape(
        "verdict: an endless message",
        "import os\nfor fd in range(3, 256):\n    try:\n        os.write(fd, b'\\xff' * 1000)\n    except OSError:\n        pass",
    ),
    Escape(
        "verdict: a nested message",
        "import os\nb = b'[' * 100000\nfor fd in range(3, 256):\n    try:\n        os.write(fd, len(b).to_bytes(4, 'big') + b)\n    except OSError:\n        pass",
    ),
    Escape("verdict: close every descriptor", "import os\nos.closerange(0, 256)"),
    Escape(
        "verdict: make descriptors not block",
        "import os\nfor fd in range(256):\n    try:\n        os.set_blocking(fd, False)\n    except OSError:\n        pass",
    ),
    Escape("verdict: break the sandbox's own tools", "import json, os, sys\njson.dumps = json.loads = os.read = sys.stdout = None"),
    Escape("verdict: exit at once", "import sys\nsys.exit(0)"),
    Escape("verdict: exit in a call", "import sys\ndef f(x):\n    sys.exit(0)\n"),
    Escape("verdict: _exit at once", "import os\nos._exit(0)"),
    Escape("verdict: _exit in a call", "import os\ndef f(x):\n    os._exit(0)\n"),
    Escape("verdict: raise SystemExit", "raise SystemExit(0)"),
    Escape("verdict: raise KeyboardInterrupt in a call", "def f(x):\n    raise KeyboardInterrupt\n"),
    Escape("verdict: raise GeneratorExit in a call", "def f(x):\n    raise GeneratorExit\n"),
    Escape(
        "verdict: an exception that lies",
        "class E(Exception):\n    def __str__(self):\n        raise SystemExit(0)\n    args = property(lambda self: 1 / 0)\ndef f(x):\n    raise E\n",
    ),
    Escape(
        "verdict: redefine the checker",
        "def check(candidate):\n    return True" + WRONG,
        "def check(candidate):\n    assert candidate(2) == 4\ncheck(f)",
    ),
    Escape(
        "verdict: a pickle",
        "import os\nclass P:\n    def __reduce__(self):\n        return os.system, ('echo ESCAPED',)\ndef f(x):\n    return P()\n",
    ),
    Escape("verdict: a generator", "def f(x):\n    yield 4\n", "assert f(2) == [4]"),
    Escape("verdict: a coroutine", "async def f(x):\n    return 4\n"),
    Escape("verdict: a cycle", "def f(x):\n    y = []\n    y.append(y)\n    return y\n"),
    Escape("verdict: deep data", "def f(x):\n    y = []\n    for _ in range(10**5):\n        y = [y]\n    return y\n"),
    Escape("verdict: big data", "def f(x):\n    return 'x' * 10**8\n"),
    Escape("verdict: a big number", "def f(x):\n    return 1 << 10**7\n"),
    Escape("verdict: keys that collide", "def f(x):\n    return {i * (2**61 - 1) for i in range(20000)}\n"),
]

ESCAPES = [*NETWORK, *FILES, *ENVIRONMENT, *PROCESSES, *LIMITS, *VERDICTS]
