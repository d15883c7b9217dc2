"""The source `tfds`: a data set that TensorFlow Datasets has prepared, each record read when it is asked for."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from fmreport.config.addresses import scheme, unsigned
from fmreport.config.probes import TfdsProbes
from fmreport.errors import ProbeError, nearest
from fmreport.media_types import UNKNOWN
from fmreport.probes.files import meaning_of
from fmreport.probes.listing import Listing
from fmreport.probes.places import absolute
from fmreport.probes.probeset import ProbeFile
from fmreport.probes.tfrecord import Shards

_DEPTHS = ("uint8", "uint16")
_NAMED = 12
"""Features that one message offers."""


class Reader:
    """Reads records of a split by their number.

    To another process it travels as what names it; all that arrive there are one, which opens the files once.
    """

    def __init__(self, folder: str, split: str, wanted: tuple[str, ...]) -> None:
        """`folder` is the data set's own, of one version; `wanted` are the features that are read."""
        self._called = folder, split, wanted
        self._lock = Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, self._called

    def __call__(self, number: int) -> dict[str, Any]:
        """What a record holds, pictures as they were encoded; raises `ProbeError`, which names no record."""
        try:
            # Nothing promises that one reader may be asked by several threads at once.
            with self._lock:
                records, features = self.opened
                record = records[number]
            return dict(features.deserialize_example_np(record, decoders=_as_held(features)))
        except Exception as error:
            # Readers and parsers raise whatever damaged bytes lead them to.
            message = f"cannot be read from its data set: {_reason(error)}"
            raise ProbeError(
                message, fix="prepare the data set again: it is damaged, or not on this machine"
            ) from error

    def group(self, number: int, feature: str) -> str:
        """The name of a record's group."""
        value = self(number)[feature]
        return _namer(self.opened[1], feature)(value)

    @cached_property
    def opened(self) -> tuple[Sequence[bytes], Any]:
        """The records, and the features that are read of them; raises whatever reading them raises."""
        from tensorflow_datasets.core import read_only_builder
        from tensorflow_datasets.core.decode import DeserializeMethod
        from tensorflow_datasets.core.features import FeaturesDict

        folder, split, wanted = self._called
        builder = read_only_builder.builder_from_directory(folder)
        features = FeaturesDict({name: builder.info.features[name] for name in wanted})
        try:
            return builder.as_data_source(split, deserialize_method=DeserializeMethod.RAW_BYTES), features
        except NotImplementedError:
            # TFRecord files, which most data sets are kept in, have no index of their own.
            parts = _parts(builder.info, split)
            return Shards([(Path(part.filename), part.skip, part.take) for part in parts]), features


@lru_cache(maxsize=16)
def _arrived(folder: str, split: str, wanted: tuple[str, ...]) -> Reader:
    return Reader(folder, split, wanted)


def _as_held(features: Any) -> dict[str, Any]:
    from tensorflow_datasets.core.decode import SkipDecoding

    return {name: SkipDecoding() for name in features}


@dataclass(frozen=True, slots=True)
class Record:
    """One picture of one record: the bytes that the data set holds, as they were encoded."""

    read: Reader
    number: int
    """Its place in what was asked for."""
    feature: str
    path: str
    media_type: str

    def open(self) -> io.BytesIO:
        """Its encoded bytes."""
        return io.BytesIO(self.read(self.number)[self.feature])


@dataclass(frozen=True, slots=True)
class _Label:
    """The group of one record, read with it."""

    read: Reader
    number: int
    feature: str

    def __call__(self) -> str:
        """The group's name."""
        return self.read.group(self.number, self.feature)


def listed(source: TfdsProbes, base: Path) -> Listing:
    """The records of the split; nothing is downloaded, and none of them is read."""
    builder = _builder(source, base)
    features = builder.info.features
    kind = _picture(features, "image", source.image)
    masked = _picture(features, "mask", source.mask) if source.mask else UNKNOWN
    if source.group:
        _namer(features, source.group)
    called = list(_paths(builder.info, _parts(builder.info, source.split)))
    read = _opened(builder, source)
    meaning, found = meaning_of(source.mask_values), []
    for number, path in enumerate(called[: source.limit]):
        image = Record(read, number, source.image, path, kind)
        mask = Record(read, number, source.mask, path, masked) if source.mask else None
        group = _Label(read, number, source.group) if source.group else ""
        origin = f"tfds:{path}"
        found.append(ProbeFile(image, origin, mask, f"{origin} {source.mask}" if mask else "", meaning, group))
    return Listing(tuple(found))


def _builder(source: TfdsProbes, base: Path) -> Any:
    """What TensorFlow Datasets knows of a prepared data set, from its files alone: no code of the data set runs."""
    try:
        from tensorflow_datasets.core import naming, read_only_builder, registered
    except ImportError as error:
        message = f"kind: tfds takes TensorFlow Datasets, which cannot be imported: {error}"
        raise ProbeError(message, fix="pip install 'fmreport[tfds]'") from error
    if source.data_dir and scheme(source.data_dir):
        raise ProbeError(f"data_dir: {unsigned(source.data_dir)} lies elsewhere", fix="name a folder of this machine")
    try:
        naming.parse_builder_name_kwargs(source.name)
    except ValueError as error:
        message = f"name: {source.name!r} is no name of a data set"
        raise ProbeError(message, fix="write name, name/config or name:version, as in oxford_iiit_pet:4.0.0") from error
    folder = str(base / source.data_dir) if source.data_dir else None
    try:
        return read_only_builder.builder_from_files(source.name, data_dir=folder)
    except registered.DatasetNotFoundError as error:
        where = f"in {source.data_dir}" if source.data_dir else "where TensorFlow Datasets keeps them"
        place = f" --data_dir {source.data_dir}" if source.data_dir else ""
        raise ProbeError(
            f"name: there is no prepared data set {source.name!r} {where}, and nothing is downloaded here",
            fix=f"prepare it once: tfds build {source.name}{place} --file_format array_record",
        ) from error
    except Exception as error:
        raise _unopened(source, error) from error


def _opened(builder: Any, source: TfdsProbes) -> Reader:
    wanted = tuple(name for name in (source.image, source.mask, source.group) if name)
    read = Reader(absolute(builder.data_dir), source.split, wanted)
    try:
        # Now, so that damage is told once, and not of every record.
        len(read.opened[0])
    except Exception as error:
        raise _unopened(source, error) from error
    return read


def _unopened(source: TfdsProbes, error: Exception) -> ProbeError:
    """What is damaged is met with whatever reading it raises."""
    message = f"name: the data set {source.name!r} cannot be opened: {_reason(error)}"
    return ProbeError(message, fix="prepare it again")


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _picture(features: Any, setting: str, name: str) -> str:
    """The media type of a feature of pictures; UNKNOWN where each record's own bytes tell it."""
    from tensorflow_datasets.core.features import Image

    feature = _feature(features, setting, name)
    if not isinstance(feature, Image) or np.dtype(feature.np_dtype).name not in _DEPTHS:
        kind = f"{type(feature).__name__} of {_numbers(feature)}"
        pictures = [key for key, each in features.items() if isinstance(each, Image)]
        fix = f"of pictures are: {', '.join(pictures[:_NAMED])}" if pictures else "the data set holds no pictures"
        raise ProbeError(f"{setting}: {name!r} is a feature of {kind}, not of pictures", fix=fix)
    return f"image/{feature.encoding_format}" if feature.encoding_format else UNKNOWN


def _numbers(feature: Any) -> str:
    """What a feature's values are: `int64`; those of a feature of many parts are several."""
    return "several" if isinstance(feature.np_dtype, Mapping) else np.dtype(feature.np_dtype).name


def _namer(features: Any, name: str) -> Callable[[Any], str]:
    """What turns a record's value into the name of its group."""
    from tensorflow_datasets.core.features import ClassLabel

    feature = _feature(features, "group", name)
    if isinstance(feature, ClassLabel):
        # Some data sets give -1 to records without a label.
        return lambda value: feature.int2str(int(value)) if int(value) >= 0 else ""
    if feature.shape == () and np.dtype(feature.np_dtype).kind in "OSUiub":
        return lambda value: value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    kind = type(feature).__name__
    raise ProbeError(
        f"group: {name!r} is a feature of {kind}, not of one label", fix="name a class, a text or a number"
    )


def _feature(features: Any, setting: str, name: str) -> Any:
    if name not in features:
        fix = nearest(name, features, most=_NAMED)
        raise ProbeError(f"{setting}: the data set has no feature {name!r}; it has {', '.join(features)}", fix=fix)
    return features[name]


def _parts(info: Any, split: str) -> list[Any]:
    """Of each file of a split which records are asked for: `filename`, `skip`, `take`."""
    try:
        parts = list(info.splits[split].file_instructions)
    except (ValueError, KeyError, AssertionError) as error:
        reason, parts = str(error).strip().partition("\n")[0], []
    else:
        reason = "it holds no record"
    if not parts or any(part.take <= 0 for part in parts):
        there = ", ".join(f"{name} ({each.num_examples:,})" for name, each in info.splits.items())
        message = f"split: {split!r} cannot be taken: {reason}"
        raise ProbeError(message, fix=f"there are: {there}; a part of one is written test[:200]")
    return parts


def _paths(info: Any, parts: Sequence[Any]) -> Iterator[str]:
    """What records are called: by their place in the whole split, whichever part of it is asked for."""
    begins = {}
    for name, split in info.splits.items():
        before = 0
        for file, length in zip(split.filepaths, split.shard_lengths, strict=True):
            begins[Path(file).name] = (name, before)
            before += length
    for part in parts:
        name, before = begins[Path(part.filename).name]
        yield from (f"{info.full_name}/{name}_{before + part.skip + place}" for place in range(part.take))
