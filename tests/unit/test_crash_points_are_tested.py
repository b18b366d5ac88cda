"""Every durable step has a named crash point, and every crash point has a test that dies there."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("api", "paymentor_assets", "resources", "sensors")


def registered() -> dict[str, Path]:
    """Names given to `register(…)`, and the module that registers each."""
    found: dict[str, Path] = {}
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "register"
                ):
                    names = [a.value for a in node.args if isinstance(a, ast.Constant)]
                    found |= {str(name): path for name in names}
    return found


def reached() -> set[str]:
    """Names given to `reach(…)`."""
    return {
        str(node.args[0].value)
        for folder in SOURCES
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "reach"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def test_every_registered_point_is_reached_by_the_code() -> None:
    assert set(registered()) == reached()


def test_every_point_is_named_in_a_test_that_dies_there() -> None:
    # Ingestion's tests take all names with this prefix from the registry itself.
    whole_prefixes = ("ingestion.",)
    tests = "\n".join(
        path.read_text()
        for path in (ROOT / "tests").rglob("test_*.py")
        if "armed(" in path.read_text() or "PAYMENTOR_CRASH_AT" in path.read_text()
    )
    untested = [
        name
        for name in registered()
        if not name.startswith(whole_prefixes) and f'"{name}"' not in tests
    ]
    assert untested == []
