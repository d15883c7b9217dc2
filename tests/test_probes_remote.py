"""Images, masks and tables behind addresses: the same as on this machine, and nobody is told what lets one in."""

from __future__ import annotations

import base64
import functools
import importlib
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from config_texts import write
from hypothesis import given
from hypothesis import strategies as st
from probe_files import files, photograph, save

from fmreport import config, recording
from fmreport.config.addresses import scheme, unsigned, unsigned_all
from fmreport.config.probes import CsvProbes, ParquetProbes
from fmreport.errors import ConfigError, ProbeError
from fmreport.probes import ProbeSet, collect, remote
from fmreport.probes.places import File

USER, SECRET = "ada7", "hunter2"
SIGNED = "X-Amz-Signature=5ec4e7"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    """Photographs in class folders, masks, a table, and what is to be left out."""
    for number in range(4):
        save(tmp_path / f"val/{'cd'[number % 2]}/{number}.png", photograph(seed=number))
        save(tmp_path / f"masks/{number}.png", np.tri(24, 36, dtype=np.uint8))
    save(tmp_path / "val/c/.hidden.png")
    (tmp_path / "val/c/readme.txt").write_text("no picture")
    (tmp_path / "val/t.csv").write_text("image,mask\nc/0.png,../masks/0.png\nd/1.png,../masks/1.png\n")
    return tmp_path


@pytest.fixture(name="bucket")
def _bucket(folder: Path) -> Iterator[str]:
    """The same files in memory, as fsspec has it."""
    system, root = fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"
    for path in folder.rglob("*"):
        if path.is_file():
            system.pipe_file(f"{root}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    yield f"memory:/{root}"
    system.rm(root, recursive=True)


class Guarded(SimpleHTTPRequestHandler):
    """Serves a folder to those who know the password, or hold a signature."""

    def do_GET(self) -> None:
        known = "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") == known or SIGNED in self.path:
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture(name="server")
def _server(folder: Path) -> Iterator[str]:
    """`host:port` of a server of the folder."""
    pytest.importorskip("aiohttp", reason="fsspec reads http:// with aiohttp")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Guarded, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def refused(*sources: Any, base: Path) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        collect(sources, base)
    assert caught.value.fix
    told = f"{caught.value} {caught.value.fix}"
    assert not any(secret in told for secret in (USER, SECRET, SIGNED))
    return caught.value


def same(one: ProbeSet, other: ProbeSet) -> None:
    """Asserts that two sets have the same pixels, masks, hashes and groups, whatever their files are called."""
    alike = [[replace(fact, name="", origin="", mask_origin="") for fact in probes.facts] for probes in (one, other)]
    assert alike[0] == alike[1]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        if a.mask is not None:
            np.testing.assert_array_equal(a.mask, b.mask)


def test_files_elsewhere_are_what_they_are_here(folder: Path, bucket: str) -> None:
    settings = {"group": "{parent}"}
    here = collect([files("val/*/*.png", masks="masks/{stem}.png", **settings)], folder)
    there = collect([files(f"{bucket}/val/*/*.png", masks=f"{bucket}/masks/{{stem}}.png", **settings)], folder)
    same(here, there)
    assert there.names == here.names == ("0", "2", "1", "3")
    assert there.groups == ("c", "d")
    assert there.facts[0].origin == f"{bucket}/val/c/0.png"
    assert there.facts[0].mask_origin == f"{bucket}/masks/0.png"


def test_globs_reach_through_folders_and_leave_hidden_files_out(folder: Path, bucket: str) -> None:
    assert collect([files(f"{bucket}/**/[01].p?g")], folder).names == collect([files("**/[01].p?g")], folder).names
    assert len(collect([files(f"{bucket}/val/**/*.png")], folder)) == 4
    assert len(collect([files(f"{bucket}/val/c/*.png")], folder)) == 2
    error = refused(files(f"{bucket}/val/*.jpg"), base=folder)
    assert str(error) == f"probes[0].images: no file matches '{bucket}/val/*.jpg'"


def test_a_table_elsewhere_names_files_beside_it(folder: Path, bucket: str) -> None:
    here = collect([CsvProbes(kind="csv", path="val/t.csv", mask="mask")], folder)
    there = collect([CsvProbes(kind="csv", path=f"{bucket}/val/t.csv", mask="mask")], folder)
    same(here, there)
    assert there.facts[1].mask_origin == f"{bucket}/masks/1.png"


def test_a_table_here_names_files_elsewhere(folder: Path, bucket: str) -> None:
    (folder / "t.csv").write_text(f"image,mask\n{bucket}/val/c/0.png,masks/0.png\nval/d/1.png,{bucket}/masks/1.png\n")
    mixed = collect([CsvProbes(kind="csv", path="t.csv", mask="mask")], folder)
    same(mixed, collect([CsvProbes(kind="csv", path="val/t.csv", mask="mask")], folder))


def test_what_is_missing_elsewhere_is_named_before_anything_is_decoded(folder: Path, bucket: str) -> None:
    (folder / "t.csv").write_text(f"image\n{bucket}/val/c/0.png\n{bucket}/lost.png\n")
    error = refused(CsvProbes(kind="csv", path="t.csv"), base=folder)
    assert str(error) == f"probes[0].path: t.csv:3: names {bucket}/lost.png, and there is no such file"
    error = refused(files(f"{bucket}/val/c/0.png", masks=f"{bucket}/{{stem}}.png"), base=folder)
    assert f"has no mask: there is no file {bucket}/0.png" in str(error)
    error = refused(ParquetProbes(kind="parquet", path=f"{bucket}/t.parquet"), base=folder)
    assert str(error) == f"probes[0].path: {bucket}/t.parquet cannot be opened: no such file"
    error = refused(files(f"{bucket}/lost.png"), base=folder)
    assert str(error) == f"{bucket}/lost.png cannot be opened: no such file"


def test_a_table_elsewhere_names_no_path_of_this_machine(folder: Path, bucket: str) -> None:
    fsspec.filesystem("memory").pipe_file(f"{bucket.removeprefix('memory:/')}/bad.csv", b"image\n/etc/cat.png\n")
    error = refused(CsvProbes(kind="csv", path=f"{bucket}/bad.csv"), base=folder)
    assert str(error) == f"probes[0].path: {bucket}/bad.csv:2: '/etc/cat.png' is a path of one machine"


@pytest.mark.parametrize("way", ["password", "signature"])
def test_credentials_open_files_and_are_told_to_nobody(folder: Path, server: str, way: str) -> None:
    address = f"http://{USER}:{SECRET}@{server}" if way == "password" else f"http://{server}"
    query = f"?{SIGNED}&Expires=9" if way == "signature" else ""
    there = collect([files(f"{address}/val/c/0.png{query}", masks=f"{address}/masks/{{stem}}.png{query}")], folder)
    same(there, collect([files("val/c/0.png", masks="masks/{stem}.png")], folder))
    told = repr(there.facts) + repr(there.names)
    assert not any(secret in told for secret in (USER, SECRET, SIGNED))
    assert there.facts[0].origin == f"http://{server}/val/c/0.png"
    assert there.facts[0].media_type == "image/png"


def test_a_web_folder_is_listed_where_its_server_does(folder: Path, server: str) -> None:
    there = collect([files(f"http://{USER}:{SECRET}@{server}/val/*/*.png", group="{parent}")], folder)
    same(there, collect([files("val/*/*.png", group="{parent}")], folder))
    table = CsvProbes(kind="csv", path=f"http://{USER}:{SECRET}@{server}/val/t.csv", mask="mask")
    same(collect([table], folder), collect([CsvProbes(kind="csv", path="val/t.csv", mask="mask")], folder))


def test_a_server_that_refuses_is_told_without_credentials(folder: Path, server: str) -> None:
    wrong = f"http://{USER}:wrong@{server}/val/c/0.png"
    assert f"http://{server}/val/c/0.png cannot be read: 401" in str(refused(files(wrong), base=folder))
    closed = f"http://{USER}:{SECRET}@127.0.0.1:1/0.png?{SIGNED}"
    assert "http://127.0.0.1:1/0.png cannot be read: " in str(refused(files(closed), base=folder))
    made = collect([files("val/c/0.png"), files(closed, on_error="skip")], folder)
    assert not any(secret in made.notes[0] for secret in (USER, SECRET, SIGNED))


def test_addresses_that_differ_only_in_their_signature_are_one_image(folder: Path, server: str) -> None:
    one = f"http://{server}/val/c/0.png?{SIGNED}"
    error = refused(files(one), files(f"{one}&again=1"), base=folder)
    assert f"http://{server}/val/c/0.png is listed already" in str(error)


def test_the_resolved_config_and_the_command_hold_no_credentials(folder: Path) -> None:
    address = f"https://{USER}:{SECRET}@host/val/0.png?{SIGNED}"
    text = (
        "name: n\nmodel: {kind: keras, path: m}\nprobes:\n"
        f'  - {{kind: files, images: ["{address}"], masks: "https://{USER}@host/{{{{stem}}}}.png?{SIGNED}"}}\n'
        f'  - {{kind: csv, path: "{address}"}}\n'
    )
    overrides = [
        f"probes[1].path={address}",
        f"probes[0].images=[{address}]",
        f"probes[0].masks=https://{USER}@host/{{stem}}.png?{SIGNED}",
    ]
    settings = config.load(write(folder, text), overrides)
    told = f"{settings.resolved()} {recording.command(settings)}"
    assert "https://host/val/0.png" in told
    assert not any(secret in told for secret in (USER, SECRET, SIGNED))
    assert settings.probes[1].path == address


@pytest.mark.parametrize(("kind", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_missing_package_is_one_line_with_the_command(
    folder: Path, kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it were not installed, also where somebody's environment has it.
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, kind, raising=False)
    error = refused(files(f"{kind}://bucket/*.png"), base=folder)
    assert str(error) == f"probes[0].images: {kind}://bucket/*.png takes a package that is not installed"
    assert error.fix == f"pip install {package}"


def test_an_unknown_scheme_is_met_with_the_nearest(folder: Path) -> None:
    error = refused(files("memry://a/b.png"), base=folder)
    assert "memry://a/b.png begins with memry://, of which nothing is known" in str(error)
    assert "memory" in error.fix


def test_a_chain_of_addresses_is_refused(folder: Path) -> None:
    section = {"kind": "files", "images": "simplecache::s3://bucket/a.png"}
    with pytest.raises(ConfigError, match="expected one address, found several, chained by ::"):
        config.from_dict({"name": "n", "model": {"kind": "keras", "path": "m"}, "probes": [section]}, folder)


def test_a_file_address_is_a_path(folder: Path) -> None:
    made = collect([files((folder / "val/c/0.png").as_uri())], folder)
    assert made.facts[0].origin == "val/c/0.png"
    address = folder.as_uri()
    globs = collect([files(f"{address}/val/*/[01].p?g", masks=f"{address}/masks/{{stem}}.png")], folder)
    assert [(fact.origin, fact.mask_origin) for fact in globs.facts] == [
        ("val/c/0.png", "masks/0.png"),
        ("val/d/1.png", "masks/1.png"),
    ]
    save(folder / "a #1?.png")
    assert collect([files((folder / "a #1?.png").as_uri())], folder).facts[0].origin == "a #1?.png"
    elsewhere = folder / "elsewhere"
    assert collect([files(f"{address}/val/c/*.png")], elsewhere).facts[0].origin == ".../c/0.png"
    assert f"there is no folder {folder}/vla" in str(refused(files(f"{address}/vla/*.png"), base=folder))


@pytest.mark.parametrize("address", ["http://", "s3:///", "file://"])
def test_an_address_of_nothing_is_told(folder: Path, address: str) -> None:
    section = {"kind": "files", "images": address}
    with pytest.raises(ConfigError, match=rf"'{address}' names no file; write all of the address, such as https://"):
        config.from_dict({"name": "n", "model": {"kind": "keras", "path": "m"}, "probes": [section]}, folder)


def test_an_address_in_a_table_that_cannot_be_asked_for_is_named(folder: Path) -> None:
    (folder / "t.csv").write_text("image\nmemry://a/b.png\n")
    error = refused(CsvProbes(kind="csv", path="t.csv"), base=folder)
    assert str(error) == "probes[0].path: t.csv: memry://a/b.png begins with memry://, of which nothing is known"
    error = refused(files("val/c/0.png", masks="memry://{stem}.png"), base=folder)
    assert str(error) == "probes[0].masks: memry://0.png begins with memry://, of which nothing is known"
    (folder / "t.csv").write_text("image\nhttp://\n")
    error = refused(CsvProbes(kind="csv", path="t.csv"), base=folder)
    assert str(error) == "probes[0].path: t.csv: http:// names no file"


words = st.text("abcXYZ019._~-", min_size=1, max_size=8)


@given(st.sampled_from(["https", "http", "s3", "gs", "sftp"]), words, words, words, words)
def test_an_address_is_told_without_user_password_and_query(
    kind: str, user: str, password: str, host: str, name: str
) -> None:
    plain = f"{kind}://{host}/{name}.png"
    assert unsigned(f"{kind}://{user}:{password}@{host}/{name}.png?token={password}") == plain
    assert unsigned(f"{kind}://{user}@{host}/{name}.png") == plain
    assert unsigned(plain) == plain
    assert unsigned_all(f"401 for url='{kind}://{user}:{password}@{host}/{name}.png?a=b'") == f"401 for url='{plain}'"


def test_what_is_no_credential_stays() -> None:
    for address in ("s3://bucket/img?.png", "abfss://container@account.dfs.core.windows.net/a.png", "C://a@b/c"):
        assert unsigned(address) == address
    assert [scheme(text) for text in ("C:/a", "a/b", "file:///a", "S3://b")] == ["", "", "", "s3"]


def test_a_path_from_a_table_elsewhere_stays_on_its_host() -> None:
    table = File("https://u:p@host/a/b/val.csv?sig=1")
    assert table.beside("c.png").address == "https://u:p@host/a/b/c.png"
    assert table.beside("../c.png").address == "https://u:p@host/a/c.png"
    assert table.beside("../../../../c.png").address == "https://u:p@host/c.png"


def test_reading_is_of_whole_files_in_one_request(folder: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, read = [], remote.read
    monkeypatch.setattr(remote, "read", lambda address: asked.append(address) or read(address))
    collect([files(f"{bucket}/val/c/*.png", masks=f"{bucket}/masks/{{stem}}.png")], folder)
    assert len(asked) == len(set(asked)) == 4
