"""The date of a run: never the clock's."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from fmreport.errors import ConfigError

EPOCH = "SOURCE_DATE_EPOCH"


def date(of_config: str | None) -> str:
    """The ISO 8601 date of a run: its config's, else that of SOURCE_DATE_EPOCH, else none."""
    found = build_date()
    return of_config or found


def build_date() -> str:
    """The date of SOURCE_DATE_EPOCH, empty where it is not set; raises `ConfigError` where it is no time."""
    found = os.environ.get(EPOCH)
    if not found:
        return ""
    try:
        if re.fullmatch("[0-9]{1,11}", found):
            return datetime.fromtimestamp(int(found), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        pass  # beyond the year 9999, told below
    raise ConfigError(
        f"{EPOCH} is {found!r}, not seconds since 1970", fix="unset it, or set it as `date +%s` prints it"
    )


def epoch(date: str) -> int:
    """Seconds from 1970 to the beginning of a date (UTC); 0 where there is none."""
    return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) if date else 0
