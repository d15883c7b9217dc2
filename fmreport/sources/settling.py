"""TensorFlow made to compute the same bits each time, and what it says of itself."""

from __future__ import annotations

import keras
import tensorflow as tf
import tf_keras

from fmreport.environment import here
from fmreport.facts import Platform


def settle(seed: int) -> None:
    """Deterministic kernels, float32 in full, and `seed` for the weights of a model that comes without; then starts."""
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # Layers without a name are numbered through a process; those of a model shall not depend on what came before it.
    keras.utils.clear_session(free_memory=False)
    tf_keras.backend.reset_uids()
    keras.utils.set_random_seed(seed)
    tf.config.list_logical_devices()


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
    return here(framework, devices, {"op_determinism": "on", "tensor_float_32": "off"})
