"""Secret keys: given by a secret store through the environment, or made once for a laptop."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from resources.errors import SettingsError

KEY_BYTES = 64


def secret_key(
    name: str, *, variable: str, keys_dir: Path, may_make: bool, env: Mapping[str, str]
) -> bytes:
    """A 64-byte key: the base64 of `variable`, or the file `<keys_dir>/<name>.key`.

    The file is made at first use when `may_make`, readable by its owner alone. Raises
    SettingsError when there is no key, or what is there is not one.
    """
    if given := env.get(variable):
        return _decoded(given, f"The variable {variable}")
    path = keys_dir / f"{name}.key"
    if not path.exists():
        if not may_make:
            raise SettingsError(
                f"There is no {name} key: set {variable} to the base64 of {KEY_BYTES} random bytes."
            )
        _make(path)
    return _decoded(path.read_text().strip(), str(path))


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link fails where a rename would replace: two processes that start at once must end
        # with the same key, or what one sealed the other could not open.
        os.link(scratch, path)
    except FileExistsError:
        pass
    finally:
        scratch.unlink()


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise SettingsError(f"{where} is not base64; it must hold {KEY_BYTES} bytes.") from None
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{where} holds {len(key)} bytes instead of {KEY_BYTES}.")
    return key
