# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of search results."""

from __future__ import annotations

import threading

from ffgan.latent import noise
from ffgan.server.inference.search_cache import SearchCache, SearchResult


def test_the_searches_asked_for_last_are_remembered() -> None:
    cache = SearchCache(3)
    found = {name: SearchResult(noise(i), i) for i, name in enumerate("abcd")}
    for name in "abc":
        cache.add(name, found[name])
    assert cache.get("a") is found["a"]
    cache.add("d", found["d"])
    assert cache.get("b") is None
    assert [cache.get(name) for name in "acd"] == [found[name] for name in "acd"]


def test_many_threads_may_remember() -> None:
    cache = SearchCache(8)
    wrong: list[object] = []

    def drag(first: int) -> None:
        try:
            for i in range(2000):
                seed = (first + i) % 12
                if (known := cache.get(seed)) is None:
                    cache.add(seed, SearchResult(noise(0), seed))
                elif known.tries != seed:
                    wrong.append((seed, known))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=drag, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sum(cache.get(seed) is not None for seed in range(12)) == 8
