"""One YAML file in, one reproducible report out: how a vision model sees."""

from importlib.metadata import version
from typing import Any

__version__ = version("fmreport")
__all__ = ["Run", "__version__", "diff", "open_run", "run"]


def __getattr__(name: str) -> Any:
    # On use, so that `import fmreport` stays quick.
    if name in ("run", "diff"):
        from fmreport import pipeline

        return getattr(pipeline, name)
    if name in ("Run", "open_run"):
        from fmreport.store import Run

        return Run if name == "Run" else Run.open
    raise AttributeError(f"module 'fmreport' has no attribute {name!r}")
