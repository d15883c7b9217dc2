"""Tensors of PyTorch as arrays of NumPy, and weights as what may be randomised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import torch

WITHOUT = {torch.bfloat16: (torch.int16, ml_dtypes.bfloat16)}
"""Formats that PyTorch does not hand to NumPy, with one of their size that it does."""


def array(tensor: Any) -> np.ndarray:
    """The numbers of a tensor, where they lie if NumPy can read them there."""
    kept = tensor.detach().cpu()
    if kept.dtype in WITHOUT:
        bits, dtype = WITHOUT[kept.dtype]
        return np.asarray(kept.view(bits).numpy().view(dtype))
    return np.asarray(kept.numpy())


def dtype_of(tensor: Any) -> np.dtype[Any]:
    """NumPy's name for the format of a tensor."""
    return array(tensor.detach().flatten()[:0]).dtype


def weights_of(model: Any) -> Mapping[str, Any]:
    """Parameters, and floating-point buffers such as moving means, by their names, each once."""
    found = dict(model.named_parameters())
    found |= {name: each for name, each in model.named_buffers() if each.is_floating_point()}
    return found


class Held:
    """A weight whose numbers may be replaced."""

    def __init__(self, tensor: Any) -> None:
        self._tensor, self.dtype = tensor, dtype_of(tensor)

    def numpy(self) -> np.ndarray:
        """A copy of its numbers."""
        return array(self._tensor).copy()

    def assign(self, value: Any) -> None:
        """Puts others in their place."""
        numbers = np.ascontiguousarray(value)
        bits = {dtype: number for number, dtype in WITHOUT.values()}
        if numbers.dtype.type in bits:
            given = torch.from_numpy(numbers.view(np.int16)).view(self._tensor.dtype)
        else:
            given = torch.from_numpy(numbers)
        with torch.no_grad():
            self._tensor.copy_(given)
