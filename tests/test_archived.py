"""The run that this repository archives is as it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmreport import verification
from fmreport.store import Run
from fmreport.verification import HELD

ARCHIVED = Path(__file__).parent.parent / "reports" / "sd_unet_pets" / "v1"

pytestmark = pytest.mark.skipif(not ARCHIVED.is_dir(), reason="there are no reports beside these tests")


def test_every_file_of_the_archived_run_is_as_recorded() -> None:
    checks = verification.files(ARCHIVED)
    assert {check.verdict for check in checks} == {HELD}, checks


def test_the_archived_run_is_of_the_default_config() -> None:
    facts = Run.open(ARCHIVED).facts
    assert (facts.name, facts.release) == ("sd_unet_pets", "v1")
    assert facts.command.startswith("fmreport run sd_unet_pets.yaml")
    assert len(facts.taps) == 51
