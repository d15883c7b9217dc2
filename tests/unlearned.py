"""Networks that have learned nothing, and what findings say of a hundred of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import pandas as pd
from planted import Pictures, Planted
from scipy.ndimage import gaussian_filter
from to_read import blobs

from fmreport.analysis import Evidence, load
from fmreport.analysis.finding import CONSISTENT, SUPPORTED, Tables
from fmreport.analysis.findings import findings
from fmreport.analysis.progression import controls
from fmreport.extract import Extraction
from fmreport.inventory import inventory_table, layers_table
from fmreport.measures.summary import summarise
from fmreport.probes import Preprocess
from fmreport.probes.scenes import Scenes
from fmreport.records import IMAGE
from fmreport.sources import Identity, TappableModel
from fmreport.sources.keras_model import KerasModel

SIDE, IMAGES, NETWORKS, RANDOMISED, SETS = 24, 12, 100, 3, 4
GRIDS = ((24, 24, 6), (24, 24, 6), (12, 12, 12), (12, 12, 12), (6, 6, 12), (6, 6, 12), (12, 12, 6), (24, 24, 2))
POSITIVE = (SUPPORTED, CONSISTENT)
READ = ("progression", "readability", "selectivity", "dimension", "redundancy")
"""Tables that findings are made from."""
Network = Callable[[np.random.Generator], None]


def pictures(seed: int) -> Pictures:
    """Coloured blobs, and as masks other blobs."""
    rng = np.random.default_rng(seed)
    images = np.stack([blobs(rng, IMAGES, SIDE, SIDE) for _ in range(3)], axis=-1) * 150 + rng.uniform(0, 100, 3)
    images[:, 0, 0, 0] = np.arange(IMAGES)
    return Pictures(images.astype(np.float32), list(blobs(rng, IMAGES, SIDE, SIDE).astype(np.uint8)))


def of_noise() -> tuple[Planted, Network]:
    """Maps that have nothing to do with the images, some smooth and some rectified."""
    model = Planted({f"noise{i}": np.zeros((IMAGES, *shape), np.float32) for i, shape in enumerate(GRIDS)}, graph=True)

    def drawn(rng: np.random.Generator) -> None:
        for i, variable in enumerate(model.held.values()):
            maps = gaussian_filter(rng.normal(size=variable.shape), (0, i % 3, i % 3, 0))
            variable.assign(np.maximum(maps, 0) if i % 2 else maps)

    return model, drawn


def of_random_weights() -> tuple[KerasModel, Network]:
    """Convolutions with rectifiers, down to a quarter and up again."""
    x = image = keras.Input((SIDE, SIDE, 3))
    for i, (stride, channels) in enumerate([(1, 8), (1, 8), (2, 16), (1, 16), (2, 16), (1, 16)]):
        x = keras.layers.Conv2D(channels, 3, stride, padding="same", activation="relu", name=f"conv{i}")(x)
    for i in (6, 7):
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name=f"conv{i}")(
            keras.layers.UpSampling2D()(x)
        )
    model = keras.Model(image, x)

    def drawn(rng: np.random.Generator) -> None:
        model.set_weights([rng.normal(size=w.shape) * np.sqrt(2 / max(w[..., 0].size, 9)) for w in model.get_weights()])

    return KerasModel(model, Identity("keras", "random", "", "keras", 0)), drawn


def found(model: TappableModel, drawn: Network) -> Iterator[dict[str, str]]:
    """The verdicts on 100 networks, by subject; randomised models are the networks before each."""
    inventory, every = model.inventory((SIDE, SIDE))
    taps = tuple(tap for tap in every if "sampling" not in tap.name)
    layers, listed = layers_table(taps, (SIDE, SIDE)), inventory_table(inventory)
    for number in range(SETS):
        shown, preprocess = pictures(number), Preprocess((SIDE, SIDE))
        scenes = Scenes(shown, preprocess)  # type: ignore[arg-type]
        extraction = Extraction(model, taps, shown, preprocess, IMAGES, scenes)  # type: ignore[arg-type]
        others: list[pd.DataFrame] = []
        for network in range(RANDOMISED + NETWORKS // SETS):
            drawn(np.random.default_rng((number, network)))
            tables = extraction.measure([])
            names, sizes = (IMAGE, *layers["tap"]), np.ones(IMAGES, np.int64)
            evidence = Evidence(names, tables.grouped, sizes, IMAGES, scenes.planes[1:], network)
            summary = summarise(layers["tap"], tables.rows.read, tables.channels, tables.histograms)
            if network >= RANDOMISED:
                made = {name: analysis.table(evidence) for name, analysis in load().items() if name in READ}
                control = pd.concat([each.assign(seed=i) for i, each in enumerate(others[-RANDOMISED:])])
                given = Tables(layers, listed, summary, tables.channels, made, control, network)
                yield {each.subject: each.verdict for each in findings(given)}
            others.append(controls([(evidence, summary)]))
