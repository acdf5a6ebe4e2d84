"""Matrix products on one thread: an organism's are so small that a second thread costs more than it brings."""

from __future__ import annotations

from functools import cache

from threadpoolctl import threadpool_limits


@cache
def one_thread() -> None:
    """From now on numpy's matrix products run on one thread, in the whole process.

    The setting belongs to the process, and a thread that would give it back while another computes would slow that one down; so it is
    made once and stays.
    """
    threadpool_limits(limits=1, user_api="blas")
