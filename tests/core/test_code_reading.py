"""Programs and literals read off what models write."""

from __future__ import annotations

import pytest

from ponder.core.code_reading import read_code, read_literal

F = "def f(x):\n    return x + 1"
G = "def g(x):\n    return f(x)"

CODE = [
    (F, F),
    (f"\n\n{F}\n\n", F),
    (f"```python\n{F}\n```", F),
    (f"```\n{F}\n```", F),
    (f"Here it is:\n\n```py\n{F}\n```\nIt adds one.", F),
    (f"```python\n{F}\n", F),  # cut by the token limit
    ("1. Write it:\n\n   ```python\n   def f(x):\n       return x + 1\n   ```", F),
    (f"```python\ndef f(x):\n    return x\n```\nWait, that is wrong:\n```python\n{F}\n```", F),  # a correction counts
    (f"```python\n{F}\n```\nUse it so:\n```python\nprint(f(2))\n```", F),  # what defines something, not its use
    (f"```bash\npip install numpy\n```\n```python\n{F}\n```", F),
    ("```python\nimport math\nx = math.pi\n```", "import math\nx = math.pi"),
    (f"{F}\n\n{G}", f"{F}\n\n{G}"),
    (f"{F}\nThis adds one to x, as was asked.", F),  # a program up to where it stops being one
    (f"{F}\n\ndef g(x:\n    return", F),
    ("    return x + 1\n", "    return x + 1"),  # the rest of a function
    ("    y = 2\n    return x + y\n\nprint(f(1))", "    y = 2\n    return x + y\n\nprint(f(1))"),
    ("    return x +", None),
    ("```python\nreturn the sum\n```", None),
    ("```bash\nls\n```", None),
    ("hello", None),
    ("12", None),
    ("The sum is odd.", None),
    ("", None),
    ("x" * 60_000, None),
]


@pytest.mark.parametrize(("text", "value"), CODE)
def test_programs(text: str, value: str | None) -> None:
    assert read_code(text) == value
    assert value is None or read_code(value) == value


LITERALS = [
    ("[1, 2]", "[1, 2]"),
    ("'a == b'", "'a == b'"),
    ('"abc"', "'abc'"),
    ("The answer is 'abc'.", "'abc'"),
    ("The answer is: `[(4, 1)]`", "[(4, 1)]"),
    ("assert f([1, 2]) == {2: 'x', 1: 'y'}", "{2: 'x', 1: 'y'}"),
    ("f(3) returns 7, so the output is 8", "8"),
    ("The answer is 3. No, wait: the answer is 4.", "4"),
    ("It sorts the list.\n\n[1, 2, 3]", "[1, 2, 3]"),
    ("```python\n(1,)\n```", "(1,)"),
    ("{3, 1, 2}", "{1, 2, 3}"),
    ("set()", "set()"),
    ("{}", "{}"),
    ("-2.50", "-2.5"),
    ("True", "True"),
    ("None", "None"),
    ("b'x'", "b'x'"),
    ("the list, sorted", None),
    ("f(3)", None),
    ("1e999", None),
    ("", None),
    ("[" * 10_000, None),
]


@pytest.mark.parametrize(("text", "value"), LITERALS)
def test_literals(text: str, value: str | None) -> None:
    assert read_literal(text) == value
    assert value is None or read_literal(value) == value


HOSTILE = ("-" * 49_000 + "1", "not " * 12_000, "a" + ".b" * 24_000, "f" + "()" * 24_000, "```\n" * 12_000, "x = (\n" * 8_000)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_end(text: str) -> None:
    assert read_code(text) is None
    assert read_literal(text) is None
