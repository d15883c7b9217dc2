"""A comparison of two runs as a page: HTML and PDF, in the look of a report and with its parts."""
