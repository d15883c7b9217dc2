"""A run that is killed, damaged or extended computes only what is new, and ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import many_images
import pytest

import fmreport
from fmreport.cache import Cache
from fmreport.extract import SIZE
from fmreport.measures import MEASURES

pytestmark = pytest.mark.slow

IMAGES = 300
"""Of which the last shard is not full."""
SHARDS = -(-IMAGES // SIZE)
SCRIPT = Path(many_images.__file__)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, their config, and a run of them that nothing disturbed and nothing helped, in `whole`."""
    made = tmp_path_factory.mktemp("many")
    many_images.write(made, IMAGES)
    fmreport.run(made / "many.yaml", out=made / "whole")
    return made


@pytest.fixture
def place(folder: Path, tmp_path: Path) -> Path:
    """The same images and config, without a run."""
    for name in ("images", "masks"):
        (tmp_path / name).symlink_to(folder / name)
    for name in ("many_model.py", "many.yaml"):
        shutil.copy(folder / name, tmp_path)
    return tmp_path


def shards(run: Path) -> tuple[int, int]:
    """(computed, read) by the last execution."""
    told = json.loads((run / "execution.json").read_bytes())["shards"]
    return told["computed"], told["read"]


def finished(cache: Path) -> int:
    """Shards of which every measure lies in a cache."""
    return sum(1 for entry in Cache(cache).entries() if entry.told) // len(MEASURES) if cache.exists() else 0


def killed(place: Path, moment: float, *settings: str) -> int:
    """Kills a run after so many images, and returns how many were measured; 0 where it ended before."""
    progress = place / "progress"
    progress.unlink(missing_ok=True)
    line = [sys.executable, str(SCRIPT), str(place), *settings]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(6000):
            measured = int(progress.read_text() or 0) if progress.exists() else 0
            if measured >= moment:
                os.kill(process.pid, signal.SIGKILL)
                return measured
            if process.poll() is not None:
                assert process.returncode == 0
                return 0
            time.sleep(0.01)
    finally:
        process.wait(60)
    raise TimeoutError("the run measures nothing")


def resumed_after_kills(place: Path, kills: int, seed: int, images: int = IMAGES) -> Path:
    """A run that was killed so often at random; each time no more than the shard that was under way is lost."""
    rng = random.Random(seed)
    for _ in range(kills):
        before = finished(place / "cache")
        measured = killed(place, rng.uniform(before * SIZE, images))
        assert finished(place / "cache") >= max(before, measured // SIZE - 1)
        assert not (place / "reports/many/v1").exists() or not measured
    held = finished(place / "cache")
    made = fmreport.run(place / "many.yaml", out=place / "reports", cache=place / "cache", force=True).folder
    assert shards(made) == (-(-images // SIZE) - held, held)
    return made


def test_a_run_that_was_killed_goes_on_where_it_was_and_ends_with_the_same_bytes(folder: Path, place: Path) -> None:
    made = resumed_after_kills(place, 3, seed=0)
    assert many_images.files(made) == many_images.files(folder / "whole/many/v1")


def test_the_driver_of_a_cluster_may_be_killed(folder: Path, place: Path) -> None:
    pytest.importorskip("ray", reason="the extra fmreport[ray] is not installed")
    assert killed(place, 2 * SIZE, "engine.kind=ray", "engine.workers=1") >= 2 * SIZE
    held = finished(place / "cache")
    assert held >= 1
    made = fmreport.run(place / "many.yaml", out=place / "reports", cache=place / "cache").folder
    assert shards(made) == (SHARDS - held, held)
    assert many_images.files(made) == many_images.files(folder / "whole/many/v1")
    for _ in range(100):
        if not ray_processes(place):
            break
        time.sleep(0.2)
    assert not ray_processes(place), "a cluster ends with whoever started it"


def ray_processes(place: Path) -> list[str]:
    """Workers of a cluster that have a folder as their own."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            name, here = (path / "cmdline").read_bytes(), (path / "cwd").resolve()
        except OSError:
            continue
        if name.startswith(b"ray::") and here == place:
            found.append(name.decode())
    return found


def test_shards_that_are_damaged_are_named_and_computed_again(folder: Path, place: Path) -> None:
    cache = place / "cache"
    watch = many_images.Noted()
    fmreport.run(place / "many.yaml", out=place / "one", cache=cache)
    entries = [entry for entry in Cache(cache).entries() if "(00064 to 00127)" in str(entry.told["shard"])]
    data = entries[0].path.read_bytes()
    entries[0].path.write_bytes(data[:-9] + b"\0" + data[-8:])
    entries[1].path.write_bytes(data[: len(data) // 2])
    made = fmreport.run(place / "many.yaml", out=place / "two", cache=cache, watch=watch).folder  # type: ignore[arg-type]
    assert shards(made) == (1, SHARDS - 1)
    assert many_images.files(made) == many_images.files(folder / "whole/many/v1")
    damaged = [text for text in watch.said if "is damaged in the cache, and computed again" in text]
    assert len(damaged) == 2
    assert f"{SHARDS - 1} of {SHARDS} shards were read from the cache" in watch.said
    assert all("shard 2 (00064 to 00127)" in text for text in damaged)
    assert all(Cache(cache).holds(entry.path.stem) for entry in entries)


def test_measures_that_are_computed_without_the_others_give_the_same_bytes(folder: Path, place: Path) -> None:
    cache = place / "cache"
    fmreport.run(place / "many.yaml", out=place / "reports", cache=cache)
    # As a kill between two files leaves them: what shares its operations with others, and what is alone.
    for lost in (("regions", "drawn", "readability"), ("readability",), ("signature", "pooled"), ("detail",)):
        for entry in Cache(cache).entries():
            if entry.told["piece"] in lost:
                entry.path.unlink()
        made = fmreport.run(place / "many.yaml", out=place / "reports", cache=cache, force=True).folder
        assert shards(made) == (SHARDS, 0)
        assert many_images.files(made) == many_images.files(folder / "whole/many/v1"), lost


def test_more_probes_and_one_more_measure_compute_only_what_is_new(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = place / "cache"
    some = "probes=[{kind: files, images: 'images/0[01]*.png'}]"
    fewer = "probes=[{kind: files, images: 'images/0[01]*.png', limit: 192}]"
    fmreport.run(place / "many.yaml", overrides=[fewer], out=place / "one", cache=cache)
    of_one = finished_pieces(cache)
    monkeypatch.setitem(MEASURES, "cubes", "many_images:Cubes")
    made = fmreport.run(place / "many.yaml", overrides=[fewer], out=place / "two", cache=cache).folder
    assert shards(made) == (3, 0)
    assert finished_pieces(cache) == of_one | {"cubes": 3}
    assert "cubes" in fmreport.open_run(made).samples
    alone = fmreport.run(place / "many.yaml", overrides=[fewer], out=place / "alone").folder
    assert many_images.files(made) == many_images.files(alone)
    made = fmreport.run(place / "many.yaml", overrides=[some], out=place / "three", cache=cache).folder
    assert shards(made) == (SHARDS - 3, 3)
    alone = fmreport.run(place / "many.yaml", overrides=[some], out=place / "alone_too").folder
    assert many_images.files(made) == many_images.files(alone)


def finished_pieces(cache: Path) -> dict[str, int]:
    """Shards in a cache by their measure."""
    pieces = [str(entry.told["piece"]) for entry in Cache(cache).entries()]
    return {piece: pieces.count(piece) for piece in dict.fromkeys(pieces)}


if __name__ == "__main__":
    here, images, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    many_images.write(here, images)
    expected = fmreport.run(here / "many.yaml", out=here / "whole").folder
    made = resumed_after_kills(here, count, seed=1, images=images)
    same = many_images.files(made) == many_images.files(expected)
    sys.stdout.write(f"{images} images, {count} kills, {'the same bytes' if same else 'OTHER BYTES'}\n")
    sys.exit(not same)
