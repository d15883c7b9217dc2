"""What TensorFlow logs while it loads models is about its own past, not about the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back the warnings of TensorFlow's Python logger; errors are raised as ever."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
