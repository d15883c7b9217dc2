"""YAML to checked, frozen settings: every problem at once, with file and line."""

from fmreport.config.gate import GateSection, Limits
from fmreport.config.models import (
    ApplicationSection,
    BitSection,
    BuilderSection,
    GraphSection,
    HubSection,
    KerasSection,
    Model,
    SavedModelSection,
)
from fmreport.config.probes import FilesProbes, MaskValues, Probes, SkimageProbes
from fmreport.config.sections import (
    Author,
    ControlsSection,
    FiguresSection,
    PreprocessSection,
    ReportSection,
    Selector,
    TargetSection,
)
from fmreport.config.settings import Config, from_dict, json_schema, load
from fmreport.config.starter import new_config

__all__ = [
    "ApplicationSection",
    "Author",
    "BitSection",
    "BuilderSection",
    "Config",
    "ControlsSection",
    "FiguresSection",
    "FilesProbes",
    "GateSection",
    "GraphSection",
    "HubSection",
    "KerasSection",
    "Limits",
    "MaskValues",
    "Model",
    "PreprocessSection",
    "Probes",
    "ReportSection",
    "SavedModelSection",
    "Selector",
    "SkimageProbes",
    "TargetSection",
    "from_dict",
    "json_schema",
    "load",
    "new_config",
]
