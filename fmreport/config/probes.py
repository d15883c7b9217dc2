"""The `probes` section: where the images come from, one class for each `kind`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainSerializer, SerializationInfo, ValidationInfo, field_validator

from fmreport.config.addresses import scheme, unsigned
from fmreport.config.base import (
    PARENT,
    WITH_STEM,
    Distinct,
    Levels,
    Positive,
    Section,
    Text,
    one_or_many,
    portable,
)


def _portable_place(text: str, info: SerializationInfo) -> str:
    return unsigned(text) if scheme(text) else portable(text, (info.context or {}).get("folder"))


def _one_address(text: str) -> str:
    if "::" in text and "://" in text:
        raise ValueError("expected one address, found several, chained by ::")
    if "://" in text and not text.partition("://")[2].strip("/"):
        raise ValueError(f"{text!r} names no file; write all of the address, such as https://host/cat.jpg")
    return text


Place = Annotated[str, Field(min_length=1), AfterValidator(_one_address), PlainSerializer(_portable_place)]
"""A path as written, or an address such as `s3://bucket/cat.jpg`, of which credentials are told to nobody."""
# The pattern comes first: behind a validator it would take the serializer away.
WithStem = Annotated[
    str, Field(min_length=1, pattern=WITH_STEM), AfterValidator(_one_address), PlainSerializer(_portable_place)
]
"""The same for a text that holds {stem}."""
Places = Annotated[Distinct[Place], one_or_many(Text)]
Feature = Annotated[str, Field(min_length=1)]


class ProbesSection(Section):
    """What all probes may declare."""

    licence: Text | None = Field(default=None, description="licence of the images, such as an SPDX identifier")


class SkimageProbes(ProbesSection):
    """Photographs that ship inside scikit-image."""

    kind: Literal["skimage"] = Field(description="photographs that ship inside scikit-image")
    names: Distinct[Text] = Field(description="their names, such as cat, astronaut, coffee, rocket")
    masks: bool = Field(
        default=True, description="whether those that have a mask drawn for fmreport (these four) come with it"
    )


class MaskValues(Section):
    """What the pixel values of a mask file mean; all others are background."""

    foreground: Levels = Field(min_length=1, description="pixel values inside the object")
    ignore: Levels = Field(default=(), description="pixel values that count as neither, such as a border")

    @field_validator("ignore")
    @classmethod
    def _apart(cls, ignore: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        both = [value for value in ignore if value in info.data.get("foreground", ())]
        if both:
            raise ValueError(f"{both[0]} is foreground already")
        return ignore


def _mask_values() -> Any:
    return Field(default=None, description="what the masks' pixel values mean")


def _on_error() -> Any:
    return Field(
        default="stop",
        description="what to do with an image that cannot be read: stop, or skip it and say so in the report",
    )


def _limit() -> Any:
    return Field(default=None, description="take at most so many images")


class _MaskedProbes(ProbesSection):
    """Probes whose masks the config names."""

    MASKS: ClassVar[tuple[str, str]] = ("mask", "name them under mask")
    """The setting that says where masks are, and the advice to give it."""

    @field_validator("mask_values", check_fields=False)
    @classmethod
    def _of_masks(cls, values: MaskValues | None, info: ValidationInfo) -> MaskValues | None:
        setting, advice = cls.MASKS
        if values is not None and info.data.get(setting, "") is None:
            raise ValueError(f"values without masks; {advice}")
        return values


class FilesProbes(_MaskedProbes):
    """Image files, with mask files where there are any."""

    MASKS: ClassVar[tuple[str, str]] = ("masks", "name the mask files under masks")

    kind: Literal["files"] = Field(description="image files")
    images: Places = Field(description="a glob or a list of globs, relative to this file, such as probes/*.jpg")
    masks: WithStem | None = Field(
        default=None, description="path of an image's mask, {stem} standing for the image's name without its suffix"
    )
    mask_values: MaskValues | None = _mask_values()
    group: Annotated[str, Field(pattern=PARENT)] | None = Field(
        default=None, description="{parent}: the folder that an image lies in is its group, such as its class"
    )
    on_error: Literal["stop", "skip"] = _on_error()
    limit: Positive | None = _limit()


class TableProbes(_MaskedProbes):
    """Images that a table names, one a row; paths in it count from the table's own folder."""

    path: Place = Field(description="the table, relative to this file")
    image: Feature = Field(default="image", description="the column that names the images' files")
    mask: Feature | None = Field(default=None, description="the column that names their masks; an empty cell: no mask")
    mask_values: MaskValues | None = _mask_values()
    group: Feature | None = Field(
        default=None, description="the column that says what an image has in common with others, such as its class"
    )
    on_error: Literal["stop", "skip"] = _on_error()
    limit: Positive | None = _limit()


class CsvProbes(TableProbes):
    """Images that a CSV file names."""

    kind: Literal["csv"] = Field(description="images that a CSV file names: commas, UTF-8, names of columns on top")


class ParquetProbes(TableProbes):
    """Images that a Parquet file names."""

    kind: Literal["parquet"] = Field(description="images that a Parquet file names")


class TfdsProbes(_MaskedProbes):
    """Images of a data set that TensorFlow Datasets has prepared."""

    kind: Literal["tfds"] = Field(description="a data set that TensorFlow Datasets has prepared; nothing is downloaded")
    name: Text = Field(description="the data set, such as oxford_iiit_pet, name/config or name:4.0.0")
    split: Text = Field(description="which part of it, such as test[:200]")
    image: Feature = Field(default="image", description="the feature that holds the images")
    mask: Feature | None = Field(default=None, description="the feature that holds their masks")
    mask_values: MaskValues | None = _mask_values()
    group: Feature | None = Field(
        default=None, description="the feature that says what an image has in common with others, such as label"
    )
    data_dir: Place | None = Field(
        default=None, description="the folder of data sets, relative to this file; default: that of TensorFlow Datasets"
    )
    on_error: Literal["stop", "skip"] = _on_error()
    limit: Positive | None = _limit()


Probes = Annotated[SkimageProbes | FilesProbes | CsvProbes | ParquetProbes | TfdsProbes, Field(discriminator="kind")]
