"""An ONNX model as a `TappableModel`: tensors inside it are asked for as outputs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf

from fmreport.errors import SourceError
from fmreport.probes.pool import cores
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.hosted import Arrays, HostedModel
from fmreport.sources.inputs import settled
from fmreport.sources.onnx.drawing import Drawer
from fmreport.sources.onnx.file import File, Initializer
from fmreport.sources.randomised import Weight
from fmreport.sources.sketch.graph import Sketch
from fmreport.sources.sketch.listing import Drawing

AT_ONCE = 128
"""Tensors that are asked for at once where all are looked at."""
BESIDE = "session.model_external_initializers_file_folder_path"
"""Option: where the runtime finds numbers that a file does not hold."""


class OnnxModel(HostedModel):
    """Run by ONNX Runtime on the processor."""

    def __init__(self, file: File, identity: Identity, feeds: Mapping[str, str]) -> None:
        self._file = file
        specs = [_spec(each) for each in file.inputs]
        super().__init__(identity, settled([0] * len(specs), specs, feeds), _notes(file))
        self._names = [each.name for each in file.inputs]
        self._given: dict[str, np.ndarray] = {}
        """Weights that hold other numbers than in the file."""
        self._sessions: dict[tuple[str, ...], Any] = {}

    def _draw(self, sketch: Sketch, fed: Sequence[Any], arrays: Sequence[np.ndarray]) -> Drawing:
        graph, known = self._file.graph, dict[str, np.ndarray]()
        known |= {each.name: Initializer(each.name, each, self._file.folder).numpy() for each in self._small()}
        made = [name for node in graph.node for name in node.output if name]
        for names in _parts(made):
            known |= {str(name): value for name, value in self._run(names, arrays).items()}
        return Drawer(graph, self._file.weights, known, sketch).draw(dict(zip(self._names, fed, strict=True)))

    def _small(self) -> Iterator[Any]:
        return (each for each in self._file.graph.initializer if each.name not in self._file.weights)

    def _running(self, wanted: Sequence[Hashable]) -> Callable[[Sequence[np.ndarray]], Arrays]:
        names = tuple(map(str, wanted))
        return lambda arrays: self._run(names, arrays)

    def _run(self, names: tuple[str, ...], arrays: Sequence[np.ndarray]) -> Arrays:
        if names not in self._sessions:
            # One for each set of outputs: the weights of those before are let go.
            self._sessions = {names: self._session(names)}
        try:
            found = self._sessions[names].run(list(names), dict(zip(self._names, arrays, strict=True)))
        except _FAILURES as error:
            raise SourceError(
                f"{self.identity.source} fails while it runs: {summary(error)}",
                fix="try another preprocess.size, and feed other inputs by model.inputs",
            ) from error
        return dict(zip(names, found, strict=True))

    def _session(self, names: Sequence[str]) -> Any:
        """That returns these tensors."""
        model = onnx.ModelProto()
        model.CopyFrom(self._file.model)
        del model.graph.output[:]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = cores()
        options.use_deterministic_compute = True
        options.add_session_config_entry(BESIDE, str(self._file.folder))
        held = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in self._given.items()}
        for name, value in held.items():
            options.add_initializer(name, value)
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        except _FAILURES as error:
            raise SourceError(
                f"{self.identity.source} cannot be run by ONNX Runtime {onnxruntime.__version__}: {summary(error)}",
                fix="check the file with onnx.checker; operations of your own are not supported",
            ) from error
        return session if not held else _Holding(session, held)

    def _weights(self) -> Iterable[Weight]:
        return [_Overridden(each, self) for each in self._file.weights.values()]

    def _give(self, name: str, value: np.ndarray) -> None:
        self._given[name] = value
        self._sessions.clear()


class _Holding:
    """A session and the numbers that it reads where they lie."""

    def __init__(self, session: Any, held: Mapping[str, Any]) -> None:
        self.run, self._held = session.run, held


class _Overridden:
    """A weight whose numbers may be replaced."""

    def __init__(self, stored: Initializer, model: OnnxModel) -> None:
        self._stored, self._model, self.dtype = stored, model, stored.dtype

    def numpy(self) -> np.ndarray:
        """A copy of its numbers."""
        given = self._model._given.get(self._stored.name)
        return self._stored.numpy() if given is None else given.copy()

    def assign(self, value: Any) -> None:
        """Puts others in their place."""
        self._model._give(self._stored.name, np.array(value, self.dtype))


def _parts(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(names), AT_ONCE):
        yield tuple(names[start : start + AT_ONCE])


def _spec(value: Any) -> tf.TensorSpec:
    kind = value.type.tensor_type
    if not kind.elem_type:
        raise SourceError(
            f"the input {value.name} takes no tensor",
            fix="export the model with an input of numbers: a batch of images",
        )
    dtype = tf.as_dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    if not kind.HasField("shape"):
        return tf.TensorSpec(None, dtype, value.name)
    return tf.TensorSpec([side.dim_value or None for side in kind.shape.dim], dtype, value.name)


def _notes(file: File) -> tuple[str, ...]:
    whole = [each for each in file.weights.values() if each.dtype.kind in "iu"]
    if not whole:
        return ()
    return (f"The model is quantised: {len(whole)} of its weights are whole numbers",)


_FAILURES = (
    onnxruntime.capi.onnxruntime_pybind11_state.Fail,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph,
    onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented,
    onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf,
)
