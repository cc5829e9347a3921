import threading
from contextlib import closing

import pytest

from vlf.data.prefetch import load_ahead


def loaders():
    return [one for one in threading.enumerate() if one.name.startswith("loader")]


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("depth", [0, 1, 4, 100])
def test_items_come_loaded_and_in_their_order(count, depth):
    assert list(load_ahead(lambda i: i * i, iter(range(20)), count, depth)) == [
        i * i for i in range(20)
    ]
    assert not loaders()


def test_without_loaders_an_item_is_loaded_when_it_is_asked_for():
    loaded = []
    stream = load_ahead(loaded.append, range(5), 0, 3)
    next(stream)
    next(stream)
    assert loaded == [0, 1]


def test_with_loaders_the_next_items_are_loaded_before_they_are_asked_for_but_not_all():
    began = {i: threading.Event() for i in range(20)}

    def load(item):
        began[item].set()
        return item

    with closing(load_ahead(load, range(20), 2, 4)) as stream:
        assert next(stream) == 0
        assert all(began[i].wait(timeout=30) for i in range(5))  # 1 to 4 are ahead
        assert not any(began[i].is_set() for i in range(5, 20))


def test_several_items_are_loaded_at_a_time():
    together = threading.Barrier(3, timeout=30)
    assert list(load_ahead(lambda i: (together.wait(), i)[1], range(6), 3, 3)) == list(range(6))


def test_what_loading_raises_is_raised_when_its_item_is_due():
    def load(item):
        if item == 2:
            raise ValueError("item 2 is torn")
        return item

    stream = load_ahead(load, range(5), 2, 5)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(ValueError, match="item 2 is torn"):
        next(stream)
    assert not loaders()


def test_closing_it_ends_the_threads_and_begins_nothing_more():
    began, go_on = [], threading.Event()

    def load(item):
        began.append(item)
        if item:
            go_on.wait(timeout=30)
        return item

    stream = load_ahead(load, range(100), 2, 50)
    assert next(stream) == 0
    threading.Timer(0.05, go_on.set).start()
    stream.close()
    assert not loaders()
    assert len(began) <= 4
