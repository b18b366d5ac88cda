"""The guide for taking on a lender does what it says: its commands are run and compared."""

from __future__ import annotations

from pathlib import Path

from paymentor_assets.settings import PROJECT_ROOT
from tests.support.guides import lasting, steps, walk

GUIDE = PROJECT_ROOT / "docs" / "guides" / "onboard-a-lender.md"


def test_every_command_of_the_guide_says_what_the_guide_shows(tmp_path: Path) -> None:
    told = steps(GUIDE)
    assert len(told) > 5
    said = walk([commands for commands, _ in told], tmp_path, PROJECT_ROOT)
    for (commands, output), real in zip(told, said, strict=True):
        assert lasting(real, tmp_path) == lasting(output, tmp_path), commands
