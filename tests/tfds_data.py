"""A small data set that TensorFlow Datasets' own writer has prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from probe_files import photograph

tfds = pytest.importorskip("tensorflow_datasets", reason="needs the extra fmreport[tfds]")

NAME = "pictures"
COUNT = 12
LOWEST = 100
"""Height of the first picture; each has one row more than the one before."""


def picture(number: int) -> np.ndarray:
    """What record `number`, in the order in which they were written, shows."""
    return photograph(LOWEST + number, 200, seed=number)


def mask(number: int) -> np.ndarray:
    """Its mask, `(H, W, 1)`: 1 inside, 2 outside."""
    made = np.full((LOWEST + number, 200, 1), 2, np.uint8)
    made[5:15, 5:20] = 1
    return made


class Pictures(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc,name-defined]
    """Pictures with masks, classes and what real data sets hold besides."""

    VERSION = tfds.core.Version("1.2.0")
    name = NAME

    def _info(self) -> Any:
        of = tfds.features
        return tfds.core.DatasetInfo(
            builder=self,
            features=of.FeaturesDict(
                {
                    "image": of.Image(shape=(None, None, 3), encoding_format="png"),
                    "segmentation_mask": of.Image(shape=(None, None, 1), dtype=np.uint8, encoding_format="png"),
                    "label": of.ClassLabel(names=["cat", "dog", "01"]),
                    "file_name": of.Text(),
                    "depth": of.Image(shape=(None, None, 1), dtype=np.float32),
                    "objects": of.Sequence({"box": of.BBoxFeature(), "kind": of.Text()}),
                    "number": of.Scalar(dtype=np.int64),
                }
            ),
        )

    def _split_generators(self, _manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples(0, 3), "test": self._generate_examples(3, COUNT)}

    def _generate_examples(self, start: int, stop: int) -> Any:
        for number in range(start, stop):
            box = tfds.features.BBox(0.1, 0.1, 0.5, 0.5)
            yield (
                number,
                {
                    "image": picture(number),
                    "segmentation_mask": mask(number),
                    "label": number % 3,
                    "file_name": f"{number}.png",
                    "depth": np.zeros((4, 4, 1), np.float32),
                    "objects": [{"box": box, "kind": "head"}] * (number % 3),
                    "number": number,
                },
            )


def prepared(folder: Path, *, form: str = "array_record", shards: int = 1) -> Path:
    """A folder of data sets that holds it, in so many files for each split."""
    builder = Pictures(data_dir=str(folder), file_format=form)
    settings = tfds.download.DownloadConfig(num_shards=shards)
    builder.download_and_prepare(download_config=settings)
    return folder
