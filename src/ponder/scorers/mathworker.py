"""Compares pairs of expressions for `ponder.scorers.equivalence`: a JSON pair a line in, true or false a line out."""

from __future__ import annotations

import json
import sys


def main() -> None:
    import math_verify

    out, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints must not look like a verdict
    for line in sys.stdin:
        try:
            first, second = (math_verify.parse(f"${text}$", parsing_timeout=3) for text in json.loads(line))
            same = bool(
                first
                and second
                and (math_verify.verify(first, second, timeout_seconds=5) or math_verify.verify(second, first, timeout_seconds=5))
            )
        except Exception:  # sympy raises anything on what it cannot read; such a pair is not equal
            same = False
        print(json.dumps(same), file=out, flush=True)


if __name__ == "__main__":
    main()
