"""Networks of noise: of 100, at least 95 yield no finding at all."""

from __future__ import annotations

import pytest
from unlearned import NETWORKS, POSITIVE, found, of_noise


@pytest.mark.slow
def test_noise_yields_no_finding() -> None:
    claimed = [[subject for subject, verdict in told.items() if verdict in POSITIVE] for told in found(*of_noise())]
    assert len(claimed) == NETWORKS
    assert sum(not subjects for subjects in claimed) >= 95, claimed
