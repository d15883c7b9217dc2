"""A download by TensorFlow Hub's own resolver, with what that lacks: a time limit, progress and clear errors."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import tensorflow as tf
from tensorflow_hub.compressed_module_resolver import HttpCompressedFileResolver
from tensorflow_hub.resolver import tfhub_cache_dir

from fmreport.errors import SourceError
from fmreport.sources.architecture import summary

Advance = Callable[[int, int], None]

BY_HAND = "download it in a browser, unpack it, and give the folder as the handle"
TRY_AGAIN = f"try again, or {BY_HAND}"
OTHER_CACHE = "set the environment variable TFHUB_CACHE_DIR to a folder of this machine that can be written"
OFFLINE = (
    "check the network and the address; offline, a model is read from the folder TFHUB_CACHE_DIR where it was "
    "downloaded before, or from a folder that is given as the handle"
)
REFUSED = ("Relative path", "Unexpected object type")
"""How tensorflow_hub begins where an archive would write outside its own folder."""
POLL = 0.1
"""Seconds between two looks at another process's download."""


def fetch(handle: str, setting: str, timeout: int, advance: Advance | None) -> Path:
    """The folder of an address in the cache, downloaded where it is not there yet.

    Raises `SourceError`, whose message begins with `setting`, and leaves nothing half-done in the cache.
    """
    cache = _cache(setting)
    bare = handle.rstrip("/")
    for spelled in (handle, bare, f"{bare}/"):  # each has a folder of its own
        if (folder := cache / _name(spelled)).is_dir() and any(folder.iterdir()):
            if not (folder / "saved_model.pb").is_file():
                raise SourceError(f"{setting}: {folder} in the cache holds no saved_model.pb", fix=f"delete {folder}")
            return folder
    _check_writable(cache, setting)
    _wait_for_others(cache / _name(handle), setting, timeout)
    with ExitStack() as opened:
        resolver = Resolver(timeout, advance, opened)
        try:
            folder = Path(resolver(handle))
        except Exception as error:
            what, fix = _explained(error, resolver)
            raise SourceError(f"{setting} cannot be downloaded: {what}", fix=fix) from error
    if not (folder / "saved_model.pb").is_file():
        inside = sorted(path.parent.name for path in folder.glob("*/saved_model.pb"))
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(f"{folder.name}.descriptor.txt").unlink(missing_ok=True)
        if inside:
            raise SourceError(
                f"{setting}: the archive holds saved_model.pb in a folder of its own, {inside[0]}/, not at its top",
                fix=f"pack it anew from inside that folder (tar czf model.tar.gz -C {inside[0]} .), or {BY_HAND}",
            )
        raise SourceError(
            f"{setting}: the archive that was downloaded holds no saved_model.pb",
            fix="check that the address is that of a TensorFlow model, not of one for TF Lite or TF.js",
        )
    return folder


class Resolver(HttpCompressedFileResolver):  # type: ignore[misc]  # tensorflow_hub has no types
    """TensorFlow Hub's own resolver, through the two methods that it leaves to be replaced."""

    def __init__(self, timeout: int, advance: Advance | None, opened: ExitStack) -> None:
        """`opened` closes what the resolver leaves open."""
        super().__init__()
        self.timeout, self.advance, self.opened = timeout, advance, opened
        self.sent = "nothing"
        """The type of what the server sent."""

    def _call_urlopen(self, request: Any) -> Body:
        response = self.opened.enter_context(urlopen(request, context=self._context, timeout=self.timeout))
        self.sent = response.headers.get_content_type()
        return Body(response, self.advance)

    def _lock_file_timeout_sec(self) -> int:
        return self.timeout


class Body:
    """What a server sends, counted while it is read."""

    def __init__(self, response: Any, advance: Advance | None) -> None:
        self.response, self.advance = response, advance
        self.done, self.total = 0, response.length

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end; raises `IncompleteRead` where bytes are missing there."""
        data: bytes = self.response.read(size)
        self.done += len(data)
        if self.total is not None:
            # The archive alone would not tell: cut between two files, it is whole.
            if len(data) < size and self.done < self.total:
                raise IncompleteRead(b"", self.total - self.done)
            if self.advance:
                self.advance(_megabytes(self.done), _megabytes(self.total))
        return data


def _megabytes(size: int) -> int:
    return -(-size // 10**6)


def _name(handle: str) -> str:
    """The folder of a handle in the cache."""
    return hashlib.sha1(handle.encode("utf-8"), usedforsecurity=False).hexdigest()


def _cache(setting: str) -> Path:
    text = str(tfhub_cache_dir(use_temp=True))
    if "://" in text:
        raise SourceError(f"{setting}: TFHUB_CACHE_DIR is {text}, which is no folder", fix=OTHER_CACHE)
    return Path(text)


def _check_writable(cache: Path, setting: str) -> None:
    """Raises where the cache takes no file: tensorflow_hub would try for ever."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            pass
    except OSError as error:
        raise SourceError(
            f"{setting}: the cache folder {cache} cannot be written: {error.strerror or summary(error)}",
            fix=OTHER_CACHE,
        ) from error


def _wait_for_others(folder: Path, setting: str, timeout: int) -> None:
    """Waits while another process downloads the same; raises once it has written nothing for `timeout` seconds."""
    lock = folder.with_name(f"{folder.name}.lock")
    size, since = -1, time.monotonic()
    while lock.exists():
        if _is_abandoned(lock):
            raise SourceError(f"{setting}: a process that has ended left it locked", fix=f"delete {lock}")
        if (now := _size(folder)) != size:
            size, since = now, time.monotonic()
        if time.monotonic() - since > timeout:
            raise SourceError(
                f"{setting}: another process has it locked, and has downloaded nothing for {timeout} s",
                fix=f"if none is downloading it, delete {lock}",
            )
        time.sleep(POLL)


def _is_abandoned(lock: Path) -> bool:
    """Whether the process that made a lock, `host.process.task`, was one of this machine and is no more."""
    try:
        host, process, _ = lock.read_text(encoding="utf-8").rsplit(".", 2)
        if host != socket.gethostname():
            return False
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):  # gone meanwhile, another user's, or no lock of tensorflow_hub
        return False
    return False


def _size(folder: Path) -> int:
    """Bytes that are downloaded for a folder so far."""
    total = 0
    for path in folder.parent.glob(f"{folder.name}.*.tmp/**/*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # moved to its place meanwhile
            continue
    return total


def _explained(error: Exception, resolver: Resolver) -> tuple[str, str]:
    """What went wrong, and what to do next."""
    if isinstance(error, HTTPError):
        return _answer(error)
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return f"no answer for {resolver.timeout} s", "try again, or write a longer model.timeout"
    if isinstance(error, tf.errors.NotFoundError):
        return "the archive holds a file without its folder, which tensorflow_hub does not take", BY_HAND
    if isinstance(error, tf.errors.OpError):
        reason = summary(error).rpartition("; ")[2]  # a path inside the cache stands before it
        return f"the cache {tfhub_cache_dir(use_temp=True)} cannot be written: {reason}", f"make room, or {OTHER_CACHE}"
    if isinstance(error, ValueError) and str(error).startswith(REFUSED):
        return f"the archive holds links or paths that lead out of it: {summary(error)}", "use another source of it"
    if isinstance(error, OSError) and "valid module" in str(error):
        return f"what was sent ({resolver.sent}) is no whole tar archive", f"check the address, or {BY_HAND}"
    return _connection(error)


def _connection(error: Exception) -> tuple[str, str]:
    if isinstance(error, socket.gaierror):
        return f"there is no network, or no such host: {error.strerror}", OFFLINE
    if isinstance(error, ssl.SSLError):
        return f"the connection is not secure: {summary(error)}", "check this machine's certificates and its clock"
    if isinstance(error, IncompleteRead):
        return f"the connection broke off before its end, {error.expected or 'unknown'} bytes early", TRY_AGAIN
    if isinstance(error, HTTPException | ConnectionResetError | BrokenPipeError):
        return f"the connection broke off: {type(error).__name__}", TRY_AGAIN
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or f"{type(error).__name__}: {summary(error)}", OFFLINE


def _answer(error: HTTPError) -> tuple[str, str]:
    what = f"the server answers {error.code} {error.reason}"
    if error.code in (404, 410):
        return what, "check the address; at its end stands a version, as in https://tfhub.dev/google/bit/m-r50x1/1"
    return what, BY_HAND if error.code in (401, 403) else f"try again later, or {BY_HAND}"
