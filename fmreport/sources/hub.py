"""`kind: hub`: a model of TensorFlow Hub, downloaded once and from then on read from its cache."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from fmreport.config import Config, HubSection
from fmreport.config.base import portable
from fmreport.errors import SourceError
from fmreport.sources import Identity, TappableModel
from fmreport.sources.architecture import summary
from fmreport.sources.files import bytes_of, checked_hash, hub_folder, is_address, where
from fmreport.sources.savedmodel import opened


def open_model(config: Config, advance: Callable[[int, int], None] | None = None) -> TappableModel:
    """Opens the SavedModel that the handle names; `advance` follows the download, in megabytes."""
    section = config.model
    assert isinstance(section, HubSection)
    folder, digest = resolve(config, section, advance)
    identity = Identity("hub", portable(section.handle, config.folder), digest, "", 0, bytes_of(folder))
    setting = _setting(config, section)
    if not is_address(section.handle):
        return opened(config, section, folder, identity, setting)
    model: TappableModel = opened(config, section, folder, identity, setting, restore=_again(folder))
    model.notes = (*model.notes, f"From TensorFlow Hub: {section.handle} was read from {folder.name} in its cache")
    return model


def _again(folder: Path) -> str:
    return f"delete {folder} to download it again"


def resolve(config: Config, section: HubSection, advance: Callable[[int, int], None] | None = None) -> tuple[Path, str]:
    """The folder that the handle names, downloaded where it is not in the cache, and its SHA-256.

    The hash is that of the folder as it was published: TensorFlow Hub keeps its own notes beside it.
    """
    local = hub_folder(config, section)
    if local is not None:
        return local
    download = _downloader(_setting(config, section))
    folder: Path = download.fetch(section.handle, _setting(config, section), section.timeout, advance)
    return folder, checked_hash(config, "handle", folder, section.sha256, restore=_again(folder))


def _setting(config: Config, section: HubSection) -> str:
    return f"{where(config, 'handle')}: {section.handle}"


def _downloader(setting: str) -> Any:
    """The module that downloads; it imports tensorflow_hub, which prints and warns where it finds something amiss."""
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return import_module("fmreport.sources.download")
    except ImportError as error:
        packages = {"pkg_resources": "'setuptools<81'", "tf_keras": "tf-keras", "tensorflow_hub": "tensorflow-hub"}
        missing = str(error.name).partition(".")[0]
        raise SourceError(
            f"{setting} needs tensorflow_hub, which cannot be imported: {summary(error)}",
            fix=f"pip install {packages.get(missing, 'tensorflow-hub')}",
        ) from error
