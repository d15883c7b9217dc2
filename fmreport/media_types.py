"""What a file is by its name: the same on every machine, whose own lists of media types differ."""

from __future__ import annotations

from pathlib import PurePosixPath

MEDIA_TYPES = {
    ".css": "text/css",
    ".csv": "text/csv",
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".keras": "application/zip",
    ".md": "text/markdown",
    ".npz": "application/zip",
    ".otf": "font/otf",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
UNKNOWN = "application/octet-stream"
FOLDER = "inode/directory"
"""All files of a folder together."""


def media_type(path: str) -> str:
    """The media type of a file by the end of its name; of a template, that of what it makes."""
    name = PurePosixPath(path)
    suffix = PurePosixPath(name.stem).suffix if name.suffix == ".j2" else name.suffix
    return MEDIA_TYPES.get(suffix.lower(), UNKNOWN)
