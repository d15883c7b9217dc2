"""A real Ray cluster, started here: the same bytes as from one process, whoever works and whoever dies."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import many_images
import pytest

import fmreport
from fmreport.errors import EngineError, FmreportError, SourceError

pytest.importorskip("ray", reason="the extra fmreport[ray] is not installed")
pytestmark = pytest.mark.slow

IMAGES = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images and a config; `local` holds the run that one process made of it."""
    made = tmp_path_factory.mktemp("ray")
    many_images.write(made, IMAGES)
    fmreport.run(made / "many.yaml", out=made / "local")
    return made


def run(folder: Path, out: str, *settings: str, watch: many_images.Noted | None = None) -> dict[str, bytes]:
    overrides = ["engine.kind=ray", *settings]
    made = fmreport.run(folder / "many.yaml", overrides=overrides, out=folder / out, watch=watch)  # type: ignore[arg-type]
    return many_images.files(made.folder)


def workers() -> list[int]:
    """Processes of workers that have a model open or are opening one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::Worker"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_one_worker_and_two_make_the_same_bytes_as_one_process(folder: Path) -> None:
    alone = many_images.files(folder / "local/many/v1")
    for count in (1, 2):
        made = run(
            folder, f"by_{count}", f"engine.workers={count}", "controls.randomised=1", "measures.dissection=true"
        )
        if count == 1:
            config = ["controls.randomised=1", "measures.dissection=true"]
            alone = many_images.files(
                fmreport.run(folder / "many.yaml", overrides=config, out=folder / "local_all").folder
            )
        assert made.keys() == alone.keys()
        assert [name for name in made if made[name] != alone[name]] == []
    assert workers() == []


def test_shards_whose_maps_are_measured_and_others_travel_alike(folder: Path) -> None:
    settings = ["measures.maps=64", "measures.dissection=true"]
    alone = fmreport.run(folder / "many.yaml", overrides=settings, out=folder / "some").folder
    made = run(folder, "some_by_2", "engine.workers=2", *settings)
    assert made == many_images.files(alone)


def test_a_worker_that_is_killed_at_a_shard_is_replaced_and_nothing_is_lost(folder: Path) -> None:
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.02):
            if (folder / "progress").exists() and (found := workers()):
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])
                return

    watch = many_images.Noted(folder / "progress")
    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    made = run(folder, "killed", "engine.workers=1", watch=watch)
    over.set()
    killer.join()
    assert len(killed) == 1
    assert made == many_images.files(folder / "local/many/v1")
    assert any("ended at shard" in text and "another one takes" in text for text in watch.said)


def test_an_address_where_nobody_answers_is_told_at_once(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(
        EngineError, match=rf"engine\.address: nobody answers at {address}: Connection refused"
    ) as caught:
        run(folder, "unreachable", f"engine.address={address}")
    assert time.monotonic() - began < 60
    assert "ray start --head" in caught.value.fix
    assert not (folder / "unreachable").exists()


def test_where_no_cluster_runs_here_there_is_none_to_join(folder: Path) -> None:
    with pytest.raises(EngineError, match=r"engine\.address: no Ray cluster at auto") as caught:
        run(folder, "auto", "engine.address=auto")
    assert "address: local" in caught.value.fix


def test_a_worker_without_the_model_file_says_so(tmp_path: Path) -> None:
    """The file is there for the process that starts the run, and gone when its worker looks."""
    many_images.write(tmp_path, 3)
    model = tmp_path / "many_model.py"
    model.write_text(
        f"{many_images.MODEL}\nimport os\nif 'RAY_JOB_ID' in os.environ:\n    raise FileNotFoundError('weights.bin')\n"
    )
    with pytest.raises(FmreportError, match=r"on a worker \(.*weights\.bin") as caught:
        run(tmp_path, "reports")
    assert isinstance(caught.value, SourceError)
    assert not (tmp_path / "reports").exists()


def test_a_worker_without_a_package_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies on the path of this process alone."""
    many_images.write(tmp_path, 3)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/only_here.py").write_text("")
    (tmp_path / "many_model.py").write_text(f"import only_here\n{many_images.MODEL}")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    with pytest.raises(FmreportError, match=r"on a worker \(.*only_here"):
        run(tmp_path, "reports")
