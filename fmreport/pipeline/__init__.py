"""run, render, check, layers, verify, diff, gate: the stages in order, nothing else."""

from fmreport.pipeline.asking import check, listing
from fmreport.pipeline.comparing import Difference, diff, differences
from fmreport.pipeline.gating import gate
from fmreport.pipeline.measuring import MODELS
from fmreport.pipeline.rendering import making, render
from fmreport.pipeline.running import REPORTS, run
from fmreport.pipeline.telling import advice, telling
from fmreport.pipeline.verifying import verify

__all__ = (
    "MODELS",
    "REPORTS",
    "Difference",
    "advice",
    "check",
    "diff",
    "differences",
    "gate",
    "listing",
    "making",
    "render",
    "run",
    "telling",
    "verify",
)
