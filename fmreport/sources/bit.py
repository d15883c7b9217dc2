"""`kind: bit`: a Big Transfer model, built here and given the published weights."""

from __future__ import annotations

from pathlib import Path

import keras

from fmreport.config import BitSection, Config
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.files import bytes_of, weights_file, where
from fmreport.sources.keras_listing import variables
from fmreport.sources.keras_model import KerasModel
from fmreport.sources.listing import entries
from fmreport.zoo.bit import bit
from fmreport.zoo.bit_weights import head_classes, load_npz


def open_model(config: Config) -> KerasModel:
    """Builds the variant for `preprocess.size`, with the file's weights or with random ones that `seed` settles."""
    section, size = config.model, config.preprocess.size
    assert isinstance(section, BitSection)
    if size is None:
        raise SourceError(
            f"{config.where('preprocess', 'size')}: preprocess.size: BiT takes images of any size, and the config "
            "names none",
            fix="write preprocess: {size: [480, 480]}, as published for photographs, or [128, 128] for small images",
        )
    if section.weights is None:
        model, digest, weighs = bit(section.variant, classes=section.classes, size=size, seed=config.seed), "", 0
    else:
        path, digest = weights_file(config, section.weights, section.sha256)
        model, weighs = _loaded(config, section, path, size), bytes_of(path)
    framework = f"keras {keras.__version__}"
    identity = Identity("bit", section.variant, digest, framework, entries(variables(model)), weighs)
    return KerasModel(model, identity)


def _loaded(config: Config, section: BitSection, path: Path, size: tuple[int, int]) -> keras.Model:
    """The variant with the weights of a file, and with its head where it has one."""
    setting = f"{where(config, 'weights')}: {section.weights}"
    try:
        classes = head_classes(path)
        if section.classes not in (None, classes):
            raise SourceError(
                f"{setting} has {f'a head of {classes} classes' if classes else 'no head'}, model.classes says "
                f"{section.classes}",
                fix="leave model.classes out, or name the file with that head",
            )
        model = bit(section.variant, classes=classes, size=size)
        load_npz(model, path)
    except ValueError as error:
        raise SourceError(
            f"{setting} cannot be given to {section.variant}: {error}",
            fix="give the published .npz file of this variant, or name the file's own under model.variant",
        ) from error
    return model
