"""What images show, on the grid of any tap."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from fmreport.measures.scene import Scene, area_weights


@pytest.mark.parametrize("grid", [(24, 30), (12, 6), (1, 1), (7, 11), (8, 7), (48, 20)], ids=str)
def test_planes_are_averaged_over_the_pixels_that_are_kept(grid: tuple[int, int]) -> None:
    """By pooling where parts are of whole pixels, by weights where they are not."""
    rng = np.random.default_rng(0)
    tensor = rng.uniform(size=(3, 24, 30, 4)).astype(np.float32)
    tensor[..., 0] = tensor[..., 0] > 0.3
    tensor[0, :12, :15, 0] = 0
    shown = Scene(tf.constant(tensor), ("kept", "edge", "mask", "red")).at(grid)
    rows, columns = (area_weights(big, small).astype(np.float64) for big, small in zip((24, 30), grid, strict=True))
    weight = np.einsum("hH,wW,bHW->bhw", rows, columns, tensor[..., 0])
    sums = np.einsum("hH,wW,bHWk->bhwk", rows, columns, tensor[..., 1:] * tensor[..., :1])
    np.testing.assert_allclose(shown.weight, weight, atol=1e-6)
    expected = sums / np.where(weight > 0, weight, 1)[..., None]
    np.testing.assert_allclose(shown.values, expected, rtol=1e-5, atol=1e-6)
    assert shown.planes == ("edge", "mask", "red")
