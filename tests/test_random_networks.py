"""Networks of random weights: of 100, at least 95 yield no finding of masks."""

from __future__ import annotations

import pytest
from unlearned import NETWORKS, POSITIVE, found, of_random_weights


@pytest.mark.slow
def test_random_weights_yield_no_finding_of_masks() -> None:
    """Rectifiers can silence channels of theirs, which is found."""
    claimed = [
        [subject for subject, verdict in told.items() if "mask" in subject and verdict in POSITIVE]
        for told in found(*of_random_weights())
    ]
    assert len(claimed) == NETWORKS
    assert sum(not subjects for subjects in claimed) >= 95, claimed
