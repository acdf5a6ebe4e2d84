"""A batch of checks on several workers, and what an interrupt leaves of it: nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ponder.sandbox.contract import Check, Outcome


def side_by_side(
    threads: ThreadPoolExecutor, run: Callable[[Check], Outcome], checks: Sequence[Check], kill: Callable[[], None]
) -> list[Outcome]:
    """Run checks, as many at once as there are threads.

    Args:
        run: what is done with each.
        kill: ends what is running; called when the caller is interrupted. What has not begun is dropped after any exception.
    """
    waiting = [threads.submit(run, check) for check in checks]
    try:
        return [one.result() for one in waiting]
    except BaseException as error:
        for one in waiting:
            one.cancel()
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            kill()
        raise
