"""`python -m fmreport`."""

from fmreport.cli import main

main()
