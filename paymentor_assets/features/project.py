"""The dbt project on disk: its folder, its manifest, its version."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from paymentor_assets.settings import PROJECT_ROOT
from resources.errors import SettingsError

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
MANIFEST_PATH = PROJECT_DIR / "target" / "manifest.json"
#: The dbt target that the platform's runs use; developers have their own scratch (profiles.yml).
TARGET = "platform"
_CODE_FOLDERS = ("macros", "models", "seeds")


def require_manifest(path: Path = MANIFEST_PATH) -> Path:
    """The manifest that set-up made; raises SettingsError naming the command when it is absent."""
    if not path.exists():
        raise SettingsError(
            f"The dbt manifest {path.relative_to(PROJECT_ROOT) if path == MANIFEST_PATH else path} "
            "is absent; run `make setup`, or `dbt parse --target platform` in dbt_project/."
        )
    return path


def load_manifest(path: Path = MANIFEST_PATH) -> dict[str, Any]:
    """The manifest as a dictionary."""
    content: dict[str, Any] = json.loads(require_manifest(path).read_text())
    return content


@cache
def code_version(project_dir: Path = PROJECT_DIR) -> str:
    """12 hex characters of the SHA-256 over models, macros, seeds and project file, with names."""
    digest = sha256((project_dir / "dbt_project.yml").read_bytes())
    for folder in _CODE_FOLDERS:
        for path in sorted((project_dir / folder).rglob("*")):
            if path.suffix in (".sql", ".yml", ".csv"):
                digest.update(str(path.relative_to(project_dir)).encode() + b"\0")
                digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
