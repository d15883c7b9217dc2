"""What a config declares, as others name it: licences and DOIs, and where they lead."""

from __future__ import annotations

import re
from urllib.parse import quote

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

SPDX = "https://spdx.org/licenses/"


def spdx(declared: str) -> str:
    """The SPDX identifier that a declared licence is, in its proper case; empty where it is anything else."""
    # An expression of several is no identifier, and one that ends in + has no entry of its own.
    if not re.fullmatch(r"[A-Za-z0-9.-]+", declared) or declared.lower().startswith("licenseref-"):
        return ""
    try:
        return str(canonicalize_license_expression(declared))
    except InvalidLicenseExpression:
        return ""


def of_licence(declared: str) -> str:
    """Where a declared licence can be read; empty where it is neither an SPDX identifier nor an address."""
    if identifier := spdx(declared):
        return f"{SPDX}{identifier}"
    return declared if re.fullmatch(r"https?://[!-~]+", declared) else ""


def of_doi(doi: str) -> str:
    """Where a DOI leads, without letters that an address cannot hold."""
    return f"https://doi.org/{quote(doi, safe='/:;()')}"
