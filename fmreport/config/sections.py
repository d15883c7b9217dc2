"""The sections that have one shape: authors, preprocessing, selectors, target, measures, controls, figures, report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from fmreport.config.base import ORCID, AnyDistinct, Distinct, PathText, Positive, Positives, Section, Size, Text

PREDICTED = "predicted"
ALL = "all"
FEWEST = 64
"""Images whose maps are measured, at least: a shard of them."""
PerChannel = Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]


class Author(Section):
    """Who stands behind a run."""

    name: Text = Field(description="the name as it is printed")
    orcid: str | None = Field(default=None, pattern=ORCID, description="ORCID iD, such as 0000-0002-1825-0097")


class PreprocessSection(Section):
    """What is done to an image before the model sees it; None leaves it to `like`, else to the model."""

    like: Text | None = Field(default=None, description="name of a known recipe, such as bit or resnet_v2")
    size: Size | None = Field(default=None, description="[height, width] in pixels, or one number for both")
    resize: Literal["stretch", "crop", "pad"] | None = Field(
        default=None,
        description="how an image comes to that size: stretch, crop (scale and cut) or pad (scale and fill)",
    )
    range: tuple[float, float] | None = Field(
        default=None, description="[low, high]: what pixel values 0 and 255 become"
    )
    colour: Literal["rgb", "bgr", "grey"] | None = Field(
        default=None, description="order of the channels: rgb, bgr or grey"
    )
    mean: PerChannel | None = Field(
        default=None,
        description="subtracted after `range`: one number for all channels, or one for each in the order of `colour`",
    )
    std: PerChannel | None = Field(
        default=None,
        description="divided by after `mean`: one number for all channels, or one for each in the order of `colour`",
    )

    @field_validator("range")
    @classmethod
    def _ascending(cls, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
        if bounds is not None and not bounds[0] < bounds[1]:
            raise ValueError(f"expected [low, high] with low below high, found [{bounds[0]:g}, {bounds[1]:g}]")
        return bounds

    @field_validator("mean", "std")
    @classmethod
    def _one_or_three(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is not None and len(values) == 2:
            raise ValueError("expected 3 values (or 1 for all channels), found 2")
        return values

    @field_validator("std")
    @classmethod
    def _divides(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if any(value <= 0 for value in values or ()):
            raise ValueError("expected numbers above 0: images are divided by them")
        return values


class Selector(Section):
    """Which layers are meant: the keys narrow one another in the order in which they are written.

    `steps` gives that order, `optional` aside, which narrows nothing. Selectors that differ in it are different.
    """

    type: Text | None = Field(default=None, description="glob on the layer's class, such as Conv2D or *Conv*")
    name: Text | None = Field(
        default=None, description="glob on the layer's path: * stays within one level, ** crosses levels"
    )
    before: Text | None = Field(default=None, description="what such a layer reads: pooling, or a glob on its class")
    index: Positives | None = Field(
        default=None, description="one position or a list of them among what is left, from 1"
    )
    every: Positive | None = Field(default=None, description="every n-th of what is left, from the first on")
    optional: bool = Field(default=False, description="true: a model in which nothing matches is no error")

    _steps: tuple[tuple[str, Any], ...] = PrivateAttr(())

    @property
    def steps(self) -> tuple[tuple[str, Any], ...]:
        """(key, value) of the keys that are given, in the written order; `index` is always a tuple."""
        return self._steps

    @field_validator("*")
    @classmethod
    def _said(cls, value: object) -> object:
        if value is None:
            raise ValueError("nothing stands here; give it a value or leave the key out")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _ordered(cls, data: Any, handler: ModelWrapValidatorHandler[Selector]) -> Selector:
        selector = handler(data)
        if isinstance(data, Mapping):
            narrowing = [key for key in cls.model_fields if key != "optional"]
            if not data.keys() & set(narrowing):
                raise ValueError(f"selects nothing; give it at least one of {', '.join(narrowing)}")
            selector._steps = tuple((key, getattr(selector, key)) for key in data if key in narrowing)
        return selector

    @model_serializer
    def _written(self) -> dict[str, Any]:
        written = {key: list(value) if isinstance(value, tuple) else value for key, value in self._steps}
        return {**written, "optional": True} if self.optional else written


def _images(value: object) -> object:
    if value == ALL or (isinstance(value, int) and not isinstance(value, bool) and value >= FEWEST):
        return value
    raise ValueError(
        f"expected a number from {FEWEST} on, as images are taken {FEWEST} at a time, or {ALL}; found {value!r}"
    )


class MeasuresSection(Section):
    """What is measured beside what always is, and of how many images."""

    dissection: bool = Field(
        default=False,
        description="true: Network Dissection's protocol, which channels detect the mask; needs masks",
    )
    maps: Annotated[int | Literal["all"], BeforeValidator(_images)] = Field(
        default=1000,
        description="of about how many images maps are measured (detail, edges, masks, similarity of taps), evenly "
        "spread, or all; single values are measured of every image",
        json_schema_extra={"minimum": FEWEST},
    )

    @property
    def images(self) -> int | None:
        """Images whose maps are measured, about; None: all."""
        return self.maps if isinstance(self.maps, int) else None


def _channel(value: object) -> object:
    if value == PREDICTED or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f"expected a number from 0 on, the place of the class, or {PREDICTED}; found {value!r}")


class TargetSection(Section):
    """What the model decides: one class of one of its outputs."""

    model_config = ConfigDict(serialize_by_alias=True)

    class_: Annotated[int | Literal["predicted"], BeforeValidator(_channel)] = Field(
        alias="class",
        description="place of the class among the output's channels, from 0; predicted: each image's highest",
        json_schema_extra={"minimum": 0},
    )
    output: Text | None = Field(
        default=None, description="name of the tap that holds the classes; default: what the model returns"
    )
    threshold: float | None = Field(
        default=None, description="of a map with one channel: foreground lies above it; default: 0.5"
    )


class ControlsSection(Section):
    """What the model is measured against."""

    randomised: int = Field(
        default=0,
        ge=0,
        le=20,
        description="how often everything is measured again with the entries of each weight in another order",
    )


class FiguresSection(Section):
    """Which channels are shown, and how."""

    channels: int = Field(default=32, ge=1, le=512, description="how many channels of a tap are shown, at most")
    random: int = Field(
        default_factory=lambda data: min(8, data.get("channels", 32) // 4),
        ge=0,
        description="how many of them are drawn at random, for comparison; default: 8, at most a quarter of channels",
    )
    order: Literal["variance", "mean", "max", "zeros", "index"] = Field(
        default="variance",
        description="the rule that chooses the others: the largest variance, mean, max or zeros; or by index",
    )
    scale: Literal["channel", "tap"] = Field(
        default="channel",
        description="what the colours span: the range of each channel (shape), or of the tap (strength)",
    )
    tile: int = Field(
        default=80, ge=8, le=1024, description="longest side of a shown map in pixels; larger maps are area-averaged"
    )

    @field_validator("random")
    @classmethod
    def _leaves_room(cls, random: int, info: ValidationInfo) -> int:
        channels = info.data.get("channels")
        if channels is not None and random >= channels:
            raise ValueError(f"expected fewer than figures.channels ({channels}), found {random}")
        return random


class PdfSection(Section):
    """What is printed."""

    taps: Literal["all", "selected", "summary"] = Field(
        default="all",
        description="which taps have half a page of their own: all, selected (those that matter most, by a rule that "
        "the PDF tells) or summary (none; their numbers stand in tables)",
    )


class ReportSection(Section):
    """What is written."""

    formats: Distinct[Literal["html", "pdf"]] = Field(default=("html", "pdf"), description="html, pdf or both")
    template: PathText | None = Field(
        default=None, description="folder of your own blocks, colours, fonts and logo, relative to this file"
    )
    budget_mb: float = Field(default=10.0, gt=0, description="size that a report should not pass, in megabytes")
    pdf: PdfSection = Field(default=PdfSection(), description="how long the PDF is")
    exports: AnyDistinct[Literal["model_card", "ml_bom"]] = Field(
        default=(), description="files for others beside the report: model_card (Hugging Face), ml_bom (CycloneDX)"
    )
