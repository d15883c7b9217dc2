"""YAML to checked, frozen settings: every problem at once, with file and line."""

from fmreport.config.engine import Engine, LocalEngine, RayEngine
from fmreport.config.gate import GateSection, Limits
from fmreport.config.models import (
    ApplicationSection,
    BitSection,
    BuilderSection,
    GraphSection,
    HubSection,
    KerasSection,
    Model,
    OnnxSection,
    SavedModelSection,
    TfliteSection,
    TorchSection,
)
from fmreport.config.probes import (
    CsvProbes,
    FilesProbes,
    MaskValues,
    ParquetProbes,
    Probes,
    SkimageProbes,
    TableProbes,
    TfdsProbes,
)
from fmreport.config.sections import (
    Author,
    ControlsSection,
    FiguresSection,
    PreprocessSection,
    ReportSection,
    Selector,
    TargetSection,
)
from fmreport.config.settings import UNDECIDING, Config, from_dict, json_schema, load
from fmreport.config.starter import new_config

__all__ = [
    "UNDECIDING",
    "ApplicationSection",
    "Author",
    "BitSection",
    "BuilderSection",
    "Config",
    "ControlsSection",
    "CsvProbes",
    "Engine",
    "FiguresSection",
    "FilesProbes",
    "GateSection",
    "GraphSection",
    "HubSection",
    "KerasSection",
    "Limits",
    "LocalEngine",
    "MaskValues",
    "Model",
    "OnnxSection",
    "ParquetProbes",
    "PreprocessSection",
    "Probes",
    "RayEngine",
    "ReportSection",
    "SavedModelSection",
    "Selector",
    "SkimageProbes",
    "TableProbes",
    "TargetSection",
    "TfdsProbes",
    "TfliteSection",
    "TorchSection",
    "from_dict",
    "json_schema",
    "load",
    "new_config",
]
