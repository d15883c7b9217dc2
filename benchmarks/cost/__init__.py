"""What a run costs: formulas, a simulation, and their checks against real runs; `python -m benchmarks.cost --help`."""
