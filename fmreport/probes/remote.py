"""Files that lie elsewhere, behind whatever address fsspec knows: `s3://`, `gs://`, `https://`, `memory://`, ..."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fmreport.config.addresses import WEB, scheme, unsigned_all
from fmreport.errors import ProbeError, nearest

_PACKAGES = {
    "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs", "gcs": "gcsfs", "gs": "gcsfs", "http": "aiohttp",
    "https": "aiohttp", "s3": "s3fs", "s3a": "s3fs",
}  # fmt: skip
"""What a scheme needs beside fsspec."""
_MAGIC = re.compile(r"[*?\[]")
_WEB_MAGIC = re.compile(r"[*\[]")


def read(address: str) -> io.BytesIO:
    """All bytes of the file at an address, in memory. Raises `FileNotFoundError`, or `ProbeError` with no address."""
    with _told():
        system, path = _system(address)
        return io.BytesIO(system.cat_file(path))


def exists(address: str) -> bool:
    """Whether there is a file; False too where a web server does not answer."""
    with _told():
        system, path = _system(address)
        return bool(system.isfile(path))


def matching(pattern: str) -> list[str]:
    """The addresses of the files that a glob matches, sorted; hidden ones are left out, as on this machine.

    An address without a glob is taken as it stands.
    """
    magic = (_WEB_MAGIC if scheme(pattern) in WEB else _MAGIC).search(pattern)
    if magic is None:
        return [pattern]
    with _told():
        system, path = _system(pattern)
        found = system.glob(path, detail=True)
    # What stands before the path in an address: scheme, and for some systems the host.
    head = pattern.removesuffix(path) if pattern.endswith(path) else f"{scheme(pattern)}://"
    fixed = len(path[: path.index(magic[0])].rpartition("/")[0])
    files = [name for name, told in found.items() if told.get("type") != "directory" and "/." not in name[fixed:]]
    return [head + name for name in sorted(files, key=lambda name: name.split("/"))]


def _system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    import fsspec
    from fsspec.core import url_to_fs

    kind = scheme(address)
    if not address.partition("://")[2].strip("/"):
        raise ProbeError("names no file", fix="write all of the address, such as https://host/cat.jpg")
    try:
        system, path = url_to_fs(address)
    except ImportError as error:
        package = _PACKAGES.get(kind)
        fix = f"pip install {package}" if package else unsigned_all(str(error))
        raise ProbeError("takes a package that is not installed", fix=fix) from None
    except ValueError:
        if kind in fsspec.available_protocols():
            raise
        near = nearest(kind, fsspec.available_protocols(), most=3)
        raise ProbeError(f"begins with {kind}://, of which nothing is known", fix=near) from None
    return system, str(path)


@contextmanager
def _told() -> Iterator[None]:
    """Turns what file systems raise into what can be told: their own messages hold addresses, with all credentials."""
    try:
        yield
    except ProbeError:
        raise
    except FileNotFoundError:
        raise FileNotFoundError("no such file") from None
    except Exception as error:  # noqa: BLE001
        # Every file system has exceptions of its own: botocore's, aiohttp's, Google's, ...
        reason = unsigned_all(str(error).strip()) or type(error).__name__
        raise ProbeError(f"cannot be read: {reason}", fix="check the address and what it takes to read it") from None
