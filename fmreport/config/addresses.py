"""Addresses of files that lie elsewhere, such as `s3://bucket/cat.jpg`, and what of them may be told."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>]*?(?=[\])},]*(?:[\s'\"<>]|$))")
_ACCOUNTS = ("abfs", "abfss", "wasb", "wasbs")
"""Schemes in which a container, and no person, stands before the @."""
WEB = ("http", "https")


def scheme(text: str) -> str:
    """`s3` of `s3://bucket/cat.jpg`; empty for a path. `file` is none either: such addresses are paths."""
    found = _ADDRESS.match(text)
    name = found[0].removesuffix("://").lower() if found else ""
    return "" if name == "file" else name


def unsigned(address: str) -> str:
    """The address without what lets someone in: `user:password@`, and a query that holds a signature or a token."""
    kind = scheme(address)
    if not kind:
        return address
    host, slash, path = address.partition("://")[2].partition("/")
    person, at, server = host.rpartition("@")
    if at and (kind not in _ACCOUNTS or ":" in person):
        host = server
    rest = f"{host}{slash}{path}"
    # Elsewhere a ? may be part of a glob or of a name; a = tells a query from these.
    rest = re.sub(r"[?#].*" if kind in WEB else r"\?[^?]*=.*", "", rest)
    return f"{kind}://{rest}"


def unsigned_all(text: str) -> str:
    """A text, such as a library's message, in which no address tells what lets someone in."""
    return _WHOLE.sub(lambda found: unsigned(found[0]), text)
