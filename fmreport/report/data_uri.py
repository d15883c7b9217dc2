"""Files as addresses that hold them: a page loads nothing."""

from __future__ import annotations

import base64

KINDS = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".woff2": "font/woff2",
}
"""What a file of a theme is, by its suffix."""


def data_uri(kind: str, data: bytes) -> str:
    """The bytes as a `data:` address of a kind such as `image/png`."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
