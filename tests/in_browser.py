"""Reports in a real Chromium, with the network cut."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def opened(browser: Any, report: Path, **options: Any) -> tuple[Any, list[str]]:
    """A page without a network, and what its console says: errors, warnings, and every address asked for."""
    context = browser.new_context(**options)
    context.set_offline(True)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda made: said.append(made.url) if not made.url.startswith(("file:", "data:")) else None)
    page.goto(report.as_uri())
    return page, said
