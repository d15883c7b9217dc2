"""Images to what the model takes: size, range, colour order, mean and deviation, all of it said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fmreport.errors import ProbeError
from fmreport.probes.masks import IGNORED
from fmreport.probes.recipes import Recipe, recipe

if TYPE_CHECKING:
    from fmreport.config.sections import PreprocessSection

CHANNELS = {"rgb": 3, "bgr": 3, "grey": 1}
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""

LEVELS = 32
"""Fewer integers than this leave little of a picture."""

_RESIZES = {
    "stretch": "stretched to {size}",
    "crop": "scaled to cover {size} and cropped to its centre",
    "pad": "scaled to fit into {size} and centred on black",
}


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What is done to every image, every value resolved.

    In this order: resize (bilinear with antialiasing, in float32), colour, `lo + x / 255 * (hi - lo)`,
    `(x - mean) / std`. Mean and std are in the order of the output channels, in units of `range`.
    """

    size: tuple[int, int]
    """(height, width) in pixels."""
    resize: str = "stretch"
    """`stretch`; `crop`: scale to cover, cut the centre out; `pad`: scale to fit, centre on black (pixel value 0)."""
    range: tuple[float, float] = (0.0, 255.0)
    """What pixel values 0 and 255 become."""
    colour: str = "rgb"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    like: str = "raw"
    """The recipe that settled what the config left open."""

    def apply(self, image: np.ndarray) -> np.ndarray:
        """`(h, w, C)` float32 of an image `(H, W, 3)` float32 RGB 0-255."""
        values = self.placed(image)
        if self.colour == "grey":
            values = values @ LUMA[:, None]
        elif self.colour == "bgr":
            values = values[..., ::-1]
        low, high = self.range
        values = values.astype(np.float64) * ((high - low) / 255) + low
        if self.mean:
            values -= np.asarray(self.mean)
        if self.std:
            values /= np.asarray(self.std)
        return np.ascontiguousarray(values, dtype=np.float32)

    def placed(self, image: np.ndarray) -> np.ndarray:
        """`(h, w, 3)` float32 RGB 0-255: the image at its size and in its place, and nothing else done to it."""
        return np.stack([self._resized(image[..., channel]) for channel in range(3)], axis=-1)

    def check_integers(self, smallest: float, largest: float) -> None:
        """Raises `ProbeError` where images are not fed to a model that takes integers from `smallest` to `largest`."""
        ends = np.array(self.range)[:, None] - np.asarray(self.mean or (0.0,))
        ends /= np.asarray(self.std or (1.0,))
        low, high = float(ends.min()), float(ends.max())
        if low < smallest or high > largest or high - low < LEVELS - 1:
            raise ProbeError(
                f"the model takes integers from {smallest:.0f} to {largest:.0f}, and images come as {low:g} to "
                f"{high:g}",
                fix="write range: [0, 255], without mean and std, or the range of integers that the model was made for",
            )

    def apply_mask(self, mask: np.ndarray) -> np.ndarray:
        """`(h, w)` uint8 of a mask `(H, W)`: nearest pixel, in the place where `apply` puts the image.

        Padding belongs to no photograph: it is 255, ignored.
        """
        picture = Image.fromarray(np.ascontiguousarray(mask, dtype=np.uint8))
        return np.asarray(self._placed(picture, Image.Resampling.NEAREST, IGNORED))

    def describe(self) -> dict[str, Any]:
        """Ready for JSON: every value, and `sentence` for the reader of the report."""
        return {
            "like": self.like,
            "size": list(self.size),
            "resize": self.resize,
            "interpolation": "bilinear with antialiasing",
            "range": list(self.range),
            "colour": self.colour,
            "mean": list(self.mean),
            "std": list(self.std),
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """What was done to every image, in plain words."""
        height, width = self.size
        resize = _RESIZES[self.resize].format(size=f"{height} × {width} pixels (height × width)")
        colour = {"rgb": "channels are red, green, blue", "bgr": "channels are blue, green, red", "grey": "made grey"}
        low, high = self.range
        values = "values are kept at 0 to 255" if (low, high) == (0, 255) else f"0 to 255 become {low:g} to {high:g}"
        steps = [f"Each image is {resize}, bilinear with antialiasing", colour[self.colour], values]
        if self.mean:
            steps.append(f"{_listed(self.mean)} is subtracted")
        if self.std:
            steps.append(f"what remains is divided by {_listed(self.std)}")
        return "; ".join(steps) + "."

    def _resized(self, plane: np.ndarray) -> np.ndarray:
        picture = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
        return np.asarray(self._placed(picture, Image.Resampling.BILINEAR, 0))

    def _placed(self, picture: Image.Image, how: Image.Resampling, empty: int) -> Image.Image:
        """The picture at the size, by the rule; one resampling at most, none where it has the size."""
        height, width = self.size
        if self.resize == "crop":
            scale = max(width / picture.width, height / picture.height)
            box_width, box_height = min(width / scale, picture.width), min(height / scale, picture.height)
            left, top = (picture.width - box_width) / 2, (picture.height - box_height) / 2
            return picture.resize((width, height), how, box=(left, top, left + box_width, top + box_height))
        if self.resize == "pad":
            scale = min(width / picture.width, height / picture.height)
            inner = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
            sheet = Image.new(picture.mode, (width, height), empty)
            sheet.paste(picture.resize(inner, how), ((width - inner[0]) // 2, (height - inner[1]) // 2))
            return sheet
        return picture.resize((width, height), how)


def resolve(
    section: PreprocessSection,
    *,
    default_like: str | None,
    model_size: tuple[int | None, int | None] | None,
    model_channels: int | None,
) -> Preprocess:
    """The config's section, completed by its recipe (else `default_like`, else `raw`) and by what the model takes.

    `model_size` is (height, width) with None for a free side, or None where the model does not say. Raises `ProbeError`
    for an unknown recipe, a size or a number of channels that the model does not take, and a size that nothing tells.
    """
    like = section.like or default_like or "raw"
    base = recipe(like)
    colour = _colour(section.colour, base, model_channels)
    mean = _per_channel("mean", section.mean, (base.mean, like, base.colour), colour)
    std = _per_channel("std", section.std, (base.std, like, base.colour), colour)
    return Preprocess(
        size=_size(section.size, model_size),
        resize=section.resize or "stretch",
        range=base.range if section.range is None else (float(section.range[0]), float(section.range[1])),
        colour=colour,
        mean=mean,
        std=std,
        like=like,
    )


def _colour(wanted: str | None, base: Recipe, channels: int | None) -> str:
    if wanted is not None:
        if channels is not None and CHANNELS[wanted] != channels:
            raise ProbeError(
                f"preprocess.colour {wanted} makes {CHANNELS[wanted]} channel{'s' if CHANNELS[wanted] > 1 else ''}, "
                f"but the model takes {channels}",
                fix="leave it out, or set grey for one channel, rgb or bgr for three",
            )
        return wanted
    if channels not in (1, 3, None):
        raise ProbeError(
            f"the model takes images of {channels} channels; images here have 3 (rgb, bgr) or 1 (grey)",
            fix="choose a model that takes 1 or 3 channels",
        )
    if channels == 1:
        return "grey"
    return base.colour or "rgb"


def _per_channel(
    name: str, own: Sequence[float] | None, recipes: tuple[tuple[float, ...], str, str | None], colour: str
) -> tuple[float, ...]:
    """The mean or std: the config's own, else the recipe's, in the order of `colour`."""
    count = CHANNELS[colour]
    if own is not None:
        if len(own) not in (0, 1, count):
            raise ProbeError(
                f"preprocess.{name} has {len(own)} values for the {count} channels of colour {colour}",
                fix=f"give {count}, in the order of the output channels, or one for all",
            )
        return tuple(float(value) for value in own)
    values, like, order = recipes
    if len(values) > 1 and colour == "grey":
        raise ProbeError(
            f"the recipe {like!r} has a {name} for each of three colours, but the model takes grey",
            fix=f"give one value: preprocess: {{like: {like}, {name}: [...]}}",
        )
    return values if colour == order else values[::-1]


def _size(wanted: tuple[int, int] | None, model: tuple[int | None, int | None] | None) -> tuple[int, int]:
    model = model or (None, None)
    if wanted is None:
        height, width = model
        if height is None or width is None:
            raise ProbeError(
                "the model takes images of any size, and the config names none",
                fix="preprocess: {size: [224, 224]}",
            )
        return height, width
    if any(own is not None and own != side for own, side in zip(model, wanted, strict=True)):
        takes = " × ".join("any" if own is None else str(own) for own in model)
        raise ProbeError(
            f"preprocess.size is {wanted[0]} × {wanted[1]}, but the model takes {takes} (height × width)",
            fix="leave preprocess.size out, or name the model's own size",
        )
    return int(wanted[0]), int(wanted[1])


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
