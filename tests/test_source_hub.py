"""`kind: hub`: one download by TensorFlow Hub's own resolver, then the cache; every failure says what to do."""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import hub_server as server
import pytest
import tensorflow as tf
from bit_exports import EXPORTS, FOLDERS
from bit_parts import SIZE, check_parts
from bit_reference import FULL, SMALL, weights
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from fmreport import config
from fmreport.errors import SourceError
from fmreport.sources import TappableModel, check, files, hub, open_source

PATH = "google/bit/m-r50x1/1"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own, and no proxy between it and its server."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The folder that a server hands out: a graph without operations, for it is only unpacked and checked here."""
    folder = tmp_path / "published" / PATH
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(SavedModel(saved_model_schema_version=1).SerializeToString())
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(os.urandom(1_300_000))
    return folder


def settings(handle: str, folder: Path = Path(), **model: Any) -> config.Config:
    data = {
        "name": "test",
        "model": {"kind": "hub", "handle": handle, "timeout": 1, **model},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return config.from_dict(data, folder)


def resolved(handle: str, folder: Path = Path(), *, advance: Any = None, **model: Any) -> tuple[Path, str]:
    given = settings(handle, folder, **model)
    assert isinstance(given.model, config.HubSection)
    return hub.resolve(given, given.model, advance)


def refused(handle: str, folder: Path = Path(), **model: Any) -> tuple[str, str]:
    """What is said, without where and the handle, and the fix; within seconds."""
    start = time.monotonic()
    with pytest.raises(SourceError) as caught:
        resolved(handle, folder, **model)
    assert time.monotonic() - start < 6
    where = f"CONFIG: model.handle: {handle}"
    assert str(caught.value).startswith(where)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(where).lstrip(": "), caught.value.fix


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def name_of(handle: str) -> str:
    """The folder of a handle in the cache of tensorflow_hub."""
    return hashlib.sha1(handle.encode()).hexdigest()


@pytest.mark.parametrize("answer", [server.whole, server.redirected, server.unmeasured])
def test_a_model_is_downloaded_once(answer: server.Answer, published: Path, cache: Path, capfd: Any) -> None:
    with server.serving(published.parents[3], answer) as running:
        handle = running.handle(PATH)
        folder, digest = resolved(handle)
        asked = list(running.requests)
        assert asked[0] == f"/{PATH}?tf-hub-format=compressed"
        assert resolved(handle) == (folder, digest)
        assert running.requests == asked
    assert resolved(handle) == (folder, digest), "offline it is read from the cache"
    assert (folder, digest) == (cache / name_of(handle), files.hash_of(published))
    assert content(folder) == content(published)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_at_the_end_finds_what_was_downloaded_without_and_with_it(
    slash: str, published: Path, cache: Path
) -> None:
    with server.serving(published.parents[3]) as running:
        first = running.handle(PATH) + slash
        folder = resolved(first)[0]
        assert resolved(running.handle(PATH) + ("" if slash else "/"))[0] == folder
        assert len(running.requests) == 1


def test_a_download_shows_its_progress_in_megabytes(published: Path, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    with server.serving(published.parents[3]) as running:
        resolved(running.handle(PATH), advance=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {2}
    assert (seen[0][0], seen[-1][0]) == (1, 2)


def test_another_model_than_the_pinned_one_is_refused(published: Path, cache: Path) -> None:
    digest = files.hash_of(published)
    with server.serving(published.parents[3]) as running:
        handle = running.handle(PATH)
        with pytest.raises(SourceError) as caught:
            resolved(handle, sha256="0" * 64)
    together = "the unpacked files, by name and content, have together the SHA-256"
    assert str(caught.value) == f"CONFIG: model.sha256: {together} {digest}, the config pins {'0' * 64}"
    delete = f"delete {cache / name_of(handle)} to download it again"
    assert caught.value.fix == f"{delete}, or write the new hash into the config"
    assert resolved(handle, sha256=digest.upper())[1] == digest


BROKEN: dict[str, tuple[server.Answer, str, str]] = {
    "404": (server.status(404), "the server answers 404 Not Found", "check the address; at its end stands a version"),
    "403": (server.status(403), "the server answers 403 Forbidden", "download it in a browser, unpack it"),
    "500": (server.status(500), "the server answers 500 Internal Server Error", "try again later, or download it"),
    "a page": (server.page, "what was sent (text/html) is no whole tar archive", "check the address"),
    "nothing": (server.empty, "what was sent (application/gzip) is no whole tar archive", "check the address"),
    "damaged": (server.damaged, "is no whole tar archive", "check the address"),
    "cut short": (server.cut_short, "is no whole tar archive", "check the address"),
    "broken off": (server.broken_off, "the connection broke off before its end, ", "try again"),
    "between files": (server.broken_off_between_files, "the connection broke off", "try again"),
    "silent": (server.silent, "no answer for 1 s", "try again, or write a longer model.timeout"),
    "stalled": (server.stalled, "no answer for 1 s", "try again, or write a longer model.timeout"),
    "outside": (server.planted("../evil"), "paths that lead out of it: Relative path '../evil' is invalid.", "another"),
    "deeper": (server.planted("a/../../../evil"), "paths that lead out of it", "another"),
    "a link": (server.planted("evil", tarfile.SYMTYPE, "/etc/passwd"), "links or paths that lead out", "another"),
    "a hard link": (server.planted("evil", tarfile.LNKTYPE, "/etc/passwd"), "links or paths that lead out", "another"),
    "a device": (server.planted("evil", tarfile.CHRTYPE), "links or paths that lead out", "another"),
    "no folder": (server.planted("nowhere/evil"), "the archive holds a file without its folder", "unpack it"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_failed_download_explains_itself_and_leaves_nothing(case: str, published: Path, cache: Path) -> None:
    answer, what, fix = BROKEN[case]
    outside = {path for path in cache.parent.rglob("*") if not path.is_relative_to(cache)}
    with server.serving(published.parents[3], answer) as running:
        said, advised = refused(running.handle(PATH))
    assert said.startswith("cannot be downloaded: ")
    assert what in said
    assert fix in advised
    assert list(cache.iterdir()) == []
    assert {path for path in cache.parent.rglob("*") if not path.is_relative_to(cache)} == outside


def test_an_absolute_path_in_an_archive_stays_in_the_cache(published: Path, cache: Path) -> None:
    target = published.parents[4] / "evil"
    with server.serving(published.parents[3], server.planted(str(target))) as running:
        refused(running.handle(PATH))
    assert not target.exists()


def test_an_archive_without_a_model_is_not_kept(published: Path, cache: Path) -> None:
    (published / "saved_model.pb").rename(published / "model.json")
    with server.serving(published.parents[3]) as running:
        said, fix = refused(running.handle(PATH))
    assert said == "the archive that was downloaded holds no saved_model.pb"
    assert "TF.js" in fix
    assert list(cache.iterdir()) == []


def test_an_archive_whose_files_stand_in_a_folder_says_which(published: Path, cache: Path) -> None:
    inner = published / "exported"
    inner.mkdir()
    (published / "saved_model.pb").rename(inner / "saved_model.pb")
    with server.serving(published.parents[3]) as running:
        said, fix = refused(running.handle(PATH))
    assert said == "the archive holds saved_model.pb in a folder of its own, exported/, not at its top"
    assert fix.startswith("pack it anew from inside that folder (tar czf model.tar.gz -C exported .)")
    assert list(cache.iterdir()) == []


def test_a_damaged_model_in_the_cache_says_what_to_delete(published: Path, cache: Path) -> None:
    with server.serving(published.parents[3]) as running:
        handle = running.handle(PATH)
        with pytest.raises(SourceError) as caught:
            open_source(settings(handle))
    assert caught.value.fix == f"delete {cache / name_of(handle)} to download it again"


def test_an_interrupted_download_leaves_nothing(published: Path, cache: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with server.serving(published.parents[3]) as running, pytest.raises(KeyboardInterrupt):
        resolved(running.handle(PATH), advance=interrupt)
    assert list(cache.iterdir()) == []


def test_a_full_disk_is_named(published: Path, cache: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with server.serving(published.parents[3]) as running:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            said, fix = refused(running.handle(PATH))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said == f"cannot be downloaded: the cache {cache} cannot be written: File too large"
    assert fix.startswith("make room, or set the environment variable TFHUB_CACHE_DIR")
    assert list(cache.iterdir()) == []


def test_no_network_says_how_to_work_without(cache: Path) -> None:
    said, fix = refused("http://nowhere.invalid/model/1")
    assert said.startswith("cannot be downloaded: there is no network, or no such host: ")
    assert "offline, a model is read from the folder TFHUB_CACHE_DIR" in fix


def test_a_server_that_does_not_run_is_named(cache: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said, fix = refused(f"http://127.0.0.1:{port}/model/1")
    assert said == "cannot be downloaded: Connection refused"
    assert fix.startswith("check the network and the address")


def test_a_server_that_does_not_speak_tls_is_named(published: Path, cache: Path) -> None:
    with server.serving(published.parents[3]) as running:
        said, fix = refused(running.handle(PATH).replace("http:", "https:"))
    assert said.startswith("cannot be downloaded: the connection is not secure: ")
    assert "certificates" in fix


@pytest.mark.parametrize("text", ["gs://bucket/cache", "taken"])
def test_a_cache_that_cannot_be_written_is_named(
    text: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").touch()
    monkeypatch.setenv("TFHUB_CACHE_DIR", text if "://" in text else str(tmp_path / text))
    said, fix = refused("http://127.0.0.1:1/model/1")
    assert text in said
    assert fix.startswith("set the environment variable TFHUB_CACHE_DIR")


def test_a_cached_folder_that_lacks_its_graph_is_named(cache: Path) -> None:
    handle = "http://127.0.0.1:1/model/1"
    folder = cache / name_of(handle)
    (folder / "variables").mkdir(parents=True)
    assert refused(handle) == (f"{folder} in the cache holds no saved_model.pb", f"delete {folder}")


def test_a_lock_of_a_process_that_has_ended_is_named_at_once(cache: Path) -> None:
    handle = "http://127.0.0.1:1/model/1"
    cache.mkdir()
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    lock = cache / f"{name_of(handle)}.lock"
    lock.write_text(f"{socket.gethostname()}.{int(ended.stdout)}.0")
    began = time.monotonic()
    said, fix = refused(handle, timeout=60)
    assert said == "a process that has ended left it locked"
    assert fix == f"delete {lock}"
    assert time.monotonic() - began < 30


def test_a_lock_that_was_left_behind_is_named(cache: Path) -> None:
    handle = "http://127.0.0.1:1/model/1"
    cache.mkdir()
    lock = cache / f"{name_of(handle)}.lock"
    lock.write_text("host.1.0")
    said, fix = refused(handle)
    assert said == "another process has it locked, and has downloaded nothing for 1 s"
    assert fix == f"if none is downloading it, delete {lock}"
    assert lock.exists()


def test_another_process_is_waited_for_while_it_downloads(published: Path, cache: Path) -> None:
    with server.serving(published.parents[3]) as running:
        handle = running.handle(PATH)
        lock, other = cache / f"{name_of(handle)}.lock", cache / f"{name_of(handle)}.0.tmp"
        other.mkdir(parents=True)
        lock.write_text("host.1.0")

        def download() -> None:
            for size in range(6):
                (other / "saved_model.pb").write_bytes(bytes(size + 1))
                time.sleep(0.4)
            other.rename(cache / name_of(handle))
            lock.unlink()

        thread = Thread(target=download)
        thread.start()
        folder, _ = resolved(handle)
        thread.join()
        assert (folder / "saved_model.pb").read_bytes() == bytes(6)
        assert running.requests == []


@pytest.mark.parametrize("spelled", ["model", "./model", "{}/model", "file://{}/model", "model/"])
def test_a_local_folder_is_taken_as_it_is(spelled: str, published: Path, tmp_path: Path, cache: Path) -> None:
    published.rename(tmp_path / "model")
    given = settings(spelled.format(tmp_path), tmp_path)
    check(given)
    assert isinstance(given.model, config.HubSection)
    folder, digest = hub.resolve(given, given.model)
    assert (folder.resolve(), digest) == (tmp_path / "model", files.hash_of(tmp_path / "model"))
    assert not cache.exists()


LOCAL = {
    "missing": ("does not exist", "a folder is relative to CONFIG; an address begins with https://"),
    "file:///missing": ("does not exist", "a folder is relative to CONFIG; an address begins with https://"),
    "model.tar.gz": ("is a file; a handle names a folder with saved_model.pb", "unpack it and give the folder"),
    "empty": ("is a folder without saved_model.pb", "give the folder that holds it"),
    "above": ("is a folder without saved_model.pb", "give above/1"),
    "gs://bucket/model": ("begins with neither https:// nor http:// nor file://", "download the model by other means"),
    "s3://bucket/model": ("begins with neither https:// nor http:// nor file://", "download the model by other means"),
    "https://": ("is no whole address", "https://tfhub.dev/google/bit/m-r50x1/1"),
    "https://tfhub.dev/a model": ("is no whole address", "https://tfhub.dev/google/bit/m-r50x1/1"),
    "https://tfhub.dev:port/model": ("is no whole address", "https://tfhub.dev/google/bit/m-r50x1/1"),
    "https://[tfhub.dev/model": ("is no whole address", "https://tfhub.dev/google/bit/m-r50x1/1"),
}


@pytest.mark.parametrize("handle", LOCAL)
def test_a_handle_that_names_no_model_is_refused_before_anything_is_loaded(
    handle: str, tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "model.tar.gz").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "above" / "1").mkdir(parents=True)
    (tmp_path / "above" / "1" / "saved_model.pb").touch()
    said, fix = refused(handle, tmp_path)
    what, advice = LOCAL[handle]
    assert said.startswith(what)
    assert advice in fix
    with pytest.raises(SourceError) as caught:
        check(settings(handle, tmp_path))
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize("given", ["model", "http"])
def test_a_graph_that_writes_files_is_refused_wherever_it_comes_from(given: str, tmp_path: Path, cache: Path) -> None:
    module = tf.Module()
    mark = str(tmp_path / "mark")

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
    def call(images: tf.Tensor) -> tf.Tensor:
        tf.io.write_file(mark, "written")
        return images + 1

    module.__call__ = call
    tf.saved_model.save(module, str(tmp_path / "model"))
    with server.serving(tmp_path) as running:
        handle = given if given == "model" else running.handle("model")
        with pytest.raises(SourceError, match="calls WriteFile of TensorFlow") as caught:
            open_source(settings(handle, tmp_path))
        assert open_source(settings(handle, tmp_path, trusted=True)).identity.kind == "hub"
    assert str(caught.value).startswith(f"CONFIG: model.handle: {handle} calls")
    assert "trusted: true" in caught.value.fix
    if given == "model":
        with pytest.raises(SourceError, match="calls WriteFile"):
            check(settings(handle, tmp_path))


def test_check_asks_no_server(cache: Path) -> None:
    check(settings("https://www.kaggle.com/models/google/bit/TensorFlow2/m-r50x1/1"))
    check(settings("http://127.0.0.1:1/model/1"))
    assert not cache.exists()


@pytest.mark.parametrize(
    ("module", "package"),
    [("pkg_resources", "'setuptools<81'"), ("tf_keras", "tf-keras"), ("tensorflow_hub", "tensorflow-hub")],
)
def test_what_tensorflow_hub_lacks_is_named(
    module: str, package: str, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflow_hub"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "fmreport.sources.download", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    said, fix = refused("http://127.0.0.1:1/model/1")
    assert said.startswith("needs tensorflow_hub, which cannot be imported: ")
    assert module in said
    assert fix == f"pip install {package}"
    assert capfd.readouterr() == ("", "")


def saved(folder: Path) -> Callable[[tf.Tensor], tf.Tensor]:
    """A SavedModel with one convolution, as TensorFlow 2 writes it."""
    module = tf.Module()
    module.kernel = tf.Variable(tf.random.normal((3, 3, 3, 4)), name="conv/kernel")

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
    def call(images: tf.Tensor) -> tf.Tensor:
        with tf.name_scope("conv"):
            return tf.nn.conv2d(images, module.kernel, 1, "SAME")

    module.__call__ = call
    tf.saved_model.save(module, str(folder))
    return call


def test_a_downloaded_model_opens_and_says_what_it_is(tmp_path: Path, cache: Path) -> None:
    saved(tmp_path / "published" / PATH)
    with server.serving(tmp_path / "published") as running:
        handle = running.handle(PATH)
        seen: list[tuple[int, int]] = []
        model = open_source(settings(handle), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1, 1)
    assert (model.identity.kind, model.identity.source) == ("hub", handle)
    assert model.identity.sha256 == files.hash_of(tmp_path / "published" / PATH)
    assert model.notes[-1] == f"From TensorFlow Hub: {handle} was read from {name_of(handle)} in its cache"
    assert [tap.type for tap in model.inventory((8, 8))[1]] == ["Conv2D"]


@pytest.mark.parametrize("spelled", ["{}/model", "file://{}/model"])
def test_the_record_of_a_local_model_names_no_machine(spelled: str, tmp_path: Path) -> None:
    saved(tmp_path / "model")
    model = open_source(settings(spelled.format(tmp_path), tmp_path / "elsewhere"))
    assert model.identity.source == spelled.format("...")


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_network_is_downloaded_and_all_its_parts_are_found(kind: str, cache: Path, tmp_path: Path) -> None:
    drawn = weights(**SMALL)
    EXPORTS[kind](tmp_path / "published", drawn)
    with server.serving(tmp_path / "published") as running:
        check_parts(opened_at(running.handle(kind)), kind, drawn, 509_008)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tf_keras", "hub_resource"])
def test_r50x1_is_downloaded_and_all_its_parts_are_found(kind: str, cache: Path, tmp_path: Path) -> None:
    drawn = weights(**FULL)
    EXPORTS[kind](tmp_path / "published", drawn)
    with server.serving(tmp_path / "published") as running:
        check_parts(opened_at(running.handle(kind)), kind, drawn, 23_500_352)


def opened_at(handle: str) -> TappableModel:
    return open_source(
        settings(handle, timeout=60).model_copy(update={"preprocess": config.PreprocessSection(size=SIZE)})
    )
