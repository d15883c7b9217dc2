"""Saved graphs: one flat graph of operations, and the layers that their names tell of."""
