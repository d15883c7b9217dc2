"""What a config's sources come to: which probes, what they are called, and what is said of those that cannot be."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from probe_files import files, photograph, save, shipped

from fmreport.errors import ProbeError
from fmreport.probes import PHOTOGRAPHS, ProbeSet, collect, displayed
from fmreport.probes.naming import names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A config's folder with three photographs and their trimaps (1 inside, 2 outside, 3 border)."""
    for number, name in enumerate(("c", "a", "b")):
        save(tmp_path / f"photos/{name}.png", photograph(seed=number))
        trimap = np.full((24, 36), 2, np.uint8)
        trimap[4:20, 6:30] = 3
        trimap[6:18, 8:28] = 1
        save(tmp_path / f"trimaps/{name}.png", trimap)
    return tmp_path


def refused(*sources: object, base: Path) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        collect(sources, base)  # type: ignore[arg-type]
    assert caught.value.fix
    return caught.value


def test_every_listed_photograph_ships_and_is_what_scikit_image_returns() -> None:
    data = pytest.importorskip("skimage.data")
    probes = collect([shipped(*(name for name in PHOTOGRAPHS if name != "chelsea"))], Path())
    for probe in probes:
        pixels = getattr(data, probe.name)()
        np.testing.assert_array_equal(probe.image, np.broadcast_to(pixels.T, (3, *pixels.shape[1::-1])).T)
    assert all(inspect.isfunction(getattr(data, name)) for name in PHOTOGRAPHS if name != "cat")


def test_a_photograph_is_named_by_its_name_and_its_file_is_hashed() -> None:
    cat, coffee = collect([shipped("cat", "coffee")], Path())
    assert (cat.name, cat.origin) == ("cat", "skimage:cat")
    assert cat.image.shape == (300, 451, 3)
    assert cat.image.dtype == np.float32
    assert cat.sha256 == "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"
    assert coffee.image.max() <= 255


def test_a_name_that_does_not_ship_is_answered_with_the_nearest() -> None:
    error = refused(shipped("cofee"), base=Path())
    assert str(error) == "probes[0].names: scikit-image ships no photograph called 'cofee'"
    assert error.fix == "nearest: coffee"
    assert "eagle" in str(refused(shipped("eagle"), base=Path()))


def test_files_come_sorted_with_path_hash_and_mask(folder: Path) -> None:
    source = files("photos/*.png", masks="trimaps/{stem}.png", mask_values={"foreground": (1,), "ignore": (3,)})
    probes = collect([source], folder)
    assert probes.names == ("a", "b", "c")
    fact = probes.facts[0]
    assert fact.origin == "photos/a.png"
    assert fact.mask_origin == "trimaps/a.png"
    assert fact.size == (24, 36)
    assert fact.sha256 == hashlib.sha256((folder / "photos/a.png").read_bytes()).hexdigest()
    assert fact.mask_sha256 == hashlib.sha256((folder / "trimaps/a.png").read_bytes()).hexdigest()
    mask = probes[0].mask
    assert mask is not None
    assert mask.dtype == np.uint8
    assert [(mask == value).sum() for value in (0, 1, 255)] == [24 * 36 - 16 * 24, 12 * 20, 16 * 24 - 12 * 20]
    np.testing.assert_array_equal(probes[1].image, photograph(seed=2))


def test_without_mask_values_all_but_zero_is_foreground(folder: Path) -> None:
    save(folder / "m/a.png", np.pad(np.full((10, 10), 200, np.uint8), ((0, 14), (0, 26))))
    mask = collect([files("photos/a.png", masks="m/{stem}.png")], folder)[0].mask
    assert mask is not None
    assert mask.sum() == 100
    assert set(np.unique(mask)) == {0, 1}


def test_the_order_is_the_patterns_then_the_paths_whatever_the_file_system_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder / "photos/deep/er/d.png")
    listing = os.scandir

    class Backwards:
        def __init__(self, *args: object) -> None:
            with listing(*args) as entries:  # type: ignore[call-overload]
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *args: object) -> None:
            pass

    source = files("photos/b.*", "photos/**/*.png")
    usual = collect([source], folder).names
    monkeypatch.setattr(os, "scandir", Backwards)
    assert collect([source], folder).names == usual == ("b", "a", "c", "d")
    assert collect([files("photos/*.png", limit=2)], folder).names == ("a", "b")


def test_hidden_files_are_left_out_and_brackets_in_a_name_are_meant(folder: Path) -> None:
    save(folder / "photos/._a.png")
    save(folder / "photos/.hidden/z.png")
    save(folder / "photos/a[1].png")
    assert collect([files("photos/**/*.png")], folder).names == ("a", "a[1]", "b", "c")
    assert collect([files("photos/a[1].png")], folder).names == ("a[1]",)


def test_equal_stems_get_the_shortest_path_that_tells_them_apart(tmp_path: Path) -> None:
    for name in ("x/1/cat.png", "x/2/cat.png", "y/2/cat.png", "y/dog.png", "y/dog.bmp", "y/cow.png"):
        save(tmp_path / name)
    probes = collect([shipped("cat"), files("**/*.*")], tmp_path)
    assert probes.names == ("cat", "1/cat", "x/2/cat", "y/2/cat", "cow", "dog.bmp", "dog.png")


@given(st.sets(st.lists(st.sampled_from(["a", "b", "a.png", "b.png", "b.c"]), min_size=1, max_size=4).map(tuple)))
def test_names_are_unique_and_tails_of_their_paths(parts: set[tuple[str, ...]]) -> None:
    paths = ["/".join(("", *each)) for each in sorted(parts)]
    given_names = names(paths, taken=["a"])
    assert len(set(given_names.values()) | {"a"}) == len(paths) + 1
    for path, name in given_names.items():
        full = path if Path(path).suffix else f"{path}."
        assert any(f"/{whole}".endswith(f"/{name}") for whole in (full, Path(path).with_suffix("").as_posix()))


def test_an_absolute_pattern_outside_the_folder_says_nothing_of_the_machine(folder: Path, tmp_path: Path) -> None:
    probes = collect([files(f"{folder}/photos/*.png")], tmp_path / "elsewhere")
    assert probes.facts[0].origin == ".../photos/a.png"
    assert collect([files("../photos/a.png")], folder / "trimaps").facts[0].origin == "../photos/a.png"
    assert collect([files(f"{folder}/photos/a.png")], folder).facts[0].origin == "photos/a.png"


def test_an_image_listed_twice_is_an_error(folder: Path) -> None:
    error = refused(files("photos/*.png"), files("photos/b.png"), base=folder)
    assert str(error) == "probes[1]: photos/b.png is listed already: probes[0], photos/b.png"


def test_a_pattern_without_a_match_says_where_it_looked_and_what_is_there(folder: Path) -> None:
    error = refused(files("photos/*.jpg"), base=folder)
    assert str(error) == f"probes[0].images: no file matches 'photos/*.jpg' in {folder}/photos, which holds 3 .png"
    assert "there is no folder" in str(refused(files("fotos/*.jpg"), base=folder))
    assert refused(files("photos"), base=folder).fix == "write photos/*.jpg"


def test_each_bad_file_is_named_with_its_reason_and_all_of_them_at_once(folder: Path) -> None:
    whole = save(folder / "photos/whole.jpg", photograph(200, 300)).read_bytes()
    (folder / "photos/empty.jpg").touch()
    (folder / "photos/half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "photos/page.jpg").write_text("<!doctype html>")
    (folder / "photos/lost.jpg").symlink_to(folder / "nowhere.jpg")
    error = refused(files("photos/*"), base=folder)
    text = str(error)
    assert text.startswith("4 problems with the probes:")
    assert "photos/empty.jpg is empty (0 bytes)" in text
    assert "photos/half.jpg cannot be decoded: image file is truncated" in text
    assert "photos/page.jpg is not a picture" in text
    assert "photos/lost.jpg cannot be opened: No such file or directory" in text
    assert "on_error: skip" in error.fix


def test_what_cannot_be_listed_is_told_before_anything_is_decoded(folder: Path) -> None:
    (folder / "photos/empty.jpg").touch()
    (folder / "trimaps/a.png").unlink()
    sources = (shipped("tiger"), files("fotos/*"), files("photos/*", masks="trimaps/{stem}.png"))
    text = str(refused(*sources, base=folder))
    assert text.startswith("4 problems with the probes:\n  probes[0].names: scikit-image ships no photograph")
    assert "probes[1].images: no file matches 'fotos/*'" in text
    assert "probes[2].masks: photos/a.png has no mask: there is no file trimaps/a.png" in text
    assert "is empty" not in text


def test_on_error_skip_leaves_a_bad_file_out_and_says_so(folder: Path) -> None:
    (folder / "photos/b.png").write_bytes(b"")
    probes = collect([files("photos/*.png", on_error="skip")], folder)
    assert probes.names == ("a", "c")
    assert probes.notes == ("Left out: photos/b.png is empty (0 bytes)",)


def test_skipping_everything_leaves_no_probe_which_is_an_error(folder: Path) -> None:
    (folder / "photos/a.png").write_bytes(b"")
    error = refused(files("photos/a.png", on_error="skip"), base=folder)
    assert str(error) == "there is no probe at all\n  Left out: photos/a.png is empty (0 bytes)"


def test_a_jpeg_by_another_name_is_read(folder: Path) -> None:
    png = (folder / "photos/a.png").read_bytes()
    (folder / "photos/liar.jpg").write_bytes(png)
    np.testing.assert_array_equal(collect([files("photos/liar.jpg")], folder)[0].image, photograph(seed=1))


def test_a_file_name_that_cannot_be_printed_is_an_error(folder: Path) -> None:
    name = os.fsdecode(b"photos/bad\xff.png")
    (folder / name).write_bytes((folder / "photos/a.png").read_bytes())
    assert str(refused(files("photos/bad*.png"), base=folder)) == (
        r"'photos/bad\udcff.png' has a name that cannot be printed"
    )
    mask = files("photos/a.png", masks="trimaps/{stem}\0.png", on_error="skip")
    assert r"'trimaps/a\x00.png' has a name that cannot be printed" in str(refused(mask, base=folder))


def test_a_missing_mask_names_the_image_and_the_mask(folder: Path) -> None:
    (folder / "trimaps/b.png").unlink()
    error = refused(files("photos/*.png", masks="trimaps/{stem}.png"), base=folder)
    assert str(error) == "probes[0].masks: photos/b.png has no mask: there is no file trimaps/b.png"


def test_a_mask_of_another_size_names_both_sizes(folder: Path) -> None:
    save(folder / "trimaps/b.png", np.ones((10, 12), np.uint8))
    error = refused(files("photos/*.png", masks="trimaps/{stem}.png"), base=folder)
    assert str(error) == "trimaps/b.png is 10 × 12, but its image photos/b.png is 24 × 36 (height × width)"


def test_a_mask_that_was_not_turned_with_its_image_is_recognised(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(folder / "photos/a.png", photograph(), exif=exif)
    error = refused(files("photos/a.png", masks="trimaps/{stem}.png"), base=folder)
    assert str(error).endswith(
        "is 36 × 24 (height × width); the image is turned upright by its EXIF orientation, and its mask has to be"
    )


def test_masks_without_any_foreground_name_the_values_that_they_hold(folder: Path) -> None:
    source = files("photos/*.png", masks="trimaps/{stem}.png", mask_values={"foreground": (255,)})
    error = refused(source, base=folder)
    assert str(error) == "probes[0]: no mask holds foreground (255); the values found are 1, 2, 3"


def test_an_image_is_not_its_own_mask(folder: Path) -> None:
    error = refused(files("photos/*.png", masks="photos/{stem}.png"), base=folder)
    assert str(error) == "probes[0].images: photos/a.png would be its own mask"


def test_a_file_that_changes_after_it_was_checked_is_not_used(folder: Path) -> None:
    probes = collect([files("photos/*.png")], folder)
    save(folder / "photos/b.png", photograph(seed=9))
    with pytest.raises(ProbeError, match=re.escape("photos/b.png or its mask changed during the run")):
        list(probes)


def test_parts_of_a_set_are_sets_in_the_asked_order(folder: Path) -> None:
    probes = collect([files("photos/*.png")], folder)
    assert probes[1:].names == ("b", "c")
    chosen = probes.named(("c", "a"))
    assert [probe.name for probe in chosen] == ["c", "a"]
    np.testing.assert_array_equal(chosen[0].image, probes[2].image)


def test_progress_counts_every_file(folder: Path) -> None:
    steps: list[tuple[int, int]] = []
    collect([shipped("cat"), files("photos/*.png")], folder, advance=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    data = save(tmp_path / "0.png", photograph(100, 150)).read_bytes()
    for number in range(1, 60):
        (tmp_path / f"{number}.png").write_bytes(data)

    def peak(limit: int) -> int:
        tracemalloc.start()
        probes = collect([files("*.png", limit=limit)], tmp_path)
        for _ in probes:
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    one_image = 100 * 150 * 3 * 4
    peak(6)
    # How many are decoded at the same moment is chance; of 54 images more, none is kept.
    assert peak(60) - peak(6) < 4 * one_image


def test_memory_does_not_grow_with_the_number_of_problems(tmp_path: Path) -> None:
    data = save(tmp_path / "0.png", photograph(100, 150)).read_bytes()
    mask = save(tmp_path / "m/0.png", np.ones((5, 5), np.uint8)).read_bytes()
    for number in range(1, 30):
        (tmp_path / f"{number}.png").write_bytes(data)
        (tmp_path / f"m/{number}.png").write_bytes(mask)
    tracemalloc.start()
    assert "and 18 more" in str(refused(files("*.png", masks="m/{stem}.png"), base=tmp_path))
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert top < 12 * 100 * 150 * 3 * 4


def test_the_first_four_are_shown_unless_the_config_names_others() -> None:
    probes = ("a", "b", "c", "d", "e")
    assert displayed(probes, None) == ("a", "b", "c", "d")
    assert displayed(probes[:2], None) == ("a", "b")
    assert displayed(probes, ("e", "b")) == ("e", "b")
    with pytest.raises(ProbeError, match=re.escape("display[1]: no probe is called 'astronau'")) as caught:
        displayed(("cat", "astronaut"), ("cat", "astronau"))
    assert caught.value.fix == "nearest: astronaut"


def test_a_set_holds_no_pixels(folder: Path) -> None:
    probes = collect([files("photos/*.png")], folder)
    assert isinstance(probes, ProbeSet)
    assert not any(isinstance(value, np.ndarray) for fact in probes.facts for value in vars_of(fact))


def vars_of(record: object) -> list[object]:
    return [getattr(record, name) for name in type(record).__slots__]  # type: ignore[attr-defined]
