"""Numpy's matrix products run on one thread while anybody is inside, and on as many as before afterwards."""

from __future__ import annotations

import threading

import pytest
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from ponder.organisms.threads import one_thread


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_the_setting_comes_back_when_the_last_one_leaves() -> None:
    if not ThreadpoolController().select(user_api="blas").lib_controllers:
        pytest.skip("numpy's matrix library is none whose threads can be set")
    with threadpool_limits(2, user_api="blas"):
        entered, leave = threading.Event(), threading.Event()

        def other() -> None:
            with one_thread():
                entered.set()
                assert leave.wait(30)

        thread = threading.Thread(target=other)
        with one_thread():
            thread.start()
            assert entered.wait(30)
            assert threads() == {1}
        # The first has left, the other is still inside.
        assert threads() == {1}
        leave.set()
        thread.join(30)
        assert threads() == {2}
        with pytest.raises(ValueError, match="fails"), one_thread():
            raise ValueError("fails")
        assert threads() == {2}
