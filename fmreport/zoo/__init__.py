"""Models that ship with fmreport, and the scripts that trained them."""
