"""What measures ask of a backend that builds a graph.

That it stays small, as each operation costs time; and that it calls functions of NumPy that read its values in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def taken(values: Any, numbers: Any, axis: int) -> Any:
    """What stands at those numbers, none of them negative, along an axis."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # What `keras.ops.take` ends in, without the ten operations by which it counts negative numbers from the end.
        return tf.gather(values, numbers, axis=axis)
    return keras.ops.take(values, numbers, axis=axis)


def as_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of tensors as one operation, built once for all calls with tensors of the same shapes."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Not put in place of each call again, which would take as long as building it there.
        kept = {"_noinline": True}
        made: Callable[..., Any] = tf.function(function, autograph=False, experimental_attributes=kept)
        return made
    return function


def on_host(
    function: Callable[[np.ndarray], Sequence[np.ndarray]], tensor: Any, dtypes: Sequence[str], shapes: Sequence[Any]
) -> Sequence[Any]:
    """What a function of NumPy arrays returns for a tensor, as tensors of such types and shapes."""
    import tensorflow as tf

    made: Sequence[Any] = tf.numpy_function(function, [tensor], list(map(tf.as_dtype, dtypes)), stateful=False)
    for value, shape in zip(made, shapes, strict=True):
        # Told, and not checked each time: that takes as long as the call.
        value.set_shape(shape)
    return made


def lies_on_host() -> bool:
    """Whether NumPy reads what the backend computes where it lies, and need not copy it from an accelerator."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")
