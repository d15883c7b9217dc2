"""The source `tfds`: a data set that TensorFlow Datasets has prepared, each record read when it is asked for."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from fmreport.probes.probeset import ProbeFile
from fmreport.probes.tfrecord import Shards

_DEPTHS = ("uint8", "uint16")
_NAMED = 12
"""Features that one message offers."""


@dataclass(frozen=True, slots=True)
class Record:
    """One picture of one record: the bytes that the data set holds, as they were encoded."""

    read: Callable[[int], dict[str, Any]]
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

    read: Callable[[int], dict[str, Any]]
    number: int
    feature: str
    name: Callable[[Any], str]

    def __call__(self) -> str:
        """The group's name."""
        return self.name(self.read(self.number)[self.feature])


def listed(source: TfdsProbes, base: Path) -> Listing:
    """The records of the split; nothing is downloaded, and none of them is read."""
    builder = _builder(source, base)
    features = builder.info.features
    kind = _picture(features, "image", source.image)
    masked = _picture(features, "mask", source.mask) if source.mask else UNKNOWN
    name = _group(features, source.group) if source.group else None
    read, called = _reader(builder, source)
    meaning, found = meaning_of(source.mask_values), []
    for number, path in enumerate(called[: source.limit]):
        image = Record(read, number, source.image, path, kind)
        mask = Record(read, number, source.mask, path, masked) if source.mask else None
        group = _Label(read, number, source.group, name) if source.group and name else ""
        origin = f"tfds:{path}"
        found.append(ProbeFile(image, origin, mask, f"{origin} {source.mask}" if mask else "", meaning, group))
    return Listing(tuple(found))


def _builder(source: TfdsProbes, base: Path) -> Any:
    """What TensorFlow Datasets knows of a prepared data set, from its files alone: no code of the data set runs."""
    try:
        from tensorflow_datasets.core import read_only_builder, registered
    except ImportError as error:
        message = f"kind: tfds takes TensorFlow Datasets, which cannot be imported: {error}"
        raise ProbeError(message, fix="pip install 'fmreport[tfds]'") from error
    if source.data_dir and scheme(source.data_dir):
        raise ProbeError(f"data_dir: {unsigned(source.data_dir)} lies elsewhere", fix="name a folder of this machine")
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
        # Damaged facts of a data set are met with whatever reading them raises.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        message = f"name: the data set {source.name!r} cannot be opened: {reason}"
        raise ProbeError(message, fix="prepare it again") from error


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


def _group(features: Any, name: str) -> Callable[[Any], str]:
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


def _reader(builder: Any, source: TfdsProbes) -> tuple[Callable[[int], dict[str, Any]], list[str]]:
    """What reads a record of the split by its number, and the records' paths, such as `pets/4.0.0/test_17`."""
    from tensorflow_datasets.core.decode import DeserializeMethod, SkipDecoding
    from tensorflow_datasets.core.features import FeaturesDict

    parts = _parts(builder.info, source.split)
    wanted = [name for name in (source.image, source.mask, source.group) if name]
    features = FeaturesDict({name: builder.info.features[name] for name in wanted})
    as_held = {name: SkipDecoding() for name in wanted}
    try:
        records: Sequence[bytes] = builder.as_data_source(source.split, deserialize_method=DeserializeMethod.RAW_BYTES)
    except NotImplementedError:
        # TFRecord files, which most data sets are kept in, have no index of their own.
        records = Shards([(Path(part.filename), part.skip, part.take) for part in parts])
    lock = Lock()

    def read(number: int) -> dict[str, Any]:
        # Nothing promises that one reader may be asked by several threads at once.
        try:
            with lock:
                record = records[number]
            return dict(features.deserialize_example_np(record, decoders=as_held))
        except Exception as error:
            # Readers and parsers raise whatever damaged bytes lead them to.
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            message = f"cannot be read from its data set: {reason}"
            raise ProbeError(message, fix="prepare the data set again, it is damaged") from error

    return read, list(_paths(builder.info, parts))


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
