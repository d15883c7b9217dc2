"""The names of layers of Keras 3, which are not those of their scopes.

Keras 3 opens a layer's scope twice in every call: once to see whether it has to be built, once to run it. TensorFlow
gives no name twice, so the layer `pool` runs in `pool_1`; the layer `pool_1`, whose name is taken by then, runs in
`pool_1_2`. What TensorFlow did with each name is done again here.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, MutableMapping


def asked(operations: Iterable[str]) -> dict[str, str]:
    """The name of the layer that runs in a scope, by the scope's path, for every scope that was opened twice.

    `operations` are the names of one graph's operations in the order in which they were made.
    """
    given: dict[str, int] = {}
    layers: dict[str, str] = {}
    for operation in operations:
        levels = operation.split("/")
        for end in range(1, len(levels) + 1):
            path = "/".join(levels[:end])
            if path.lower() in given:
                continue
            name = _opened_twice(path, given) if end < len(levels) else ""
            if name:
                layers[path] = name
            else:
                _give(path, given)
    return layers


def _opened_twice(path: str, given: dict[str, int]) -> str:
    """The name that a scope was asked for if it was opened twice; empty where it was opened once."""
    wanted = re.sub(r"_\d+$", "", path)
    trial = ChainMap({}, given)
    _give(wanted, trial)
    if wanted == path or _give(wanted, trial) != path:
        return ""
    given.update(trial.maps[0])
    return wanted.rpartition("/")[2]


def _give(wanted: str, given: MutableMapping[str, int]) -> str:
    """The name that TensorFlow gives when one is asked for; `given` counts how often each was, without case."""
    key = free = wanted.lower()
    number = given.get(key, 0)
    given[key] = number + 1
    if not number:
        return wanted
    while free in given:
        free = f"{key}_{number}"
        number += 1
    given[free] = 1
    return f"{wanted}_{number - 1}"
