"""Data sets that TensorFlow Datasets has prepared: any record when it is asked for, and nothing downloaded."""

from __future__ import annotations

import builtins
import pickle
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfds_data import COUNT, LOWEST, NAME, mask, picture, prepared

from fmreport.config.probes import TfdsProbes
from fmreport.errors import ProbeError
from fmreport.probes import ProbeSet, collect
from fmreport.probes.tfrecord import Records, Shards


@pytest.fixture(scope="module", name="sets", params=["array_record", "tfrecord"])
def _sets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data sets, kept in files of one form, two for each split."""
    return prepared(tmp_path_factory.mktemp(request.param), form=request.param, shards=2)


def section(split: str = "test", **more: Any) -> TfdsProbes:
    return TfdsProbes(kind="tfds", **{"name": NAME, "split": split, "data_dir": ".", **more})


def taken(folder: Path, split: str = "test", **more: Any) -> ProbeSet:
    return collect([section(split, **more)], folder)


def refused(folder: Path, *split: str, **more: Any) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        taken(folder, *split, **more)
    assert caught.value.fix
    return caught.value


def numbers(probes: ProbeSet) -> list[int]:
    """Which pictures these are, in the order in which they were written: each has a height of its own."""
    return [fact.size[0] - LOWEST for fact in probes.facts]


def test_every_record_comes_once_with_its_pixels_mask_and_class(sets: Path) -> None:
    probes = taken(sets, "test", mask="segmentation_mask", group="label", mask_values={"foreground": (1,)})
    assert sorted(numbers(probes)) == list(range(3, COUNT))
    for number, probe, fact in zip(numbers(probes), probes, probes.facts, strict=True):
        np.testing.assert_array_equal(probe.image, picture(number))
        np.testing.assert_array_equal(probe.mask, mask(number)[..., 0] == 1)
        assert fact.group == ("cat", "dog", "01")[number % 3]
        assert fact.media_type == fact.mask_media_type == "image/png"
    assert set(probes.groups) == {"cat", "dog", "01"}


def test_a_record_has_one_name_and_one_hash_whichever_part_is_asked_for(sets: Path) -> None:
    whole = {fact.origin: fact for fact in taken(sets, "test").facts}
    assert list(whole) == [f"tfds:{NAME}/1.2.0/test_{place}" for place in range(COUNT - 3)]
    for split in ("test[4:7]", "test[50%:]", "test[:2]+test[6:]", "test[-1:]"):
        part = taken(sets, split).facts
        assert part
        assert all(whole[fact.origin] == fact for fact in part)
    assert taken(sets, "test[4:7]").names == ("test_4", "test_5", "test_6")
    assert taken(sets, "train+test[:1]").names == ("train_0", "train_1", "train_2", "test_0")


def test_records_are_read_in_any_order(sets: Path) -> None:
    probes = taken(sets, "test")
    for place in (7, 0, 8, 3, -1):
        np.testing.assert_array_equal(probes[place].image, picture(numbers(probes)[place]))


def test_both_forms_of_files_hold_the_same_probes(tmp_path: Path) -> None:
    forms = [prepared(tmp_path / form, form=form) for form in ("array_record", "tfrecord")]
    one, other = (taken(folder, "test[2:]", group="label").facts for folder in forms)
    assert one == other


def test_texts_and_numbers_are_groups_too(sets: Path) -> None:
    probes = taken(sets, "train", group="file_name")
    assert sorted(probes.groups) == ["0.png", "1.png", "2.png"]
    assert sorted(taken(sets, "train", group="number").groups) == ["0", "1", "2"]


def test_a_limit_takes_the_first_and_the_folder_may_be_absolute(sets: Path) -> None:
    assert taken(sets, "test", limit=2).names == ("test_0", "test_1")
    assert taken(sets / "elsewhere", data_dir=str(sets)).facts == taken(sets).facts


def test_a_data_set_that_is_not_prepared_says_how_to_prepare_it(sets: Path) -> None:
    error = refused(sets, name="oxford_iiit_pet")
    assert str(error) == (
        "probes[0].name: there is no prepared data set 'oxford_iiit_pet' in ., and nothing is downloaded here"
    )
    assert error.fix == "prepare it once: tfds build oxford_iiit_pet --data_dir . --file_format array_record"
    assert "1.2.0" not in str(refused(sets, name=f"{NAME}:9.9.9"))


@pytest.mark.parametrize("name", ["../x", "pictures:9", "two words", "-x", "/"])
def test_a_name_that_is_none_says_how_names_look(sets: Path, name: str) -> None:
    error = refused(sets, name=name)
    assert str(error) == f"probes[0].name: {name!r} is no name of a data set"
    assert error.fix == "write name, name/config or name:version, as in oxford_iiit_pet:4.0.0"


def test_a_feature_that_is_not_there_or_of_another_kind_is_met_with_those_that_are(sets: Path) -> None:
    error = refused(sets, image="images")
    assert str(error).startswith("probes[0].image: the data set has no feature 'images'; it has ")
    assert error.fix == "nearest: image"
    error = refused(sets, mask="label")
    assert str(error) == "probes[0].mask: 'label' is a feature of ClassLabel of int64, not of pictures"
    assert "image" in error.fix
    assert "'depth' is a feature of Image of float32, not of pictures" in str(refused(sets, image="depth"))
    assert "'objects' is a feature of Sequence, not of one label" in str(refused(sets, group="objects"))


@pytest.mark.parametrize("split", ["tset", "test[:200", "test[5:1]", "test[:99]", "test[3:3]", ""])
def test_a_split_that_cannot_be_taken_is_met_with_those_that_are(sets: Path, split: str) -> None:
    error = refused(sets, split or " ")
    assert str(error).startswith(f"probes[0].split: {split or ' '!r} cannot be taken: ")
    assert "\n" not in str(error)
    assert error.fix == "there are: train (3), test (9); a part of one is written test[:200]"


def test_an_address_of_data_sets_is_refused(sets: Path) -> None:
    assert "data_dir: gs://bucket/sets lies elsewhere" in str(refused(sets, data_dir="gs://bucket/sets"))


def test_a_missing_extra_is_one_line_with_the_command(sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("tensorflow_datasets")]:
        monkeypatch.delitem(sys.modules, name)
    usual = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("tensorflow_datasets"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    error = refused(sets)
    assert str(error).startswith("probes[0].kind: tfds takes TensorFlow Datasets, which cannot be imported")
    assert "\n" not in str(error)
    assert error.fix == "pip install 'fmreport[tfds]'"


def test_no_framework_is_loaded_to_read_records(sets: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from fmreport.config.probes import TfdsProbes\n"
        "from fmreport.probes import collect\n"
        f"source = TfdsProbes(kind='tfds', name={NAME!r}, split='test', group='label', data_dir='.')\n"
        f"print(len(collect([source], Path({str(sets)!r}))), 'tensorflow' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.split() == [str(COUNT - 3), "False"]


def test_memory_does_not_grow_with_the_pixels_of_records(sets: Path) -> None:
    def peak(split: str) -> int:
        tracemalloc.start()
        for _ in taken(sets, split):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak("test[:2]")
    assert peak("test") - peak("test[:2]") < picture(COUNT).nbytes * 4


def test_records_of_a_file_are_those_that_were_written(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    held = [bytes([number]) * (number * 37 % 101) for number in range(60)]
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        for record in held:
            writer.write(record)
    made = Records(tmp_path / "a.tfrecord")
    assert [made[number] for number in range(len(made))] == held
    parts = Shards([(tmp_path / "a.tfrecord", 5, 3), (tmp_path / "a.tfrecord", 0, 2), (tmp_path / "a.tfrecord", 59, 1)])
    assert list(parts) == [*held[5:8], *held[:2], held[59]]
    with pytest.raises(ProbeError, match=r"a\.tfrecord holds 60 records, fewer than it should"):
        Shards([(tmp_path / "a.tfrecord", 59, 2)])


@pytest.mark.parametrize("kept", [5, 20, -1])
def test_a_file_that_ends_inside_a_record_is_refused(tmp_path: Path, kept: int) -> None:
    tf = pytest.importorskip("tensorflow")
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(b"0123456789")
        writer.write(b"0123456789")
    data = (tmp_path / "a.tfrecord").read_bytes()
    (tmp_path / "b.tfrecord").write_bytes(data[:kept])
    with pytest.raises(ProbeError, match=r"b\.tfrecord ends inside a record"):
        Records(tmp_path / "b.tfrecord")


def test_all_readers_that_arrive_in_a_process_are_one(sets: Path) -> None:
    probes = taken(sets, "test", mask="segmentation_mask", group="label")
    one, other = pickle.loads(pickle.dumps(probes[2:])), pickle.loads(pickle.dumps(probes[:2]))
    readers = {place.read for each in (one, other) for file in each.files for place in (file.place, file.mask)}
    readers |= {file.group.read for each in (one, other) for file in each.files}
    assert len(readers) == 1
    assert readers != {probes.files[0].place.read}, "what is collected anew is opened anew"
    assert numbers(one) + numbers(other) == numbers(probes)[2:] + numbers(probes)[:2]


def test_a_file_that_is_gone_is_told_and_so_is_a_data_set_that_is_not_on_this_machine(tmp_path: Path) -> None:
    prepared(tmp_path, form="tfrecord")
    data = pickle.dumps(taken(tmp_path, split="test"))
    (file,) = tmp_path.rglob("*test.tfrecord*")
    file.unlink()
    error = refused(tmp_path)
    assert str(error).startswith("probes[0].name: the data set 'pictures' cannot be opened: [Errno 2] No such file")
    shutil.rmtree(tmp_path / NAME)
    with pytest.raises(ProbeError, match=rf"^tfds:{NAME}/1\.2\.0/test_0 cannot be read from its data set: ") as caught:
        pickle.loads(data)[0]
    assert "not on this machine" in caught.value.fix


def test_damaged_records_are_named(tmp_path: Path) -> None:
    prepared(tmp_path, form="tfrecord")
    (file,) = tmp_path.rglob("*test.tfrecord*")
    file.write_bytes(
        bytearray(byte ^ 0xFF if 12 < place < 200 else byte for place, byte in enumerate(file.read_bytes()))
    )
    error = refused(tmp_path)
    assert str(error).startswith(f"tfds:{NAME}/1.2.0/test_0 cannot be read from its data set: ")
    assert taken(tmp_path, on_error="skip").names[0] == "test_1"
