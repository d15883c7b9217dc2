"""Where the bytes of a picture lie: in a file here, in one elsewhere, or in a record of a data set."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.request import url2pathname

from fmreport.config.addresses import WEB, scheme, unsigned
from fmreport.config.base import FILE
from fmreport.errors import ProbeError
from fmreport.media_types import media_type
from fmreport.probes import remote
from fmreport.probes.pool import ordered

Opened = io.BufferedReader | io.BytesIO
THREADS = 16
"""Files elsewhere that are asked for at once: each takes a journey, and no processor."""

FOLDER, SPECIAL = "a folder", "no regular file"
INSTEAD = {FOLDER: "name a file in it", SPECIAL: "name a file; a pipe or a device holds no image"}
"""What may stand where a file should, and the next step."""


class Place(Protocol):
    """Where the bytes of a picture or a table lie."""

    @property
    def path(self) -> str:
        """What tells it from others, with forward slashes; names are made of its end."""

    @property
    def media_type(self) -> str:
        """What its bytes are, as far as the place tells."""

    def open(self) -> Opened:
        """Its bytes, from the first. Raises `OSError`, or `ProbeError` that does not name it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file on this machine, or wherever fsspec leads."""

    address: str
    """An absolute path, or an address such as `s3://bucket/cat.jpg`, with its credentials."""

    @property
    def here(self) -> bool:
        """Whether it lies on this machine."""
        return not scheme(self.address)

    @property
    def path(self) -> str:
        """The path or address with forward slashes, without credentials."""
        return self.address.replace(os.sep, "/") if self.here else unsigned(self.address)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return split(self.name)[0]

    @property
    def media_type(self) -> str:
        """By the end of the name."""
        return media_type(self.name)

    def open(self) -> Opened:
        """The opened file; one from elsewhere is in memory as a whole."""
        if not self.here:
            return remote.read(self.address)
        if kind := self.instead():
            raise ProbeError(f"is {kind}", fix=INSTEAD[kind])
        return Path(self.address).open("rb")

    def exists(self) -> bool:
        """Whether there is such a file."""
        return os.path.isfile(self.address) if self.here else remote.exists(self.address)  # noqa: PTH113

    def instead(self) -> str:
        """What stands in its place and is no file, a key of `INSTEAD`; empty where nothing does, and elsewhere."""
        if not self.here or os.path.isfile(self.address) or not os.path.exists(self.address):  # noqa: PTH110, PTH113
            return ""
        return FOLDER if os.path.isdir(self.address) else SPECIAL  # noqa: PTH112

    def beside(self, text: str) -> File:
        """The file that `text` means in this one's folder: an address or an absolute path, or one from there.

        Raises `ProbeError` where a file from elsewhere names an absolute path, which would be of this machine.
        """
        if self.here or scheme(text):
            return placed(text, os.path.dirname(self.address))  # noqa: PTH120
        if text.startswith(("/", "\\", FILE)):
            raise ProbeError(f"{text!r} is a path of one machine", fix="write it from the table's own folder")
        whole = self.address
        if scheme(whole) in WEB:
            # A signature is for one file only.
            whole = whole.partition("?")[0].partition("#")[0]
        root, _, way = whole.partition("://")
        host, *parts = way.split("/")[:-1]
        for part in text.split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        return File(f"{root}://{'/'.join([host, *parts])}")


def placed(text: str, base: Path | str) -> File:
    """The file that a text of the config means; paths count from `base`."""
    text = unaddressed(text)
    # A Path takes ten times as long, and a table may name very many.
    return File(text) if scheme(text) else File(absolute(os.path.join(base, text)))  # noqa: PTH118


def unaddressed(text: str) -> str:
    """The path that a `file://` address means; any other text as it stands."""
    if not text.startswith(FILE):
        return text
    # Behind the host, which may be left out; ? and # have no meaning of their own here, but in a glob they may.
    _, slash, path = text.removeprefix(FILE).partition("/")
    return url2pathname(slash + path)


def absolute(path: Path | str) -> str:
    """The path from the root, without `..`."""
    # Not resolved: a link is named as the user named it.
    return os.path.abspath(path)  # noqa: PTH100


def split(name: str) -> tuple[str, str]:
    """(`cat`, `.jpg`) of `cat.jpg`, as `Path` has stem and suffix."""
    dot = name.rfind(".")
    return (name[:dot], name[dot:]) if 0 < dot < len(name) - 1 else (name, "")


def digest(handle: Opened) -> tuple[str, int]:
    """SHA-256 and number of all bytes of an open file."""
    handle.seek(0)
    made = hashlib.file_digest(handle, "sha256").hexdigest()
    return made, handle.seek(0, os.SEEK_END)


def missing(files: Iterable[File]) -> list[File]:
    """Those that do not exist, in their order. A `ProbeError` names one of which it cannot be told."""
    each = list(files)
    far = iter(ordered(_exists, (file for file in each if not file.here), threads=THREADS, ahead=4 * THREADS))
    return [file for file in each if not (file.exists() if file.here else next(far))]


def _exists(file: File) -> bool:
    try:
        return file.exists()
    except ProbeError as error:
        raise ProbeError(f"{file.path} {error}", fix=error.fix) from error
