"""Whether a run is what it says it is."""

from fmreport.verification.check import FAILED, HELD, UNCHECKED, Check, exit_code
from fmreport.verification.files import files, rendered
from fmreport.verification.tables import same_inputs, same_probes, same_tables

__all__ = (
    "FAILED",
    "HELD",
    "UNCHECKED",
    "Check",
    "exit_code",
    "files",
    "rendered",
    "same_inputs",
    "same_probes",
    "same_tables",
)
