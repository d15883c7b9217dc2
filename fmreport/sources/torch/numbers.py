"""Tensors of PyTorch as arrays of NumPy, and weights as what may be randomised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import torch

WITHOUT = {torch.bfloat16: (torch.int16, ml_dtypes.bfloat16)}
"""Formats that PyTorch does not hand to NumPy, with one of their size that it does."""


def array(values: Any) -> np.ndarray:
    """The numbers of a tensor, where they lie if NumPy can read them there."""
    kept = values.detach().cpu()
    if kept.dtype in WITHOUT:
        bits, dtype = WITHOUT[kept.dtype]
        return np.asarray(kept.view(bits).numpy().view(dtype))
    return np.asarray(kept.numpy())


def tensor(numbers: np.ndarray) -> Any:
    """A copy of an array as a tensor."""
    for kept, (bits, dtype) in WITHOUT.items():
        if numbers.dtype == dtype:
            return torch.tensor(numbers.view(str(bits).removeprefix("torch."))).view(kept)
    return torch.tensor(numbers)


def dtype_of(values: Any) -> np.dtype[Any]:
    """NumPy's name for the format of a tensor."""
    return array(values.detach().flatten()[:0]).dtype


def weights_of(model: Any) -> Mapping[str, Any]:
    """Parameters, and floating-point buffers such as moving means, by their names, each once."""
    found = dict(model.named_parameters())
    found |= {name: each for name, each in model.named_buffers() if each.is_floating_point()}
    return found


class Held:
    """A weight whose numbers may be replaced."""

    def __init__(self, weight: Any) -> None:
        self._weight, self.dtype = weight, dtype_of(weight)

    def numpy(self) -> np.ndarray:
        """A copy of its numbers."""
        return array(self._weight).copy()

    def assign(self, value: Any) -> None:
        """Puts others in their place."""
        with torch.no_grad():
            self._weight.copy_(tensor(np.ascontiguousarray(value)))
