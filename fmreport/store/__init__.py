"""The only reader and writer of a run folder."""

from fmreport.store.draft import Draft, check_free, drafting, file_fact, plain, recorded
from fmreport.store.layout import COMPARISON, EXECUTION, LATEX, MADE_OF, MANIFEST, PROBES, TABLES
from fmreport.store.run import Run

__all__ = (
    "COMPARISON",
    "EXECUTION",
    "LATEX",
    "MADE_OF",
    "MANIFEST",
    "PROBES",
    "TABLES",
    "Draft",
    "Run",
    "check_free",
    "drafting",
    "file_fact",
    "plain",
    "recorded",
)
