"""Models as TensorFlow Lite files, by TensorFlow's own converter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf


def converted(model: Any, settle: Callable[[Any], None] = lambda converter: None) -> bytes:
    """The file of a Keras model; `settle` may set what else the converter is to do."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    settle(converter)
    return bytes(converter.convert())


def in_part(converter: Any) -> None:
    """Weights as whole numbers, activations not."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def in_half(converter: Any) -> None:
    """Weights in float16."""
    in_part(converter)
    converter.target_spec.supported_types = [tf.float16]


def whole(images: Iterable[np.ndarray], dtype: Any = tf.int8) -> Callable[[Any], None]:
    """Everything as whole numbers, whose ranges are those of the images `(1, H, W, C)`."""

    def settle(converter: Any) -> None:
        in_part(converter)
        converter.representative_dataset = lambda: ([each.astype(np.float32)] for each in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = dtype

    return settle


def renamed(content: bytes, operator: str, name: str) -> bytes:
    """The file with a custom operator of that name in the place of one of its own."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    for code in model.operatorCodes:
        if code.builtinCode == getattr(schema.BuiltinOperator, operator):
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
            code.customCode = name
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
