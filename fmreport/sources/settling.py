"""TensorFlow made to compute the same bits each time, and what it says of itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from fmreport.environment import here
from fmreport.facts import Platform


@contextmanager
def deterministic(seed: int) -> Iterator[None]:
    """Starts TensorFlow with deterministic kernels, float32 in full and sums left in their order, as long as it lives.

    TensorFlow would write formulas anew, according to what else a graph holds: a measure alone would round otherwise
    than among others, and a run that goes on where another ended would not have its bytes.

    Inside, weights of a model that comes without are drawn from `seed`, and layers without a name are numbered as in a
    new process. The generators of Python and NumPy go on afterwards as if nothing had been drawn.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    tf.config.list_logical_devices()
    keras.utils.clear_session(free_memory=False)
    tf_keras.backend.reset_uids()
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the generator that Keras seeds
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002


def platform() -> Platform:
    """The machine and its TensorFlow, as far as they may decide the last digits of numbers."""
    build = tf.sysconfig.get_build_info()
    framework = {"git": tf.version.GIT_VERSION, "compiler": tf.version.COMPILER_VERSION}
    devices = [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in tf.config.list_physical_devices("GPU")
    ]
    if devices:
        framework |= {name: str(build[name]) for name in ("cuda_version", "cudnn_version") if build.get(name)}
    # Settled above: a run that is made otherwise is not made here.
    settings = {"op_determinism": "on", "tensor_float_32": "off", "arithmetic_optimization": "off"}
    return here(framework, devices, settings)
