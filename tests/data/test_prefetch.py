"""Items made ahead are the same items in the same order, and nothing goes on once nobody reads."""

from __future__ import annotations

import threading

import pytest
import torch

from etude.data.prefetch import prefetch
from etude.data.threads import Workers, on_one_core


@pytest.mark.parametrize("depth", [1, 3, 50])
def test_the_items_and_their_order_stay(depth):
    assert list(prefetch(iter(range(20)), depth)) == list(range(20))
    assert list(prefetch(iter(()), depth)) == []


def test_no_more_than_depth_items_are_made_ahead():
    made = []
    going = prefetch((made.append(number) or number for number in range(100)), 3)
    assert next(going) == 0
    threading.Event().wait(0.3)
    assert len(made) <= 1 + 3 + 1  # the one that was read, those that wait, the one that finds no room
    going.close()


def test_an_error_comes_after_the_items_before_it():
    def failing():
        yield 1
        raise KeyError("lost")

    going = prefetch(failing(), 2)
    assert next(going) == 1
    with pytest.raises(KeyError, match="lost"):
        next(going)


def test_leaving_the_loop_ends_the_thread_and_closes_the_source():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield threading.current_thread()
        finally:
            closed.set()

    going = prefetch(endless(), 2)
    thread = next(going)
    assert thread is not threading.current_thread()
    going.close()
    assert closed.is_set()
    assert not thread.is_alive()


def test_such_threads_compute_on_one_core_and_others_as_before():
    before, seen = torch.get_num_threads(), []
    try:
        torch.set_num_threads(3)
        for thread in on_one_core([lambda: seen.append(torch.get_num_threads())] * 2):
            thread.join()
        later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        later.start()
        later.join()
        assert seen == [1, 1, 3]
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 3])
def test_workers_keep_the_order_and_raise_what_went_wrong(count):
    workers = Workers(count)
    assert list(workers.map(lambda number: number**2, range(30))) == [number**2 for number in range(30)]
    with pytest.raises(ZeroDivisionError):
        list(workers.map(lambda number: 1 // (number - 5), range(10)))
    assert list(workers.map(str, range(3))) == ["0", "1", "2"]  # they live on
    alive = list(workers._threads)
    workers.close()
    for thread in alive:
        thread.join(5)
        assert not thread.is_alive()
