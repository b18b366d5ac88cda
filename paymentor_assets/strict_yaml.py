"""YAML read strictly: a word that stands twice in a mapping is a fault, not a silent overwrite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from resources.errors import ContractError

# The parser in C is eight times faster; PyYAML is built without it where libyaml is absent.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Base):  # type: ignore[misc]
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the base, after a look at the keys."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
        result: dict[Any, Any] = super().construct_mapping(node, deep)
        return result


def read_yaml(text: str, source: str) -> object:
    """The content of a YAML text; raises ContractError naming `source` and the fault."""
    try:
        return yaml.load(text, _StrictLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ContractError(f"{source} is not YAML: {error}") from error


def read_text(path: Path) -> str:
    """The text of a contract file; raises ContractError when it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path} cannot be read: {error}") from error
