"""A comparison of two runs as a page: HTML and PDF, in the look of a report and with its parts."""

from fmreport.report.comparison import html, pdf

__all__ = ["html", "pdf"]
