"""The command line, mounted as the platform mounts it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from simulator.commands import app

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Call ``paymentor ...`` with arguments."""
    outer = typer.Typer()
    outer.add_typer(app, name="simulate", help="A synthetic lender.")

    @outer.command()
    def other() -> None:
        """Without a second command typer would drop the name of the first."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(outer, ["simulate", *map(str, arguments)])

    return call


def test_generate_and_respond(run: Run, tmp_path: Path) -> None:
    size = ("--customers", 20, "--days", 2, "--seed", 3, "--out", tmp_path)
    first = run(*size, "--end", "2026-05-31")
    assert first.exit_code == 0, first.output
    assert "20 customers" in first.output
    assert "nothing was written" in run(*size, "--end", "2026-05-31").output
    assert (tmp_path / "lenders" / "meridian.yaml").exists()
    until = ("--until", "2026-06-02T01:00:00Z", "--home", tmp_path)
    answer = run("respond", "--seed", 3, *until, "--world", "simulator.world:DefaultWorld")
    assert answer.exit_code == 0, answer.output
    assert "1 days closed" in answer.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Missing --customers, --days, --seed, --out"),
        (("--customers", 5, "--days", 0, "--seed", 1, "--out", "x"), 2, "--days is 0"),
        (
            ("--customers", 5, "--days", 1, "--seed", 1, "--out", "x", "--end", "soon"),
            2,
            "YYYY-MM-DD",
        ),
        (("respond", "--seed", 1, "--until", "soon"), 2, "write an instant"),
        (("respond", "--seed", 1, "--until", "2026-07-01T00:00:00"), 2, "has no zone"),
        (
            ("respond", "--seed", 1, "--until", "2026-07-01T00:00:00Z", "--world", "nothing"),
            2,
            "MODULE:CLASS",
        ),
        (
            ("respond", "--seed", 1, "--until", "2026-07-01T00:00:00Z", "--home", "nowhere"),
            3,
            "no simulated lender",
        ),
    ],
)
def test_bad_usage_is_a_sentence(
    run: Run,
    arguments: tuple[object, ...],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == code
    assert message in " ".join(result.output.split())
