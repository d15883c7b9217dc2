"""What stands at fixed places of a tensor, in as few operations as can be: there are very many in a graph."""

from __future__ import annotations

from typing import Any


def taken(values: Any, numbers: Any, axis: int) -> Any:
    """What stands at those numbers, none of them negative, along an axis."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # What `keras.ops.take` ends in, without the ten operations by which it counts negative numbers from the end.
        return tf.gather(values, numbers, axis=axis)
    return keras.ops.take(values, numbers, axis=axis)
