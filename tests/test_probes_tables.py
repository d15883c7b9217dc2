"""Tables that name images: what a row means, and what is said of rows and tables that cannot be taken."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from probe_files import photograph, save
from pyarrow import parquet

import fmreport
from fmreport import config, pipeline, probes, recording
from fmreport.config.probes import CsvProbes, ParquetProbes
from fmreport.errors import ConfigError, ProbeError
from fmreport.facts import InputFact
from fmreport.probes import ProbeSet, collect
from fmreport.sources import Identity
from fmreport.verification import HELD


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """A config's folder with four photographs in `data`, and their masks."""
    for number in range(4):
        save(tmp_path / f"data/{number}.png", photograph(seed=number))
        save(tmp_path / f"data/masks/{number}.png", np.tri(24, 36, dtype=np.uint8))
    return tmp_path


def csv(folder: Path, text: str | bytes, **settings: Any) -> ProbeSet:
    """What a table `data/val.csv` comes to."""
    (folder / "data/val.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return collect([CsvProbes(kind="csv", path="data/val.csv", **settings)], folder)


def from_parquet(folder: Path, table: Any, **settings: Any) -> ProbeSet:
    """What a table `data/val.parquet` comes to."""
    parquet.write_table(pa.table(table), folder / "data/val.parquet")
    return collect([ParquetProbes(kind="parquet", path="data/val.parquet", **settings)], folder)


def refused(make: Any, folder: Path, *arguments: Any, **settings: Any) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        make(folder, *arguments, **settings)
    assert caught.value.fix
    return caught.value


def test_a_row_is_a_probe_whose_paths_count_from_the_tables_folder(folder: Path) -> None:
    made = csv(folder, "image,mask,group\n2.png,masks/2.png,cat\n0.png,masks/0.png,dog\n", mask="mask", group="group")
    assert made.names == ("2", "0")
    fact = made.facts[0]
    assert (fact.origin, fact.mask_origin, fact.group) == ("data/2.png", "data/masks/2.png", "cat")
    np.testing.assert_array_equal(made[0].image, photograph(seed=2))
    assert made.groups == ("cat", "dog")


def test_cells_stay_text_and_an_empty_group_or_mask_is_none(folder: Path) -> None:
    text = "image,mask,group\n0.png,,01\n1.png,masks/1.png,\n2.png,,NA\n3.png,,1e3\n"
    made = csv(folder, text, mask="mask", group="group")
    assert [fact.group for fact in made.facts] == ["01", "", "NA", "1e3"]
    assert made.groups == ("01", "NA", "1e3")
    assert [fact.has_mask for fact in made.facts] == [False, True, False, False]


def test_a_parquet_table_says_the_same_as_a_csv_of_the_same_rows(folder: Path) -> None:
    rows = {"image": ["0.png", "3.png"], "mask": ["masks/0.png", None], "group": ["01", None], "score": [0.5, 1.0]}
    pd.DataFrame(rows).to_csv(folder / "data/val.csv", index=False)
    text = (folder / "data/val.csv").read_bytes()
    settings = {"mask": "mask", "group": "group"}
    assert from_parquet(folder, rows, **settings).facts == csv(folder, text, **settings).facts


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_a_parquet_column_of_any_kind_of_text_is_text(folder: Path, kind: pa.DataType) -> None:
    rows = {"image": pa.array(["0.png", "1.png"]).cast(kind), "group": pa.array(["01", "02"]).cast(kind)}
    assert from_parquet(folder, rows, group="group").groups == ("01", "02")


def test_whole_numbers_of_a_parquet_column_are_groups_as_they_stand(folder: Path) -> None:
    assert from_parquet(folder, {"image": ["0.png", "1.png"], "group": [7, 10]}, group="group").groups == ("7", "10")
    error = refused(from_parquet, folder, {"image": ["0.png"], "group": [0.5]}, group="group")
    assert str(error) == "probes[0].path: data/val.parquet column 'group' holds double, not text"


def test_a_table_elsewhere_says_nothing_of_the_machine(folder: Path) -> None:
    (folder / "data/val.csv").write_text("image\n0.png\n../data/1.png\n")
    source = CsvProbes(kind="csv", path=str(folder / "data/val.csv"))
    origins = [fact.origin for fact in collect([source], folder / "other").facts]
    assert origins == [".../data/0.png", ".../data/1.png"]


def test_a_limit_leaves_later_rows_unread(folder: Path) -> None:
    assert csv(folder, "image\n0.png\n1.png\nlost.png\n", limit=2).names == ("0", "1")


def test_quotes_spaces_blank_lines_and_a_mark_of_utf_8_are_no_part_of_a_cell(folder: Path) -> None:
    save(folder / "data/a, ü.png")
    made = csv(folder, '\ufeff"image", group\r\n"a, ü.png", one \r\n\r\n 0.png,two\r\n'.encode(), group="group")
    assert [(fact.origin, fact.group) for fact in made.facts] == [("data/a, ü.png", "one"), ("data/0.png", "two")]


def test_columns_that_are_not_there_are_met_with_those_that_are(folder: Path) -> None:
    error = refused(csv, folder, "file,label\n0.png,1\n", image="fil")
    assert str(error) == "probes[0].path: data/val.csv has no column 'fil'; it has file, label"
    assert error.fix == "nearest: file"
    error = refused(from_parquet, folder, {"file": ["0.png"], "label": ["a"]}, image="file", group="labels")
    assert str(error) == "probes[0].path: data/val.parquet has no column 'labels'; it has file, label"
    assert error.fix == "nearest: label"
    many = ",".join(f"c{number}" for number in range(40))
    assert str(refused(csv, folder, f"{many}\n")).endswith("c10, c11 and 28 more")
    assert "2 columns called 'image'" in str(refused(csv, folder, "image,image\n0.png,1.png\n"))


def test_all_files_that_are_missing_are_named_up_to_a_limit_before_anything_is_decoded(folder: Path) -> None:
    (folder / "data/0.png").write_bytes(b"no picture")
    lost = "".join(f"lost{number}.png,masks/0.png\n" for number in range(15))
    error = refused(csv, folder, f"image,mask\n0.png,masks/0.png\n1.png,masks/none.png\n{lost}", mask="mask")
    text = str(error)
    assert text.startswith("16 problems with the probes:\n")
    assert "path: data/val.csv:4: names data/lost0.png, and there is no such file" in text
    assert "data/lost11.png" in text
    assert "data/lost12.png" not in text
    assert text.endswith("and 4 more")
    assert "no picture" not in text
    few = str(refused(csv, folder, "image,mask\nlost.png,\n1.png,masks/none.png\n", mask="mask"))
    assert "mask: data/val.csv:3: data/1.png has no mask: there is no file data/masks/none.png" in few
    assert "path: data/val.csv:2: names data/lost.png, and there is no such file" in few


def test_a_file_that_is_missing_is_told_by_the_first_row_that_names_it(folder: Path) -> None:
    rows = {"image": ["0.png", "1.png", "lost.png", "2.png"], "mask": ["masks/0.png", "masks/none.png"] * 2}
    text = str(refused(from_parquet, folder, rows, mask="mask"))
    assert "path: data/val.parquet row 3: names data/lost.png, and there is no such file" in text
    assert "mask: data/val.parquet row 2: data/1.png has no mask: there is no file data/masks/none.png" in text
    assert text.startswith("2 problems")


def test_a_folder_in_the_place_of_a_file_is_told(folder: Path) -> None:
    error = refused(csv, folder, "image\n0.png\nmasks\n")
    assert str(error) == "probes[0].path: data/val.csv:3: names data/masks, which is a folder"
    assert error.fix == "name a file in it"
    error = refused(csv, folder, "image,mask\n0.png,masks\n", mask="mask")
    assert str(error) == "probes[0].mask: data/val.csv:2: data/0.png has no mask: data/masks is a folder"
    os.mkfifo(folder / "data/pipe.png")
    error = refused(csv, folder, "image\npipe.png\n")
    assert str(error) == "probes[0].path: data/val.csv:2: names data/pipe.png, which is no regular file"
    assert csv(folder, "image\nmasks\n1.png\n", on_error="skip").notes == ("Left out: data/masks is a folder",)


def test_missing_files_are_left_out_where_the_config_says_so(folder: Path) -> None:
    made = csv(folder, "image\nlost.png\n1.png\n", on_error="skip")
    assert made.names == ("1",)
    assert made.notes == ("Left out: data/lost.png cannot be opened: No such file or directory",)


def test_rows_that_cannot_be_taken_are_told_by_their_lines(folder: Path) -> None:
    text = 'image,mask\n0.png,0.png\n"",\n1.png,\n2.png,\n./1.png,\n'
    told = str(refused(csv, folder, text, mask="mask"))
    assert "probes[0].path: data/val.csv:2: data/0.png would be its own mask" in told
    assert "data/val.csv:3: the column 'image' is empty" in told
    assert "data/val.csv:6: data/1.png stands already in line 4" in told
    rows = {"image": ["0.png", None, "0.png"]}
    told = str(refused(from_parquet, folder, rows))
    assert "data/val.parquet row 2: the column 'image' is empty" in told
    assert "data/val.parquet row 3: data/0.png stands already in row 1" in told


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "data/val.csv is empty"),
        (b"image\n", "data/val.csv names no image"),
        (b"image\n0.png,1\n", "data/val.csv:2: 2 cells under 1 columns"),
        (b"image,group\n\n0.png\n", "data/val.csv:3: 1 cells under 2 columns"),
        (b"image;group\n0.png;a\n", "data/val.csv has one column, 'image;group'"),
        (b"image\n0.png\n\xfcber.png\n", "data/val.csv:3: not UTF-8 text (byte 0xfc)"),
        ("image\n0.png\n".encode("utf-16"), "data/val.csv:1: not UTF-8 text (byte 0xff)"),
        (b'image\n0.png\n"1.png\n', "data/val.csv:3: unexpected end of data"),
        (b'image\n"a"b.png\n', "data/val.csv:2: ',' expected after '\"'"),
    ],
)
def test_a_csv_that_cannot_be_read_says_where(folder: Path, text: bytes, complaint: str) -> None:
    assert str(refused(csv, folder, text)) == f"probes[0].path: {complaint}"


def test_a_parquet_that_cannot_be_read_says_so(folder: Path) -> None:
    parquet.write_table(pa.table({"image": ["0.png"] * 1000}), folder / "whole.parquet")
    data = (folder / "whole.parquet").read_bytes()
    cut, zeroed, no_text = data[: len(data) // 2], data[:4] + bytes(40) + data[44:], data.replace(b"0.png", b"\xff.png")
    for damaged in (b"", b"PAR1", cut, b"image\n0.png\n", zeroed, no_text):
        (folder / "p.parquet").write_bytes(damaged)
        with pytest.raises(ProbeError, match=r"^probes\[0\]\.path: p\.parquet cannot be read as Parquet: ") as caught:
            collect([ParquetProbes(kind="parquet", path="p.parquet")], folder)
        assert "\n" not in str(caught.value)
        assert caught.value.fix == "write it again, it is damaged"
    error = refused(from_parquet, folder, {"image": [{"bytes": b"", "path": "0.png"}]})
    assert "holds struct<bytes: binary, path: string>, not text" in str(error)
    assert "names no image" in str(refused(from_parquet, folder, {"image": pa.array([], pa.string())}))


def test_a_table_that_does_not_exist_is_named(folder: Path) -> None:
    error = refused(lambda folder: collect([CsvProbes(kind="csv", path="data/vla.csv")], folder), folder)
    assert str(error) == "probes[0].path: data/vla.csv cannot be opened: No such file or directory"
    error = refused(lambda folder: collect([CsvProbes(kind="csv", path="data")], folder), folder)
    assert str(error) == "probes[0].path: data is a folder"


def test_a_table_is_recorded_as_an_input_with_its_own_hash(folder: Path) -> None:
    csv(folder, "image\n0.png\n")
    data = {
        "name": "n",
        "model": {"kind": "application", "name": "MobileNetV2"},
        "probes": [{"kind": "csv", "path": "data/val.csv"}],
    }
    settings = config.from_dict(data, folder)
    identity = Identity("application", "MobileNetV2", "", "keras", 1)
    (made,) = recording.inputs(settings, identity, {})
    assert isinstance(made, InputFact)
    assert (made.role, made.path, made.file.media_type) == ("probes", "data/val.csv", "text/csv")
    assert made.file.sha256 == hashlib.sha256(b"image\n0.png\n").hexdigest()
    assert made.file.bytes == 12
    (folder / "data/val.csv").unlink()
    with pytest.raises(ProbeError, match=r"data/val\.csv cannot be opened"):
        probes.table_facts(settings.probes, folder)


def test_values_of_masks_take_a_column_of_masks(folder: Path) -> None:
    section = {"kind": "csv", "path": "v.csv", "mask_values": {"foreground": [1]}}
    with pytest.raises(ConfigError, match="values without masks; name them under mask"):
        config.from_dict({"name": "n", "model": {"kind": "keras", "path": "m"}, "probes": [section]}, folder)


MODEL = """
import keras

def make_model():
    keras.utils.set_random_seed(0)
    image = keras.Input((24, 36, 3))
    return keras.Model(image, keras.layers.Conv2D(2, 3, name="conv")(image))
"""


def test_a_run_of_a_table_is_made_again_unless_the_table_changed(folder: Path) -> None:
    (folder / "table_model.py").write_text(MODEL)
    (folder / "data/val.csv").write_text("image,group\n0.png,01\n3.png,\n")
    (folder / "run.yaml").write_text(
        "name: tabled\nmodel: {kind: builder, function: 'table_model:make_model'}\npreprocess: {size: [24, 36]}\n"
        "probes: [{kind: csv, path: data/val.csv, group: group}]\nlayers: [{name: conv}]\nreport: {formats: [html]}\n"
    )
    run = fmreport.run(folder / "run.yaml", out=folder / "reports")
    assert [(fact.origin, fact.group) for fact in run.facts.probes] == [("data/0.png", "01"), ("data/3.png", "")]
    assert [(each.role, each.path) for each in run.facts.inputs if each.role == "probes"] == [
        ("probes", "data/val.csv")
    ]
    assert {check.verdict for check in pipeline.verify(run.folder, rerun=True)} == {HELD}
    (folder / "data/val.csv").write_text("image,group\n0.png,02\n3.png,\n")
    told = [reason for check in pipeline.verify(run.folder, rerun=True) for reason in check.details]
    assert "probes data/val.csv has changed" in told
