"""The `engine` section: who works on the probes, one class for each `kind`. No result depends on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fmreport.config.base import ADDRESS, Positive, Section

PORTS = range(1, 65536)


def _of_a_cluster(text: str) -> str:
    if text.startswith("ray://"):
        raise ValueError("Ray Client (ray://) is not used here; write auto, or the cluster's own host:port")
    host, colon, port = text.rpartition(":")
    if colon and int(port) not in PORTS:
        raise ValueError(f"expected a port from 1 to 65535 behind {host}:, found {port}")
    return text


class LocalEngine(Section):
    """The process of the run itself."""

    kind: Literal["local"] = Field(description="this process")


class RayEngine(Section):
    """Workers of a Ray cluster."""

    kind: Literal["ray"] = Field(description="workers of a Ray cluster; needs the extra fmreport[ray]")
    address: Annotated[str, Field(pattern=ADDRESS), AfterValidator(_of_a_cluster)] = Field(
        default="local", description="local (a cluster of its own, here), auto (the one that runs here) or host:port"
    )
    workers: Positive = Field(default=1, description="how many workers open the model")
    num_cpus: Positive | None = Field(
        default=None, description="cores of a worker; default: an equal share of this machine's if local, else 1"
    )
    num_gpus: float = Field(default=0.0, ge=0, description="GPUs of a worker; 0.25: four share one")


Engine = Annotated[LocalEngine | RayEngine, Field(discriminator="kind")]
