"""Imports run one way, and only through the doors there are; read from the syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "paymentor_assets", "resources", "sensors", "simulator")

#: In lineage order: a stage imports only the stages before it. `audit` and the modules beside the
#: stages are the ground all of them stand on. Offers come before strategies, because a credit offer
#: is one of the candidates that a strategy chooses from.
STAGES = (
    "ingestion",
    "features",
    "models",
    "rankings",
    "compliance",
    "offers",
    "strategies",
    "engagement",
)
CODE_LOCATIONS = ("definitions", "model_development")
ASSEMBLERS = (*CODE_LOCATIONS, "jobs")
COMMANDS = ("cli", "commands")
#: Where dagster may be imported inside `paymentor_assets`, besides every stage's `*assets.py`.
DAGSTER_DOORS = (*ASSEMBLERS, *COMMANDS, "partitions", "asset_metadata")
#: A face that is too large for one module: how dbt's nodes are named as assets.
MORE_FACES = {"features/translation.py"}
CLOCK_READERS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
}


@dataclass(frozen=True)
class Import:
    """One import statement's target, and where it stands."""

    module: str
    path: Path
    line: int
    is_lazy: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def _sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _imports(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(), str(path))
    top_level = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide the direction"
            # `from paymentor_assets import definitions` names a module, not an attribute.
            module = node.module or ""
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            yield Import(name, path, node.lineno, id(node) not in top_level)


def _all_imports(package: str) -> list[Import]:
    return [found for path in _sources(package) for found in _imports(path)]


def _is_of(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _room(path: Path) -> str:
    """The stage of a file of paymentor_assets, `audit`, or the name of a module beside them."""
    parts = path.relative_to(ROOT / "paymentor_assets").parts
    return parts[0].removesuffix(".py")


def _is_a_face(path: Path) -> bool:
    return (
        path.stem.endswith("assets")
        or _room(path) in DAGSTER_DOORS
        or path.relative_to(ROOT / "paymentor_assets").as_posix() in MORE_FACES
    )


def test_resources_know_nothing_above_them() -> None:
    wrong = [
        str(found)
        for found in _all_imports("resources")
        for above in ("api", "paymentor_assets", "sensors", "simulator")
        if _is_of(found.module, above)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_stage_imports_only_stages_before_it() -> None:
    wrong = []
    for found in _all_imports("paymentor_assets"):
        room = _room(found.path)
        target = found.module.split(".")[1] if found.module.count(".") else ""
        if not _is_of(found.module, "paymentor_assets") or room in COMMANDS or target == room:
            continue
        if target in (*COMMANDS, *CODE_LOCATIONS):
            wrong.append(f"{found}: only commands import what assembles")
        elif room in ASSEMBLERS:
            continue
        elif target in STAGES and (room not in STAGES or STAGES.index(room) < STAGES.index(target)):
            wrong.append(f"{found}: {target} is not before {room}")
    assert not wrong, "\n".join(wrong)


def test_only_definitions_import_sensors() -> None:
    allowed = {ROOT / "paymentor_assets" / f"{name}.py" for name in CODE_LOCATIONS}
    wrong = [
        str(found)
        for package in PACKAGES
        if package != "sensors"
        for found in _all_imports(package)
        if _is_of(found.module, "sensors") and found.path not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_only_commands_import_what_calls_in() -> None:
    commands = ROOT / "paymentor_assets" / "commands"
    wrong = [
        str(found)
        for package in PACKAGES
        if package != "api"
        for found in _all_imports(package)
        if _is_of(found.module, "api") and commands not in found.path.parents
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_cli_imports_the_simulator_and_lazily() -> None:
    wrong = [
        str(found)
        for package in PACKAGES
        if package != "simulator"
        for found in _all_imports(package)
        if _is_of(found.module, "simulator")
        and not (found.path == ROOT / "paymentor_assets" / "cli.py" and found.is_lazy)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_simulator_knows_nothing_of_the_platform() -> None:
    wrong = [
        str(found)
        for found in _all_imports("simulator")
        for platform in ("api", "paymentor_assets", "sensors")
        if _is_of(found.module, platform)
    ]
    assert not wrong, "\n".join(wrong)


def test_dagster_is_imported_only_in_the_faces() -> None:
    wrong = [
        str(found)
        for package in ("api", "paymentor_assets", "resources", "simulator")
        for found in _all_imports(package)
        if found.module.split(".")[0].startswith("dagster")
        and not (package == "paymentor_assets" and _is_a_face(found.path))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_only_the_clock_reads_the_time(package: str) -> None:
    wrong = []
    for path in _sources(package):
        if path == ROOT / "resources" / "clock.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name | ast.Attribute)
            ):
                owner = node.func.value
                name = owner.id if isinstance(owner, ast.Name) else owner.attr
                if f"{name}.{node.func.attr}" in CLOCK_READERS:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} reads the time")
    assert not wrong, "\n".join(wrong)
