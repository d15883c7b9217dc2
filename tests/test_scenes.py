"""What images show: planes of a probe, and the same on the grid of any tap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fmreport import config as settings
from fmreport import probes
from fmreport.measures.scene import NUMBERS, Scene, area_weights
from fmreport.measures.signature import image_signs
from fmreport.probes import Preprocess
from fmreport.probes.scenes import BANK, GROUPS, NULLS, TOGETHER, Scenes, groups

SIZE = (24, 16)


def collected(folder: Path, masks: Sequence[np.ndarray | None]) -> probes.ProbeSet:
    """Probes `p00`, `p01`, ... of noise, with those masks (0, 1, and 3 for ignored)."""
    rng = np.random.default_rng(1)
    for i, mask in enumerate(masks):
        kind = "bare" if mask is None else "masked"
        Image.fromarray(rng.integers(0, 255, (*SIZE, 3), np.uint8)).save(folder / f"{kind}{i:02d}.png")
        if mask is not None:
            Image.fromarray(mask.astype(np.uint8)).save(folder / f"mask{i:02d}.png")
            (folder / f"mask{i:02d}.png").rename(folder / f"of_masked{i:02d}.png")
    files = [{"kind": "files", "images": "masked*.png", "masks": "of_{stem}.png"}]
    files[0]["mask_values"] = {"foreground": [1], "ignore": [3]}  # type: ignore[assignment]
    if any(mask is None for mask in masks):
        files.append({"kind": "files", "images": "bare*.png"})
    files = [each for each in files if list(folder.glob(str(each["images"])))]
    model = {"kind": "keras", "path": "builtin:sd_unet_pets_w8"}
    config = settings.from_dict({"name": "scenes", "model": model, "probes": files}, folder)
    return probes.collect(config.probes, config.folder)


def block(top: int, left: int, height: int = 6, width: int = 5) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def plane(scenes: Scenes, found: probes.ProbeSet, number: int, name: str) -> np.ndarray:
    return scenes.of(found[number])[..., scenes.planes.index(name)]


def test_a_probe_has_its_mask_the_mean_of_the_others_and_masks_of_no_meaning(tmp_path: Path) -> None:
    masks = [block(0, 0), block(6, 6), block(10, 3, 9, 9), block(2, 9)]
    found = collected(tmp_path, masks)
    scenes = Scenes(found, Preprocess(SIZE))
    assert [name for name in scenes.planes if name.startswith("shuffled")] == ["shuffled 1", "shuffled 2", "shuffled 3"]
    for i, mask in enumerate(masks):
        assert (plane(scenes, found, i, "mask") == mask).all()
        others = [other for j, other in enumerate(masks) if j != i]
        np.testing.assert_allclose(plane(scenes, found, i, "prior"), np.mean(others, axis=0), atol=1e-6)
        shuffled = [plane(scenes, found, i, f"shuffled {k}") for k in (1, 2, 3)]
        assert sorted(map(bytes, shuffled)) == sorted(other.astype(np.float32).tobytes() for other in others)
        for k in range(1, NULLS - 3 + 1):
            shifted = plane(scenes, found, i, f"shifted {k}")
            assert shifted.sum() == mask.sum()
            assert not (shifted == mask).all()


def test_masks_of_no_meaning_are_so_many_that_to_exceed_them_all_is_significant(tmp_path: Path) -> None:
    for count in (1, 2, 4, 30):
        folder = tmp_path / str(count)
        folder.mkdir()
        scenes = Scenes(collected(folder, [block(i % 18, i % 13) for i in range(count)]), Preprocess(SIZE))
        nulls = [name.partition(" ")[0] for name in scenes.planes if name.startswith(("shuffled", "shifted"))]
        assert 1 / (1 + len(nulls)) < 0.05
        assert nulls.count("shuffled") == min(count - 1, len(nulls))


def test_every_shuffle_gives_every_mask_to_another_image_and_no_two_are_alike(tmp_path: Path) -> None:
    masks = [block(i % 18, i % 11) for i in range(40)]
    found = collected(tmp_path, masks)
    scenes = Scenes(found, Preprocess(SIZE))
    drawn = [np.stack([plane(scenes, found, i, f"shuffled {k}") for i in range(40)]) for k in range(1, NULLS + 1)]
    every = sorted(mask.astype(np.float32).tobytes() for mask in masks)
    for one in drawn:
        assert sorted(mask.tobytes() for mask in one) == every
        assert not any((mask == own).all() for mask, own in zip(one, masks, strict=True))
    same = [(a == b).all(axis=(1, 2)).sum() for i, a in enumerate(drawn) for b in drawn[:i]]
    assert max(same) < 10


def test_what_the_mask_ignores_and_what_pads_is_not_kept(tmp_path: Path) -> None:
    mask = block(0, 0)
    mask[20:, :] = 3
    found = collected(tmp_path, [mask, block(4, 4)])
    scenes = Scenes(found, Preprocess((24, 24), resize="pad"))
    kept = plane(scenes, found, 0, "kept")
    assert kept[:20, 4:20].all()
    assert not kept[20:].any()
    assert not kept[:, :4].any()
    assert not kept[:, 20:].any()


def test_edges_are_where_the_luminance_changes_and_a_flat_image_has_none(tmp_path: Path) -> None:
    flat = np.full((*SIZE, 3), 90, np.uint8)
    halves = flat.copy()
    halves[:, 8:] = (10, 200, 30)
    for name, pixels in (("flat", flat), ("halves", halves)):
        Image.fromarray(pixels).save(tmp_path / f"bare_{name}.png")
    config = settings.from_dict(
        {
            "name": "edges",
            "model": {"kind": "keras", "path": "builtin:sd_unet_pets_w8"},
            "probes": [{"kind": "files", "images": "bare_*.png"}],
        },
        tmp_path,
    )
    found = probes.collect(config.probes, config.folder)
    scenes = Scenes(found, Preprocess(SIZE))
    assert scenes.planes == ("kept", "edge", "red", "green", "blue")
    assert plane(scenes, found, 0, "edge").max() < 1e-4
    edge = plane(scenes, found, 1, "edge")
    assert (edge[:, 7:9] > 1).all()
    assert edge[:, :7].max() < 1e-4
    assert edge[:, 9:].max() < 1e-4
    assert (plane(scenes, found, 1, "green")[:, 8:] == 200).all()


def test_probes_without_a_mask_stand_in_groups_of_their_own(tmp_path: Path) -> None:
    found = collected(tmp_path, [block(0, 0), None, block(5, 5), None, None])
    scenes = Scenes(found, Preprocess(SIZE))
    assert scenes.masked_groups == 2
    assert scenes.groups == 5
    assert sorted(scenes.group.values()) == [0, 1, 2, 3, 4]
    masked = {name for name, group in scenes.group.items() if group < scenes.masked_groups}
    assert masked == {fact.name for fact in found.facts if fact.has_mask}
    bare = next(i for i, fact in enumerate(found.facts) if not fact.has_mask)
    assert not plane(scenes, found, bare, "mask").any()
    assert plane(scenes, found, bare, "kept").all()


@pytest.mark.parametrize("resize", ["stretch", "crop"])
def test_a_mask_that_ignores_all_of_the_image_is_none(tmp_path: Path, resize: Literal["stretch", "crop"]) -> None:
    """Also where what is not ignored is cropped away."""
    everywhere = np.full(SIZE, 3, np.uint8)
    if resize == "crop":
        everywhere[:3] = 1
    found = collected(tmp_path, [block(0, 0), everywhere, block(8, 5), None, block(10, 9), everywhere])
    scenes = Scenes(found, Preprocess((16, 16), resize=resize))
    assert scenes.masked == tuple(found[i].name for i in (0, 2, 3))
    assert scenes.ignored == tuple(found[i].name for i in (1, 4))
    assert (scenes.masked_groups, scenes.groups) == (3, 6)
    assert [name for name in scenes.planes if name.startswith("shuffled")] == ["shuffled 1", "shuffled 2"]
    others = [plane(scenes, found, i, "mask") for i in (2, 3)]
    np.testing.assert_allclose(plane(scenes, found, 0, "prior"), np.mean(others, axis=0), atol=1e-6)
    assert not plane(scenes, found, 1, "kept").any()
    assert not plane(scenes, found, 1, "shuffled 1").any()


def test_of_many_masks_every_one_is_looked_at_where_some_are_none(tmp_path: Path) -> None:
    everywhere = np.full(SIZE, 3, np.uint8)
    found = collected(tmp_path, [block(i % 18, 2) if i % 20 == 0 else everywhere for i in range(BANK + 20)])
    scenes = Scenes(found, Preprocess(SIZE))
    assert scenes.masked == tuple(found[i].name for i in range(0, BANK + 20, 20))
    assert len(scenes.ignored) == len(found) - len(scenes.masked)


def test_many_probes_share_a_bounded_number_of_groups_and_masks(tmp_path: Path) -> None:
    found = collected(tmp_path, [block(i % 18, i % 11) for i in range(GROUPS + 6)])
    scenes = Scenes(found, Preprocess(SIZE))
    assert scenes.groups == GROUPS
    sizes = np.bincount(list(scenes.group.values()))
    assert sizes.sum() == GROUPS + 6
    assert set(sizes) == {1, 2}
    assert len(scenes._bank) == BANK


@pytest.mark.parametrize("images", [1, 64, 65, 511, 512, 600, 5000])
def test_groups_are_of_like_sizes_and_a_part_of_many_images_is_in_few(images: int) -> None:
    group = np.array(groups(images))
    sizes = np.bincount(group)
    assert len(sizes) == min(images, GROUPS)
    assert sizes.max() <= 2 * sizes.min()
    apart = [len(set(group[start : start + 64])) for start in range(0, images, 64)]
    assert max(apart) == (TOGETHER if images >= 512 else min(images, GROUPS))


def test_one_mask_has_no_others_to_be_shuffled_with(tmp_path: Path) -> None:
    found = collected(tmp_path, [block(0, 0)])
    scenes = Scenes(found, Preprocess(SIZE))
    assert not any(name.startswith("shuffled") for name in scenes.planes)
    assert not plane(scenes, found, 0, "prior").any()
    assert scenes.of(found[0]).shape == scenes.shape


@given(st.integers(1, 40), st.integers(1, 40))
def test_area_weights_share_every_pixel_out(big: int, small: int) -> None:
    weights = area_weights(big, small)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=0), small / big, rtol=1e-4)


def test_a_plane_at_a_grid_is_the_mean_of_its_kept_pixels() -> None:
    rng = np.random.default_rng(2)
    planes = rng.uniform(size=(2, 12, 8, 3)).astype(np.float32)
    planes[..., 0] = rng.uniform(size=(2, 12, 8)) > 0.3
    planes[1, :4, :4, 0] = 0
    shown = Scene(tf.constant(planes), ("kept", "one", "two")).at((3, 2))
    blocks = planes.reshape(2, 3, 4, 2, 4, 3)
    weight = blocks[..., 0].mean(axis=(2, 4))
    np.testing.assert_allclose(shown.weight, weight, atol=1e-6)
    for i, name in enumerate(("one", "two"), start=1):
        sums = (blocks[..., i] * blocks[..., 0]).mean(axis=(2, 4))
        expected = np.divide(sums, weight, out=np.zeros_like(sums), where=weight > 0)
        np.testing.assert_allclose(shown.plane(name), expected, atol=1e-5)
    np.testing.assert_array_equal(shown.picked(("two", "one")), np.stack([shown.plane("two"), shown.plane("one")], -1))


@pytest.mark.parametrize("grid", [(1, 1), (5, 3), (24, 16), (48, 20)])
def test_a_flat_plane_is_flat_on_every_grid(grid: tuple[int, int]) -> None:
    planes = np.full((1, *SIZE, 2), 0.5, np.float32)
    planes[..., 0] = 1
    shown = Scene(tf.constant(planes), ("kept", "flat")).at(grid)
    np.testing.assert_allclose(shown.plane("flat"), np.full((1, *grid), 0.5), rtol=1e-5)


def test_an_image_has_its_number_in_whatever_batch_it_comes() -> None:
    images = np.random.default_rng(4).uniform(0, 255, (40, 9, 7, 3)).astype(np.float32)
    together = Scene(tf.constant(images), ("kept", "edge", "blue")).number.numpy()
    alone = [Scene(tf.constant(image[None]), ("kept", "edge", "blue")).number.numpy()[0] for image in images]
    assert together.tolist() == alone
    assert len(set(alone)) >= 39
    assert 0 <= together.min() <= together.max() < NUMBERS
    # Halves of the images have either sign in about every second row.
    assert abs(image_signs()[together, 1:].mean()) < 0.1
