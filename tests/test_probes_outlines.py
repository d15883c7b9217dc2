"""Masks drawn by hand: the polygons follow what the photographs show, and their pixels follow from the polygons."""

from __future__ import annotations

import hashlib
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_files import save, shipped
from scipy import ndimage

from fmreport import config
from fmreport.errors import ProbeError
from fmreport.probes import PHOTOGRAPHS, collect
from fmreport.probes.outlines import Outline, Polygon, outline, parse
from fmreport.probes.places import File
from fmreport.probes.probeset import ProbeFile

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "fmreport/probes/outlines.txt").read_text(encoding="utf-8")
NAMES = ("cat", "astronaut", "coffee", "rocket")
Point = tuple[float, float]

SHARES = {"cat": (0.72, 0.84), "astronaut": (0.36, 0.44), "coffee": (0.43, 0.53), "rocket": (0.016, 0.020)}
"""Of the photograph, by rectangles and ellipses laid over it by eye, and about a tenth more or less."""

INSIDE: dict[str, dict[str, tuple[int, int]]] = {
    "cat": {
        "left ear": (60, 10),
        "right ear": (365, 20),
        "left eye": (172, 110),
        "right eye": (318, 135),
        "nose": (262, 238),
        "back": (10, 200),
        "chest": (200, 295),
    },
    "astronaut": {
        "hair": (230, 25),
        "face": (225, 120),
        "left ear": (174, 125),
        "neck ring": (255, 275),
        "patch": (170, 385),
        "name tag": (300, 355),
        "glove": (150, 508),
        "sleeve": (30, 440),
    },
    "coffee": {
        "coffee": (290, 150),
        "rim": (290, 22),
        "handle of the cup": (215, 270),
        "bowl of the spoon": (365, 285),
        "handle of the spoon": (413, 75),
        "saucer": (85, 200),
    },
    "rocket": {"nose": (323, 131), "fairing": (313, 160), "body": (322, 300), "foot": (322, 404)},
}
OUTSIDE: dict[str, dict[str, tuple[int, int]]] = {
    "cat": {"cloth": (10, 60), "wall": (420, 30), "cloth under the cheek": (370, 210), "corner": (450, 299)},
    "astronaut": {
        "flag": (20, 100),
        "model": (420, 100),
        "wall between ear and neck ring": (172, 142),
        "wall above the shoulder": (320, 230),
        "visor": (400, 450),
        "rim of the helmet": (440, 360),
        "corner": (511, 511),
    },
    "coffee": {"table": (440, 80), "shadow": (130, 350), "between spoon and saucer": (430, 95), "corner": (0, 399)},
    "rocket": {
        "arm of the tower": (333, 183),
        "strut of the tower": (310, 300),
        "mast": (200, 260),
        "light": (363, 397),
        "pad": (322, 415),
    },
}
"""x and y of pixels, as an image viewer shows them."""


def drawn(name: str) -> Outline:
    found = outline(name)
    assert found is not None
    return found


def edges(polygon: Polygon) -> list[tuple[Point, Point]]:
    return list(zip(polygon.points, (*polygon.points[1:], polygon.points[0]), strict=True))


# What was drawn


@pytest.mark.parametrize("name", NAMES)
def test_an_outline_lies_inside_its_photograph(name: str) -> None:
    height, width = drawn(name).size
    for polygon in drawn(name).polygons:
        assert all(0 <= x <= width and 0 <= y <= height for x, y in polygon.points)


def cross(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    """Whether each of two edges has its ends on both sides of the other, or on it."""

    def side(edge: tuple[Point, Point], point: Point) -> float:
        (ax, ay), (bx, by) = edge
        return (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax)

    return all(
        side(one, other[0]) * side(one, other[1]) <= 0 for one, other in ((first, second), (second, first))
    ) and bool(side(first, second[0]) or side(first, second[1]))


@pytest.mark.parametrize("name", NAMES)
def test_an_outline_is_simple(name: str) -> None:
    for polygon in drawn(name).polygons:
        assert 20 <= len(polygon.points) <= 120
        assert len(set(polygon.points)) == len(polygon.points)
        apart = [pair for pair in combinations(edges(polygon), 2) if not set(pair[0]) & set(pair[1])]
        assert not [pair for pair in apart if cross(*pair)]


def test_lines_that_cross_are_seen_to_cross() -> None:
    assert cross(((0, 0), (2, 2)), ((0, 2), (2, 0)))
    assert cross(((0, 0), (2, 0)), ((1, 0), (1, 1)))
    assert not cross(((0, 0), (2, 0)), ((0, 1), (2, 1)))
    assert not cross(((0, 0), (1, 1)), ((2, 3), (3, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_what_belongs_to_the_object_is_inside_and_what_is_around_it_is_not(name: str) -> None:
    levels = drawn(name).levels()
    assert {what: levels[y, x] for what, (x, y) in INSIDE[name].items()} == dict.fromkeys(INSIDE[name], 1)
    assert {what: levels[y, x] for what, (x, y) in OUTSIDE[name].items()} == dict.fromkeys(OUTSIDE[name], 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_foreground_has_the_share_that_the_eye_sees(name: str) -> None:
    low, high = SHARES[name]
    assert low < drawn(name).levels().mean() < high


@pytest.mark.parametrize("name", NAMES)
def test_colours_change_most_along_the_outline_and_less_beside_it(name: str) -> None:
    image = collect([shipped(name)], Path())[0].image
    change = sum(ndimage.gaussian_gradient_magnitude(image[..., colour], 2) for colour in range(3))
    inside = np.pad(drawn(name).levels(), 1, mode="edge") == 1
    # In pixels from the outline, above 0 within it: of the pixels along it, the inner ones have 1, the outer ones -1.
    depth = (ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside))[1:-1, 1:-1]
    mean = {at: change[abs(depth - at) <= 1].mean() for at in range(-8, 9)}
    assert abs(max(mean, key=lambda at: mean[at])) <= 1


def test_four_photographs_have_an_outline_whatever_name_they_are_called_by() -> None:
    assert sorted(name for name in PHOTOGRAPHS if outline(name)) == sorted([*NAMES, "chelsea"])
    assert outline("chelsea") is outline("cat")
    assert outline("camera") is None


# From text to pixels

numbers = st.integers(0, 40).map(lambda n: n / 4)
points = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=8).map(tuple)
polygons = st.lists(st.builds(Polygon, points, st.booleans()), max_size=3).map(tuple)
names = st.text("abcdefgh_", min_size=1, max_size=8)
outlines = st.builds(Outline, names, st.tuples(st.integers(1, 12), st.integers(1, 12)), polygons)


def written(drawings: tuple[Outline, ...]) -> str:
    """The text of outlines, a point on each line."""
    lines = []
    for each in drawings:
        lines.append(f"photograph {each.photograph} {each.size[1]} x {each.size[0]}")
        for polygon in each.polygons:
            lines += ["hole" if polygon.hole else "polygon", *(f"  {x!r},{y!r}" for x, y in polygon.points)]
    return "\n".join(["# Drawn by chance.", "", *lines, ""])


@given(st.lists(outlines, max_size=3).map(tuple))
def test_what_is_written_is_read_back(drawings: tuple[Outline, ...]) -> None:
    assert parse(written(drawings)) == drawings


def test_the_file_that_ships_is_read_back_too() -> None:
    drawings = parse(TEXT)
    assert tuple(each.photograph for each in drawings) == NAMES
    assert parse(written(drawings)) == drawings
    assert drawings == tuple(drawn(name) for name in NAMES)


@pytest.mark.parametrize(
    "text", ["circle 1,1 2", "polygon 1,1 2,2 1,2", "photograph a 3", "photograph a 9 x 9\nhole 1,2,3", "photograph"]
)
def test_a_line_that_is_not_in_the_format_is_refused(text: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        parse(text)


def test_a_polygon_on_whole_numbers_holds_whole_pixels() -> None:
    (square,) = parse("photograph a 6 x 4\npolygon 1,0 4,0 4,3 1,3")
    expected = np.zeros((4, 6), np.uint8)
    expected[0:3, 1:4] = 1
    np.testing.assert_array_equal(square.levels(), expected)
    assert square.levels().dtype == np.uint8


def test_a_polygon_around_the_photograph_holds_all_of_it() -> None:
    (whole,) = parse("photograph a 6 x 4\npolygon 0,0 6,0 6,4 0,4")
    assert whole.levels().all()


def test_a_pixel_is_foreground_where_its_centre_is() -> None:
    (part,) = parse("photograph a 3 x 1\npolygon 0.4,0 1.6,0 1.6,1 0.4,1")
    assert part.levels().tolist() == [[1, 1, 0]]
    (less,) = parse("photograph a 3 x 1\npolygon 0.6,0 1.4,0 1.4,1 0.6,1")
    assert less.levels().tolist() == [[0, 0, 0]]


def test_polygons_add_up_holes_are_out_and_an_island_in_a_hole_is_in() -> None:
    (ring,) = parse(
        "photograph a 9 x 9\npolygon 0,0 7,0 7,7 0,7\npolygon 5,5 9,5 9,9 5,9\nhole 1,1 6,1 6,6 1,6\n"
        "polygon 3,3 4,3\n  4,4 3,4"
    )
    levels = ring.levels()
    at = {"ring": (0, 3), "hole": (2, 2), "island": (3, 3), "second": (8, 8), "second, in the hole": (5, 5)}
    assert [what for what, place in at.items() if levels[place]] == ["ring", "island", "second"]
    assert levels.sum() == 49 + 16 - 4 - 25 + 1


@given(points)
def test_a_centre_is_inside_where_a_line_from_it_crosses_the_polygon_an_odd_number_of_times(
    corners: tuple[Point, ...],
) -> None:
    # Moved by less than a quarter, so that no centre lies on an edge that goes straight up or across.
    polygon = Polygon(tuple((x + 0.0371, y + 0.0533) for x, y in corners))
    levels = Outline("a", (10, 10), (polygon,)).levels()
    for row, column in product(range(10), repeat=2):
        x, y = column + 0.5, row + 0.5
        crossings = [
            (bx - ax) * (y - ay) / (by - ay) + ax for (ax, ay), (bx, by) in edges(polygon) if (ay > y) != (by > y)
        ]
        if all(abs(crossing - x) > 1e-9 for crossing in crossings):
            assert levels[row, column] == sum(crossing > x for crossing in crossings) % 2


# As masks of probes


def test_a_photograph_comes_with_its_mask_and_the_manifest_says_whose() -> None:
    probes = collect([shipped("cat", "camera", "rocket")], Path())
    assert [fact.has_mask for fact in probes.facts] == [True, False, True]
    assert [fact.mask_origin for fact in probes.facts] == ["fmreport outline: cat", "", "fmreport outline: rocket"]
    mask = probes[0].mask
    assert mask is not None
    assert mask.shape == probes[0].image.shape[:2]
    np.testing.assert_array_equal(mask, drawn("cat").levels())
    assert probes.facts[0].mask_sha256 == hashlib.sha256(mask.tobytes()).hexdigest()
    assert len({fact.mask_sha256 for fact in probes.facts}) == 3


def test_masks_false_leaves_them_out() -> None:
    probes = collect([shipped("cat", "coffee", masks=False)], Path())
    assert [probe.mask for probe in probes] == [None, None]
    assert {(fact.has_mask, fact.mask_origin, fact.mask_sha256) for fact in probes.facts} == {(False, "", "")}


def test_a_photograph_of_another_size_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = save(tmp_path / "chelsea.png")
    file = ProbeFile(File(str(path)), "skimage:cat", drawn("cat"), drawn("cat").origin)
    with pytest.raises(ProbeError) as caught:
        file.load("cat")
    assert str(caught.value) == (
        "fmreport outline: cat is 300 × 451, but its image skimage:cat is 24 × 36 (height × width)"
    )
    assert "masks: false" in caught.value.fix


@pytest.mark.parametrize("name", ["sd_unet_pets", "bit_r50x1", "bit_r50x1_hub"])
def test_what_a_config_that_ships_displays_has_a_mask(name: str) -> None:
    settings = config.load(ROOT / f"configs/{name}.yaml")
    facts = {fact.name: fact for fact in collect(settings.probes, settings.folder).facts}
    assert [shown for shown in settings.display or () if not facts[shown].has_mask] == []
    assert sum(fact.has_mask for fact in facts.values()) == len(settings.display or ()) == 4
