"""What every sandbox does, on each backend; and which one is found."""

from __future__ import annotations

import math
import subprocess
import sys
import threading

import pytest
from tests.sandbox.conftest import made

from ponder.core.errors import EngineError, InputError, MissingExtra
from ponder.sandbox import Check, Limits, Outcome, Raised, Sandbox, find, finding
from ponder.sandbox.bubblewrap import Bubblewrap
from ponder.sandbox.finding import Auto
from ponder.sandbox.monty import Monty


def one(box: Sandbox, code: str, *tests: str, setup: str = "", **limits: float) -> Outcome:
    return box.check([Check(code, tests, setup)], Limits(**limits))[0]  # type: ignore[arg-type]


def test_each_test_has_its_verdict(box: Sandbox) -> None:
    outcome = one(box, "def f(x):\n    return x + 1", "assert f(1) == 2", "assert f(1) == 3", "assert f(2) == 3")
    assert outcome.passed == (True, False, True)
    assert (outcome.status, outcome.backend, outcome.kind) == ("ok", box.name, "AssertionError")
    assert not outcome.all_passed
    assert one(box, "def f(x):\n    return x + 1", "assert f(1) == 2").all_passed


def test_a_humaneval_check(box: Sandbox) -> None:
    code = 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """ Sum. """\n    return sum(numbers)\n'
    test = "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([1, 2]) == 3\n    assert candidate([]) == 0\n\ncheck(total)"
    assert one(box, code, test).all_passed
    assert not one(box, code.replace("sum(numbers)", "len(numbers)"), test).all_passed


def test_a_run_without_tests_gives_its_output(box: Sandbox) -> None:
    outcome = one(box, "print('seven', 7)\nprint('eight')")
    assert (outcome.status, outcome.output, outcome.passed, outcome.error) == ("ok", "seven 7\neight\n", (), "")
    assert not outcome.all_passed


def test_output_before_an_error_is_kept(box: Sandbox) -> None:
    outcome = one(box, "print('before')\nprint(1 // 0)", "assert True")
    assert (outcome.status, outcome.output, outcome.passed) == ("failed", "before\n", ())
    assert outcome.error.startswith("ZeroDivisionError: ")


def test_output_is_cut(box: Sandbox) -> None:
    assert one(box, "for i in range(1000):\n    print('x' * 99)", output=1000).output == ("x" * 99 + "\n") * 10


def test_the_code_sees_none_of_the_tests_names(box: Sandbox) -> None:
    outcome = one(box, "def f(x):\n    return secret", "secret = 1\nassert f(1) == 1")
    assert outcome.passed == (False,)
    assert outcome.kind == "NameError"


@pytest.mark.parametrize(("code", "status"), [("while True:\n    pass", "timeout"), ("def f(:", "failed"), ("x = undefined", "failed")])
def test_how_a_program_ends(box: Sandbox, code: str, status: str) -> None:
    outcome = one(box, code, "assert True", seconds=0.5)
    assert (outcome.status, outcome.passed) == (status, ())
    assert outcome.error


def test_a_program_that_wants_too_much_memory(box: Sandbox) -> None:
    outcome = one(box, "x = 'x' * 10**9", "assert True", memory=2**26, seconds=20)
    assert (outcome.status, outcome.kind) == ("memory", "MemoryError")
    outcome = one(
        box, "def f(n):\n    return len('x' * n)", "assert f(3) == 3", "assert f(10**9) == 10**9", "assert f(3) == 3", memory=2**26
    )
    assert (outcome.status, outcome.passed) == ("memory", (True, False, False))


def test_tests_after_one_that_timed_out_count_as_failed(box: Sandbox) -> None:
    code = "def f(x):\n    while x:\n        pass\n    return 0"
    outcome = one(box, code, "assert f(0) == 0", "assert f(1) == 0", "assert f(0) == 0", seconds=0.5)
    assert (outcome.status, outcome.passed) == ("timeout", (True, False, False))


def test_the_tests_are_limited_too(box: Sandbox) -> None:
    assert one(box, "def f():\n    return 1", "while f() == 1:\n    pass", seconds=0.5).status == "timeout"


VALUES = [
    *[None, True, 0, -1, 2**53, -(2**200), 1.5, -0.0, math.inf, -math.inf, 1e308, 1 + 2j, "", "é\n\x00'\"", "\U0001f600", b"", b"\x00\xff"],
    *[[], [1, [2.0, None]], (), (1,), {1, 2}, set(), frozenset({"a"}), {}, {"a": [1], 2: (3,), (4, 5): {6}}],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_plain_data_comes_back_as_it_went(box: Sandbox, value: object) -> None:
    outcome = box.calls("def f(x):\n    return x", [("f", (value,))])
    assert repr(outcome.values) == repr((value,))
    expected = repr(value).replace("inf", "float('inf')") if isinstance(value, float) else repr(value)
    assert one(box, "def f(x):\n    return x", f"x = {expected}\nassert f(x) == x and type(f(x)) == type(x)").all_passed


def test_nan_is_itself(box: Sandbox) -> None:
    assert math.isnan(box.calls("def f(x):\n    return x", [("f", (math.nan,))]).values[0])


def test_calls(box: Sandbox) -> None:
    code = "seen = []\ndef f(x):\n    seen.append(x)\n    return seen\ndef g():\n    return [][1]\nprint('up')"
    outcome = box.calls(code, [("f", (1,)), ("g", ()), ("f", (2,)), ("h", ())])
    assert outcome.values[0] == [1]
    assert outcome.values[2] == [1, 2]
    assert isinstance(outcome.values[1], Raised)
    assert outcome.values[1].error.startswith("IndexError: ")
    assert outcome.values[3] == Raised("NameError: name 'h' is not defined")
    assert (outcome.status, outcome.output) == ("ok", "up\n")
    assert box.calls("1 / 0", [("f", ())]).values == ()


def test_calls_stop_at_the_time_limit(box: Sandbox) -> None:
    outcome = box.calls("def f(x):\n    while x:\n        pass\n    return 5", [("f", (0,)), ("f", (1,)), ("f", (0,))], Limits(seconds=0.5))
    assert (outcome.status, outcome.values) == ("timeout", (5,))


def test_arguments_must_be_plain_data(box: Sandbox) -> None:
    with pytest.raises(InputError, match="plain data"):
        box.calls("def f(x):\n    return x", [("f", (object(),))])


def test_what_a_call_changes_is_changed(box: Sandbox) -> None:
    code = "def f(a, d, s, *, k):\n    a.sort()\n    d['x'] = [1]\n    s.clear()\n    k.append(1)\n    return a"
    test = "a, d, s, k = [2, 1], {}, {1}, []\nassert f(a, d, s, k=k) == [1, 2]\nassert (a, d, s, k) == ([1, 2], {'x': [1]}, set(), [1])"
    assert one(box, code, test).all_passed
    assert one(box, "def f(a):\n    a[0][0] = 5", "a = [[1]]\nf(a)\nassert a == [[5]]").all_passed


def test_default_and_named_arguments(box: Sandbox) -> None:
    assert one(
        box, "def f(a, b=2, *c, d=4, **e):\n    return [a, b, list(c), d, e]", "assert f(1, 5, 6, e=7) == [1, 5, [6], 4, {'e': 7}]"
    ).all_passed


@pytest.mark.parametrize(
    "kind", ["ValueError", "KeyError", "IndexError", "ZeroDivisionError", "TypeError", "AssertionError", "RecursionError"]
)
def test_exceptions_arrive_by_their_names(box: Sandbox, kind: str) -> None:
    test = f"try:\n    f()\nexcept {kind} as error:\n    assert 'why' in str(error)\nelse:\n    assert False"
    assert one(box, f"def f():\n    raise {kind}('why')", test).all_passed
    assert not one(box, "def f():\n    raise OSError('why')", test).all_passed


def test_plain_values_of_the_code(box: Sandbox) -> None:
    assert one(box, "LIMIT = [1, 2]\ndef f():\n    return LIMIT", "assert f() == LIMIT == [1, 2]").all_passed


def test_modules_that_the_code_imported(box: Sandbox) -> None:
    assert one(box, "import math\ndef f(x):\n    return math.sqrt(x)", "assert math.isclose(f(4), 2)").all_passed


def test_what_the_setup_defines_hides_the_codes(box: Sandbox) -> None:
    code = "def poly(xs, x):\n    return 0\ndef find_zero(xs):\n    return 99"
    test = "assert abs(poly([1, 2], find_zero([1, 2]))) < 1e-4"
    setup = "def poly(xs, x):\n    return sum([c * x ** i for i, c in enumerate(xs)])"
    assert not one(box, code, test, setup=setup).all_passed
    assert one(box, code.replace("99", "-0.5"), test, setup=setup).all_passed


def test_a_setup_that_fails_fails_the_tests(box: Sandbox) -> None:
    outcome = one(box, "def f():\n    return 1", "assert f() == 1", setup="1 / 0")
    assert (outcome.passed, outcome.kind) == ((False,), "ZeroDivisionError")


def test_a_task_to_write_a_builtin(box: Sandbox) -> None:
    assert one(box, "def sum(a, b):\n    return 6", "assert sum(10, 15) == 6").all_passed
    code = "def sum(a):\n    return 6\ndef f():\n    return [1]"
    assert not one(box, code, "assert sum(f()) == 6").all_passed


def test_batches_keep_their_order(box: Sandbox) -> None:
    outcomes = box.check([Check(f"print({i})") for i in range(20)])
    assert [outcome.output for outcome in outcomes] == [f"{i}\n" for i in range(20)]


def test_many_threads(box: Sandbox) -> None:
    found: dict[int, bool] = {}

    def run(i: int) -> None:
        found[i] = all(
            outcome.values == (i + j,) for j in range(3) for outcome in [box.calls("def f(a, b):\n    return a + b", [("f", (i, j))])]
        )

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(8), True)


def test_a_closed_sandbox_opens_again(box: Sandbox) -> None:
    box.close()
    assert one(box, "print(1)").output == "1\n"


def test_limits_are_refused_at_once() -> None:
    for wrong in [{"seconds": 0}, {"seconds": math.nan}, {"memory": 1}, {"output": -1}]:
        with pytest.raises(InputError):
            Limits(**wrong)


LACKING = [
    "import string\ndef f(x):\n    return x + len(string.digits) - 9",
    "def g():\n    yield 1\ndef f(x):\n    return x + sum(g())",
    "class A(int):\n    pass\ndef f(x):\n    return x + int(A(1))",
    "def f(x):\n    return x + (1).bit_length()",
    "import re\ndef f(x):\n    return x + len(re.sub('a', lambda m: 'b', 'a'))",
]


@pytest.mark.parametrize("code", LACKING)
def test_what_monty_lacks_is_unsupported_and_auto_goes_on(monty: Sandbox, bubblewrap: Sandbox, code: str) -> None:
    assert one(monty, code, "assert f(1) == 2").status == "unsupported"
    outcome = Auto(monty, bubblewrap).check([Check(code, ("assert f(1) == 2",)), Check("def f(x):\n    return 2", ("assert f(1) == 2",))])
    assert [o.backend for o in outcome] == ["bubblewrap", "monty"]
    assert all(o.all_passed for o in outcome)


DIFFERING = [
    ("def f(x):\n    return map(abs, x)", "assert f([1]) == [1]"),
    ("def f(x):\n    return (abs(y) for y in x)", "assert f([1]) == [1]"),
    ("def f(x):\n    return reversed(x)", "assert f([1]) == [1]"),
    ("def f(x):\n    return round(x, 2)", "assert f(2.675) == 2.68"),
    ("def f(x):\n    return x + 0.005", "assert round(f(2.67), 2) == 2.68"),
    ("def f(x: List[int]):\n    return 1", "assert f(1) == 1"),
    ("def f(x) -> Missing:\n    return 1", "assert f(1) == 1"),
    ("def f(x, y: int = {1: 2}[1], z: list(Missing) = 3):\n    return 1", "assert f(1) == 1"),
    ("import typing\ndef f(x: typing.Missing):\n    return 1", "assert f(1) == 1"),
    ("x: Missing = 3\ndef f(x):\n    return 1", "assert f(1) == 1"),
]


@pytest.mark.parametrize(("code", "test"), DIFFERING)
def test_monty_does_not_answer_where_it_differs_from_python(monty: Sandbox, bubblewrap: Sandbox, code: str, test: str) -> None:
    assert one(monty, code, test).status == "unsupported"
    assert not one(bubblewrap, code, test).all_passed


NOT_DIFFERING = [
    "from typing import List, Optional\ndef f(x: List[int], y: Optional[str] = None, z=lambda q: 3, **k: str) -> int | None:\n    return 1",
    "def f(x):\n    y: int = 3\n    table = {\n        y: x,\n        4: 'map(filter)'}  # round\n    return len(list(map(abs, [1])))",
    "def f(x):\n    for i, y in enumerate(sorted(zip([1], [2]))):\n        return sum(z for z in [i, 1])",
]


@pytest.mark.parametrize("code", NOT_DIFFERING)
def test_monty_answers_where_it_does_not_differ(box: Sandbox, code: str) -> None:
    assert one(box, code, "assert f([1]) == 1").all_passed


@pytest.mark.parametrize("value", ["'x' * 2000000", "[0] * 2000000", "1 << 100000", "[1, 'x' * 999, {2: ('y',)}] * 2000"])
def test_monty_gives_no_large_values(monty: Sandbox, value: str) -> None:
    assert one(monty, f"def f():\n    return {value}", "assert f()").status == "unsupported"


def test_auto_lets_python_decide_about_a_failure(monty: Sandbox, bubblewrap: Sandbox) -> None:
    auto = Auto(monty, bubblewrap)
    wrong, printed = auto.check([Check("def f():\n    return 1", ("assert f() == 2",)), Check("print(1)")])
    assert (wrong.backend, wrong.passed) == ("bubblewrap", (False,))
    assert (printed.backend, printed.output) == ("bubblewrap", "1\n")
    assert auto.calls("def f():\n    return 1", [("f", ())]).backend == "bubblewrap"


def test_full_python_reports_what_small_python_lacks(bubblewrap: Sandbox) -> None:
    code = "class E(ValueError):\n    pass\ndef f():\n    raise E('why', 3)"
    assert one(
        bubblewrap, code, "try:\n    f()\nexcept ValueError as e:\n    assert e.args == ('why', 3)\nelse:\n    assert False"
    ).all_passed
    code = "import collections as c\ndef f():\n    return [c.Counter('aa'), c.defaultdict(int), c.OrderedDict(), c.namedtuple('P', 'x')(3)]"
    assert one(bubblewrap, code, "assert f() == [{'a': 2}, {}, {}, (3,)]").all_passed
    outcome = one(bubblewrap, "def f():\n    return object()", "assert f()")
    assert (outcome.passed, outcome.error) == ((False,), "TypeError: an object of type object is not plain data")


@pytest.mark.parametrize("name", ["monty", "bubblewrap"])
def test_an_interrupt_ends_what_runs(name: str) -> None:
    made(Monty if name == "monty" else Bubblewrap).close()
    code = (
        f"import os, signal, threading\nfrom ponder.sandbox import *\nbox = find({name!r})\nbox.check([Check('print(1)')])\n"
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "box.check([Check('while True:\\n    pass')] * 9, Limits(seconds=30))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=False)
    assert "KeyboardInterrupt" in result.stderr


def test_find() -> None:
    with pytest.raises(InputError, match="did you mean 'bubblewrap'"):
        find("bublewrap")
    assert isinstance(made(Bubblewrap), Bubblewrap)
    assert find() is find("auto")


def test_without_any_sandbox_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> Sandbox:
        raise MissingExtra("pip install 'ponder[code]'")

    def broken(*_: object) -> Sandbox:
        raise EngineError("bubblewrap is installed but may not make a sandbox here: no")

    monkeypatch.setattr(finding, "_MAKERS", {"monty": missing, "bubblewrap": broken})
    finding._found.cache_clear()
    try:
        with pytest.raises(MissingExtra, match=r"ponder\[code\].*may not make a sandbox"):
            find()
    finally:
        finding._found.cache_clear()
