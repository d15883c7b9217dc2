"""`kind: torch`: a PyTorch module, an exported program or a TorchScript file, run by PyTorch."""
