"""The vault seals, reveals to a name and a purpose, and keeps its keys to itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from resources.errors import SettingsError, VaultError
from resources.keys import KEY_BYTES, secret_key
from resources.vault import Reveal, Vault
from tests.support.landing_house import LandingHouse


def key(keys_dir: Path, env: dict[str, str] | None = None, may_make: bool = True) -> bytes:
    return secret_key(
        "vault", variable="PAYMENTOR_VAULT_KEY", keys_dir=keys_dir, may_make=may_make, env=env or {}
    )


def test_sealing_twice_stores_once_and_alike(house: LandingHouse) -> None:
    values = {f"ph1_{n}": f"+91900000{n:04d}" for n in range(12_000)}
    assert house.vault.seal(values) == 12_000
    assert house.vault.seal(values | {"ph1_new": "+1"}) == 1
    found = house.vault.reveal(values, actor="dispatch", purpose="collections")
    assert found == values
    assert house.vault.seal_record(b"x", "f", 1) == house.vault.seal_record(b"x", "f", 1)


def test_a_read_is_written_down_before_it_is_answered(tmp_path: Path) -> None:
    def refuse(_: Reveal) -> None:
        raise RuntimeError("the ledger is away")

    vault = Vault(
        f"sqlite:///{tmp_path}/v.db",
        vault_key=lambda: b"v" * 64,
        token_key=lambda: b"t" * 64,
        on_reveal=refuse,
    )
    vault.seal({"em1_a": "a@example.com"})
    with pytest.raises(RuntimeError, match="ledger is away"):
        vault.reveal(["em1_a"], actor="dispatch", purpose="collections")
    vault.close()


@pytest.mark.parametrize(("actor", "purpose"), [("", "collections"), ("dispatch", "")])
def test_a_read_needs_a_name_and_a_purpose(house: LandingHouse, actor: str, purpose: str) -> None:
    house.vault.seal({"em1_a": "a@example.com"})
    with pytest.raises(VaultError, match="actor and a purpose"):
        house.vault.reveal(["em1_a"], actor=actor, purpose=purpose)
    with pytest.raises(VaultError, match="actor and a purpose"):
        house.vault.open_record(b"", "f", 1, actor=actor, purpose=purpose)
    assert house.reveals == []


def test_unknown_tokens_and_foreign_keys_are_errors(house: LandingHouse) -> None:
    with pytest.raises(VaultError, match="holds no value for 1 of 1 tokens"):
        house.vault.reveal(["em1_nobody"], actor="dispatch", purpose="collections")
    house.vault.seal({"em1_a": "a@example.com"})
    stranger = Vault(
        f"sqlite:///{house.root}/vault.db",
        vault_key=lambda: b"w" * 64,
        token_key=lambda: b"t" * 64,
        on_reveal=house.reveals.append,
    )
    with pytest.raises(VaultError, match="cannot be opened"):
        stranger.reveal(["em1_a"], actor="dispatch", purpose="collections")
    stranger.close()


def test_a_record_opens_only_as_the_row_it_was(house: LandingHouse) -> None:
    sealed = house.vault.seal_record(b"A1,Asha", "file", 7)
    assert b"Asha" not in sealed
    opened = house.vault.open_record(sealed, "file", 7, actor="auditor", purpose="complaint")
    assert opened == b"A1,Asha"
    with pytest.raises(VaultError, match="cannot be opened"):
        house.vault.open_record(sealed, "file", 8, actor="auditor", purpose="complaint")


def test_tokens_of_two_lenders_or_kinds_never_meet(house: LandingHouse) -> None:
    keys = {
        house.vault.token_key(lender, kind)
        for lender in ("meridian", "northstar")
        for kind in ("phone", "email")
    }
    assert len(keys) == 4


def test_a_laptop_makes_its_key_once_and_for_itself_alone(tmp_path: Path) -> None:
    made = key(tmp_path / "keys")
    path = tmp_path / "keys" / "vault.key"
    assert len(made) == KEY_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key(tmp_path / "keys") == made
    assert [p.name for p in path.parent.iterdir()] == ["vault.key"]


def test_a_key_that_is_given_wins_and_must_be_one(tmp_path: Path) -> None:
    import base64

    given = os.urandom(KEY_BYTES)
    env = {"PAYMENTOR_VAULT_KEY": base64.b64encode(given).decode()}
    assert key(tmp_path, env, may_make=False) == given
    with pytest.raises(SettingsError, match="not base64"):
        key(tmp_path, {"PAYMENTOR_VAULT_KEY": "no!"})
    with pytest.raises(SettingsError, match="3 bytes instead of 64"):
        key(tmp_path, {"PAYMENTOR_VAULT_KEY": "YWJj"})
    with pytest.raises(SettingsError, match="set PAYMENTOR_VAULT_KEY"):
        key(tmp_path, may_make=False)
