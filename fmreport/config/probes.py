"""The `probes` section: where the images come from, one class for each `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from fmreport.config.base import WITH_STEM, Distinct, Levels, Paths, PathText, Positive, Section, Text


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


class FilesProbes(ProbesSection):
    """Image files, with mask files where there are any."""

    kind: Literal["files"] = Field(description="image files")
    images: Paths = Field(description="a glob or a list of globs, relative to this file, such as probes/*.jpg")
    masks: Annotated[PathText, Field(pattern=WITH_STEM)] | None = Field(
        default=None, description="path of an image's mask, {stem} standing for the image's name without its suffix"
    )
    mask_values: MaskValues | None = Field(default=None, description="what the masks' pixel values mean")
    on_error: Literal["stop", "skip"] = Field(
        default="stop",
        description="what to do with an image that cannot be read: stop, or skip it and say so in the report",
    )
    limit: Positive | None = Field(default=None, description="take at most so many images")

    @field_validator("mask_values")
    @classmethod
    def _of_masks(cls, values: MaskValues | None, info: ValidationInfo) -> MaskValues | None:
        if values is not None and info.data.get("masks", "") is None:
            raise ValueError("values without masks; name the mask files under masks")
        return values


Probes = Annotated[SkimageProbes | FilesProbes, Field(discriminator="kind")]
