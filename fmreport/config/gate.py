"""The section of a config that judges a run: limits that its key numbers are held to."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_serializer, model_validator

from fmreport.config.base import ARCHIVED, Section
from fmreport.quantities import QUANTITIES

Threshold = Annotated[float, Field(allow_inf_nan=False)] | None


def _of(name: str) -> Any:
    return Field(default=None, description=QUANTITIES[name].meaning)


class Limits(Section):
    """A limit for each of some quantities."""

    silent_channels: Threshold = _of("silent_channels")
    zeros: Threshold = _of("zeros")
    nonfinite: Threshold = _of("nonfinite")
    gini: Threshold = _of("gini")
    edge: Threshold = _of("edge")
    mask: Threshold = _of("mask")
    iou: Threshold = _of("iou")
    constant_channels: Threshold = _of("constant_channels")
    gain: Threshold = _of("gain")
    parameters: Threshold = _of("parameters")
    macs: Threshold = _of("macs")
    taps: Threshold = _of("taps")

    @property
    def given(self) -> dict[str, float]:
        """Those that there are, by quantity."""
        return {name: value for name in QUANTITIES if (value := getattr(self, name)) is not None}

    @field_validator("*")
    @classmethod
    def _said(cls, value: object) -> object:
        if value is None:
            raise ValueError("nothing stands here; give it a number or leave the key out")
        return value

    @model_serializer
    def _written(self) -> dict[str, float]:
        return self.given


class GateSection(Section):
    """Limits that a run's key numbers must hold, or its gate is breached."""

    max: Limits = Field(default=Limits(), description="what no tap may exceed, by quantity")
    min: Limits = Field(default=Limits(), description="what no tap may stay below, by quantity")
    max_change: Limits = Field(
        default=Limits(), description="by how much a tap may differ from the same tap of the baseline, either way"
    )
    nonfinite: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="how many values of a tap may be NaN or infinite; short for max: {nonfinite: ...}"
    )
    baseline: str | None = Field(
        default=None,
        pattern=ARCHIVED,
        description="the run that changes are counted from: a release, or name/release; default: the release before",
    )

    @field_validator("max_change")
    @classmethod
    def _above_zero(cls, limits: Limits) -> Limits:
        below = [f"{name}: {value:g}" for name, value in limits.given.items() if value < 0]
        if below:
            raise ValueError(f"expected 0 or more, found {', '.join(below)}")
        return limits

    @model_validator(mode="after")
    def _once(self) -> Self:
        if self.nonfinite is not None and self.max.nonfinite is not None:
            raise ValueError("nonfinite is given twice, here and under max; keep one of them")
        return self
