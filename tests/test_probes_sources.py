"""What holds for every source of probes: a row in `SOURCES` enrols it, and needs a folder here that it lists."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import fsspec
import numpy as np
import pandas as pd
import pytest
from probe_files import photograph, save

from fmreport import config
from fmreport.config.probes import Probes
from fmreport.errors import ProbeError
from fmreport.probes import SOURCES, ProbeSet, collect, probeset
from fmreport.probes.outlines import Outline

COUNT = 3
"""Probes that each made-up source holds."""
TRAVELS = 1024
"""Bytes that one more probe may add to what another process is sent."""
ELSEWHERE = """\
import hashlib, pickle, sys
for probe in pickle.load(sys.stdin.buffer):
    print(probe.name, *(hashlib.sha256(array.tobytes()).hexdigest() for array in (probe.image, probe.mask)))
"""
"""What another process does with a set of probes that it is sent."""


def pictures(folder: Path) -> list[str]:
    """Paths of pictures in the folder, in two folders, with masks of the same names beside these."""
    made = [f"{'ab'[number % 2]}/{number}.png" for number in range(COUNT)]
    for number, name in enumerate(made):
        save(folder / name, photograph(seed=number))
        save(folder / f"masks/{number}.png", np.tri(24, 36, dtype=np.uint8))
    return sorted(made)


def of_skimage(folder: Path) -> dict[str, Any]:
    return {"names": ["cat", "coffee", "rocket"]}


def of_files(folder: Path) -> dict[str, Any]:
    pictures(folder)
    return {"images": ["a/*.png", "b/*.png"], "masks": "masks/{stem}.png", "group": "{parent}"}


def table(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    paths = pictures(folder)
    rows = [{"file": path, "outline": f"masks/{Path(path).name}", "class": path[0]} for path in paths]
    return pd.DataFrame(rows), {"image": "file", "mask": "outline", "group": "class"}


def of_csv(folder: Path) -> dict[str, Any]:
    rows, columns = table(folder)
    rows.to_csv(folder / "val.csv", index=False)
    return {"path": "val.csv", **columns}


def of_parquet(folder: Path) -> dict[str, Any]:
    rows, columns = table(folder)
    rows.to_parquet(folder / "val.parquet", index=False)
    return {"path": "val.parquet", **columns}


def of_tfds(folder: Path) -> dict[str, Any]:
    import tfds_data

    tfds_data.prepared(folder)
    return {
        "name": tfds_data.NAME, "split": "train", "data_dir": ".", "mask": "segmentation_mask", "group": "label",
        "mask_values": {"foreground": 1},
    }  # fmt: skip


MADE: dict[str, Callable[[Path], dict[str, Any]]] = {
    "skimage": of_skimage,
    "files": of_files,
    "csv": of_csv,
    "parquet": of_parquet,
    "tfds": of_tfds,
}
"""For each kind a section that lists `COUNT` probes, each with a mask, made in a folder."""


def section(kind: str, folder: Path, **more: Any) -> Probes:
    """The checked section of the config."""
    data = {"name": "n", "model": {"kind": "keras", "path": "m"}, "probes": [{"kind": kind, **more}]}
    (made,) = config.from_dict(data, folder).probes
    return made


@pytest.fixture(name="source", params=SOURCES, scope="module")
def _source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Any]:
    if request.param == "tfds" and find_spec("tensorflow_datasets") is None:
        pytest.skip("needs the extra fmreport[tfds]")
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, MADE[request.param](folder)


@pytest.fixture(name="probes")
def _probes(source: tuple[str, Path, Any]) -> ProbeSet:
    kind, folder, settings = source
    return collect([section(kind, folder, **settings)], folder)


def test_every_source_takes_part_and_has_a_section() -> None:
    kinds = [get_args(each.model_fields["kind"].annotation)[0] for each in get_args(get_args(Probes)[0])]
    assert list(MADE) == list(SOURCES) == kinds


def test_each_image_is_decoded_once_while_it_is_collected(
    source: tuple[str, Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, folder, settings = source
    decoded, decode = [], probeset.decode_image
    monkeypatch.setattr(probeset, "decode_image", lambda handle: decoded.append(1) or decode(handle))
    probes = collect([section(kind, folder, **settings)], folder)
    assert (len(decoded), len(probes)) == (COUNT, COUNT)
    assert len(probes.facts) == len(probes.names) == len(probes[1:]) + 1
    assert len(decoded) == COUNT


def test_names_and_origins_are_unique_and_tell_nothing_of_the_machine(
    source: tuple[str, Path, Any], probes: ProbeSet
) -> None:
    for told in (probes.names, [fact.origin for fact in probes.facts]):
        assert len(set(told)) == COUNT
        assert not any(str(source[1]) in each for each in told)


def test_what_was_told_of_a_probe_is_what_is_read_again(source: tuple[str, Path, Any], probes: ProbeSet) -> None:
    kind, folder, settings = source
    again = collect([section(kind, folder, **settings)], folder)
    assert again.facts == probes.facts
    for fact, file, one, other in zip(probes.facts, probes.files, probes, again, strict=True):
        with file.place.open() as handle:
            data = handle.read()
        assert (fact.sha256, fact.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
        assert one.image.shape == (*fact.size, 3)
        np.testing.assert_array_equal(one.image, other.image)


def test_masks_have_the_size_of_their_images_and_a_hash(probes: ProbeSet) -> None:
    for probe, fact in zip(probes, probes.facts, strict=True):
        assert probe.mask is not None
        assert probe.mask.shape == probe.image.shape[:2]
        assert {0, 1} <= set(np.unique(probe.mask))
        assert len(fact.mask_sha256) == 64
        assert fact.mask_bytes


def test_groups_come_in_the_order_in_which_they_appear(probes: ProbeSet) -> None:
    assert probes.groups == tuple(dict.fromkeys(fact.group for fact in probes.facts if fact.group))
    assert (len(probes.groups) > 1) == (probes.files[0].group != "")


def declares(kind: str, setting: str) -> None:
    known = {get_args(each.model_fields["kind"].annotation)[0]: each for each in get_args(get_args(Probes)[0])}
    if setting not in known[kind].model_fields:
        pytest.skip(f"kind {kind} has no {setting}")


def test_a_limit_takes_the_first(source: tuple[str, Path, Any], probes: ProbeSet) -> None:
    kind, folder, settings = source
    declares(kind, "limit")
    some = collect([section(kind, folder, **settings, limit=2)], folder)
    assert [fact.sha256 for fact in some.facts] == [fact.sha256 for fact in probes.facts[:2]]


def test_an_image_that_cannot_be_read_is_named_or_left_out(
    source: tuple[str, Path, Any], probes: ProbeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, folder, settings = source
    declares(kind, "on_error")
    decode, second = probeset.decode_image, probes.facts[1]

    def broken(handle: Any) -> np.ndarray:
        if hashlib.sha256(handle.read()).hexdigest() == second.sha256:
            raise ProbeError("cannot be decoded: on purpose", fix="replace the file")
        return decode(handle)

    def opened(handle: Any) -> np.ndarray:
        handle.seek(0)
        return broken(handle)

    monkeypatch.setattr(probeset, "decode_image", opened)
    with pytest.raises(ProbeError) as caught:
        collect([section(kind, folder, **settings)], folder)
    assert str(caught.value) == f"{second.origin} cannot be decoded: on purpose"
    left = collect([section(kind, folder, **settings, on_error="skip")], folder)
    assert left.notes == (f"Left out: {caught.value}",)
    assert [fact.sha256 for fact in left.facts] == [probes.facts[0].sha256, probes.facts[2].sha256]


def test_the_same_source_twice_is_an_error_that_names_what_is_listed_already(
    source: tuple[str, Path, Any], probes: ProbeSet
) -> None:
    kind, folder, settings = source
    with pytest.raises(ProbeError) as caught:
        collect([section(kind, folder, **settings)] * 2, folder)
    assert f"probes[1]: {probes.facts[0].origin} is listed already: probes[0]" in str(caught.value)


def test_a_set_of_probes_travels_to_another_process_which_reads_the_same(probes: ProbeSet) -> None:
    data = pickle.dumps(probes)
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], input=data, capture_output=True, check=True, timeout=300)
    arrays = [(probe.name, *(hashlib.sha256(each.tobytes()).hexdigest() for each in (probe.image, probe.mask)))
              for probe in probes if probe.mask is not None]  # fmt: skip
    assert [tuple(line.split()) for line in done.stdout.decode().splitlines()] == arrays
    assert len(arrays) == COUNT


def test_a_set_of_probes_travels_as_ray_sends_it(probes: ProbeSet) -> None:
    cloudpickle = pytest.importorskip("ray.cloudpickle", reason="needs the extra fmreport[ray]")
    arrived = pickle.loads(cloudpickle.dumps(probes))
    assert arrived.facts == probes.facts
    for one, other in zip(arrived, probes, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.mask, other.mask)


def test_what_travels_of_one_more_probe_is_little(probes: ProbeSet) -> None:
    outlines = sum(len(pickle.dumps(file.mask)) for file in probes.files[2:] if isinstance(file.mask, Outline))
    assert 0 < len(pickle.dumps(probes)) - len(pickle.dumps(probes[:2])) < TRAVELS + outlines


def test_files_in_memory_stay_in_their_process(tmp_path: Path) -> None:
    address = f"memory:/{tmp_path}/pictures"
    pictures(tmp_path / "here")
    fsspec.filesystem("memory").put(str(tmp_path / "here"), address, recursive=True)
    data = pickle.dumps(collect([section("files", tmp_path, images=f"{address}/*/*.png")], tmp_path))
    assert len(pickle.loads(data)) == 2 * COUNT
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], input=data, capture_output=True, check=False, timeout=300)
    assert done.returncode != 0
    assert f"{address}/a/0.png cannot be opened: no such file" in done.stderr.decode()
