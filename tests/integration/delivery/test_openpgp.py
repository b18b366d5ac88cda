"""Sealed files: what gpg makes opens here and the other way round, and nothing else does."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysequoia
import pytest

from resources.errors import RejectedFile, SettingsError
from resources.openpgp import PgpKeys, certificate_of, decrypt, make_key

CONTENT = b"account_id,amount\nA1,5.00\n" * 4000
NOW = datetime.now(UTC)
UNCOMPRESSED = ("--compress-algo", "none")
pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


class Gpg:
    """A lender with gpg; `lender` and `stranger` are its keys, `platform` the recipient."""

    def __init__(self, home: Path, keys_dir: Path) -> None:
        self._home = home
        self.run("--import", content=make_key(keys_dir, "m", passphrase_is_set=False).encode())
        for user in ("lender", "stranger"):
            self.run("--quick-gen-key", f"{user}@example.com", "default", "default", "1y")
        certs = keys_dir / "m" / "pgp" / "certs"
        (certs / "lender.asc").write_bytes(self.run("--armor", "--export", "lender@example.com"))
        self.keys = PgpKeys.load(keys_dir, "m")

    def run(self, *arguments: str, content: bytes = b"") -> bytes:
        """Run gpg; returns what it writes."""
        command = ["gpg", "--homedir", str(self._home), "--batch", "--yes", "--quiet"]
        command += ["--trust-model", "always", "--pinentry-mode", "loopback", "--passphrase", ""]
        done = subprocess.run([*command, *arguments], input=content, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def seal(self, *options: str, content: bytes = CONTENT, to: str = "PayMentor for m") -> bytes:
        """Encrypt without signing, unless the options do."""
        return self.run("--encrypt", "--recipient", f"={to}", *options, content=content)

    def signed(self, *options: str, by: str = "lender", content: bytes = CONTENT) -> bytes:
        """Sign and encrypt, uncompressed."""
        user = f"{by}@example.com"
        return self.seal(*UNCOMPRESSED, "--sign", "-u", user, *options, content=content)


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    # The agent's socket stands in here, and its path must be short.
    home = Path(tempfile.mkdtemp(prefix="gpg"))
    try:
        yield Gpg(home, tmp_path_factory.mktemp("keys"))
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
        shutil.rmtree(home, ignore_errors=True)


def opened(
    sealed: bytes,
    keys: PgpKeys,
    folder: Path,
    *,
    must_be_signed: bool = True,
    now: datetime = NOW,
    max_bytes: int = 1 << 30,
) -> bytes:
    target = folder / "plain"
    decrypt(
        io.BytesIO(sealed),
        "m/f/f.csv.pgp",
        keys,
        target,
        must_be_signed=must_be_signed,
        now=now,
        max_bytes=max_bytes,
    )
    assert target.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in folder.iterdir()] == ["plain"]
    content = target.read_bytes()
    target.unlink()
    return content


def refused(sealed: bytes, keys: PgpKeys, folder: Path, **how: object) -> RejectedFile:
    with pytest.raises(RejectedFile) as refusal:
        opened(sealed, keys, folder, **how)  # type: ignore[arg-type]
    assert str(refusal.value).startswith("m/f/f.csv.pgp ") and "Stack" not in str(refusal.value)
    assert list(folder.iterdir()) == []
    return refusal.value


@pytest.mark.parametrize("armor", [[], ["--armor"]], ids=["binary", "armored"])
def test_a_signed_file_of_gpg_opens(gpg: Gpg, tmp_path: Path, armor: list[str]) -> None:
    assert opened(gpg.signed(*armor), gpg.keys, tmp_path) == CONTENT


def test_a_file_for_several_recipients_opens(gpg: Gpg, tmp_path: Path) -> None:
    both = gpg.signed("--recipient", "stranger@example.com")
    hidden = gpg.signed("--throw-keyids")
    assert opened(both, gpg.keys, tmp_path) == opened(hidden, gpg.keys, tmp_path) == CONTENT


def test_gpg_opens_what_is_sealed_and_signed_with_our_key(gpg: Gpg) -> None:
    ours = pysequoia.Tsk.from_bytes(gpg.keys.secret_keys[0])
    lender = pysequoia.Cert.from_bytes(gpg.keys.certificates[0])
    sealed = pysequoia.encrypt(recipients=[lender], signer=ours.signer(), bytes=CONTENT)
    assert gpg.run("--decrypt", content=sealed) == CONTENT


@pytest.mark.parametrize("options", [(), UNCOMPRESSED, ("--compress-algo", "zlib")])
def test_an_unsigned_file_opens_only_where_the_contract_lets_it(
    gpg: Gpg, tmp_path: Path, options: tuple[str, ...]
) -> None:
    sealed = gpg.seal(*options)
    assert opened(sealed, gpg.keys, tmp_path, must_be_signed=False) == CONTENT


def test_an_unsigned_file_is_refused_where_a_signature_is_demanded(
    gpg: Gpg, tmp_path: Path
) -> None:
    refusal = refused(gpg.seal(*UNCOMPRESSED), gpg.keys, tmp_path)
    assert refusal.reason_code == "UNSIGNED_FILE"


def test_a_signature_inside_compression_is_refused_with_the_way_out(
    gpg: Gpg, tmp_path: Path
) -> None:
    sealed = gpg.seal("--sign", "-u", "lender@example.com")
    refusal = refused(sealed, gpg.keys, tmp_path)
    assert refusal.reason_code == "BAD_SIGNATURE" and "--compress-algo none" in str(refusal)
    assert opened(sealed, gpg.keys, tmp_path, must_be_signed=False) == CONTENT


def test_the_signature_of_a_stranger_is_refused(gpg: Gpg, tmp_path: Path) -> None:
    refusal = refused(gpg.signed(by="stranger"), gpg.keys, tmp_path)
    assert refusal.reason_code == "BAD_SIGNATURE" and "signed by" in str(refusal)


def test_nothing_of_a_large_file_is_released_before_its_signature_is(
    gpg: Gpg, tmp_path: Path
) -> None:
    content = random.Random(7).randbytes(40_000_000)
    assert opened(gpg.signed(content=content), gpg.keys, tmp_path) == content
    sealed = gpg.signed(by="stranger", content=content)
    assert refused(sealed, gpg.keys, tmp_path).reason_code == "BAD_SIGNATURE"
    flipped = bytearray(gpg.signed(content=content))
    flipped[-40] ^= 1
    assert refused(bytes(flipped), gpg.keys, tmp_path).reason_code == "CORRUPT_FILE"


def test_an_expired_signer_is_refused(gpg: Gpg, tmp_path: Path) -> None:
    later = NOW + timedelta(days=400)
    refusal = refused(gpg.signed(), gpg.keys, tmp_path, now=later)
    assert refusal.reason_code == "EXPIRED_KEY" and "lender's key" in str(refusal)


def test_a_signer_cannot_date_its_signature_before_the_expiry(gpg: Gpg, tmp_path: Path) -> None:
    then = ["--faked-system-time", "20200101T000000!", "--ignore-time-conflict"]
    gpg.run(*then, "--quick-gen-key", "old@example.com", "rsa2048", "sign", "1m")
    keys = replace(gpg.keys, certificates=(gpg.run("--export", "old@example.com"),))
    sealed = gpg.signed(*then, "--ignore-valid-from", by="old")
    assert refused(sealed, keys, tmp_path).reason_code == "EXPIRED_KEY"


def test_a_file_for_another_key_is_refused(gpg: Gpg, tmp_path: Path) -> None:
    sealed = gpg.run("--encrypt", "--recipient", "stranger@example.com", content=CONTENT)
    refusal = refused(sealed, gpg.keys, tmp_path)
    assert refusal.reason_code == "WRONG_KEY"
    assert "paymentor keys pgp m" in str(refusal)


def test_a_file_for_an_expired_key_of_ours_is_refused(gpg: Gpg, tmp_path: Path) -> None:
    old = pysequoia.Tsk.generate("Old <old@example.com>", validity_seconds=86_400)
    sealed = pysequoia.encrypt(recipients=[old.extract_certificate()], bytes=CONTENT)
    keys = replace(gpg.keys, secret_keys=(*gpg.keys.secret_keys, bytes(old)))
    assert opened(sealed, keys, tmp_path, must_be_signed=False) == CONTENT
    refusal = refused(sealed, keys, tmp_path, must_be_signed=False, now=NOW + timedelta(days=2))
    assert refusal.reason_code == "EXPIRED_KEY" and "our key" in str(refusal)


def test_a_password_instead_of_a_key_is_refused(gpg: Gpg, tmp_path: Path) -> None:
    sealed = pysequoia.encrypt(passwords=["secret"], bytes=CONTENT)
    assert refused(sealed, gpg.keys, tmp_path).reason_code == "WRONG_KEY"


@pytest.mark.parametrize("must_be_signed", [True, False])
@pytest.mark.parametrize("armor", [[], ["--armor"]], ids=["binary", "armored"])
def test_what_is_not_encrypted_is_refused(
    gpg: Gpg, tmp_path: Path, must_be_signed: bool, armor: list[str]
) -> None:
    signed_only = gpg.run("--sign", *armor, "-u", "lender@example.com", content=CONTENT)
    clear = gpg.run("--clear-sign", "-u", "lender@example.com", content=CONTENT)
    block = b"-----BEGIN PGP MESSAGE-----\n"
    for plain in (CONTENT, b"", b"\n", b"\xff", signed_only, clear, block, block + b"\n!\n"):
        refusal = refused(plain, gpg.keys, tmp_path, must_be_signed=must_be_signed)
        assert refusal.reason_code == "NOT_ENCRYPTED"


def test_a_cut_file_is_refused(gpg: Gpg, tmp_path: Path) -> None:
    sealed = gpg.signed()
    for length in (1, 2, 20, 95, 100, 200, len(sealed) // 2, len(sealed) - 30, len(sealed) - 1):
        refusal = refused(sealed[:length], gpg.keys, tmp_path)
        assert refusal.reason_code in ("CORRUPT_FILE", "WRONG_KEY"), length


def test_a_changed_bit_is_found(gpg: Gpg, tmp_path: Path) -> None:
    sealed = gpg.signed(content=CONTENT[:2000])
    chosen = random.Random(7)
    for _ in range(40):
        changed = bytearray(sealed)
        changed[chosen.randrange(len(changed))] ^= 1 << chosen.randrange(8)
        for must_be_signed in (True, False):
            refusal = refused(bytes(changed), gpg.keys, tmp_path, must_be_signed=must_be_signed)
            assert refusal.reason_code and str(refusal)


def test_a_bomb_ends_at_the_cap(gpg: Gpg, tmp_path: Path) -> None:
    bomb = gpg.seal(content=bytes(200_000_000))
    assert len(bomb) < 1_000_000
    refusal = refused(bomb, gpg.keys, tmp_path, must_be_signed=False, max_bytes=1_000_000)
    assert refusal.reason_code == "FILE_TOO_LARGE" and "1000000 bytes" in str(refusal)


def test_a_key_may_have_a_passphrase(gpg: Gpg, tmp_path: Path) -> None:
    secret = ("--passphrase", "hunter")
    gpg.run(*secret, "--quick-gen-key", "pw@example.com", "rsa2048", "sign,encrypt", "1y")
    exported = gpg.run(*secret, "--export-secret-keys", "pw@example.com")
    sealed = gpg.run("--encrypt", "--recipient", "pw@example.com", content=CONTENT)
    keys = replace(gpg.keys, secret_keys=(exported,), passphrase="hunter")
    assert opened(sealed, keys, tmp_path, must_be_signed=False) == CONTENT
    for wrong in ("other", None):
        with pytest.raises(SettingsError, match="PAYMENTOR_PGP_PASSPHRASE"):
            opened(sealed, replace(keys, passphrase=wrong), tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_none_is_our_fault_and_not_the_files(gpg: Gpg, tmp_path: Path) -> None:
    sealed = gpg.signed()
    for keys in (
        replace(gpg.keys, secret_keys=(b"junk",)),
        replace(gpg.keys, certificates=(b"junk",)),
        replace(gpg.keys, secret_keys=(certificate_of(gpg.keys).encode(),)),
    ):
        with pytest.raises(SettingsError, match="lender 'm'"):
            opened(sealed, keys, tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_keys_are_made_once_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="paymentor keys pgp m"):
        PgpKeys.load(tmp_path, "m")
    certificate = make_key(tmp_path, "m", passphrase_is_set=False)
    keys = PgpKeys.load(tmp_path, "m")
    assert certificate == certificate_of(keys) and "PUBLIC KEY BLOCK" in certificate
    assert "PRIVATE" not in repr(keys)
    (path,) = (tmp_path / "m" / "pgp" / "secret").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="there already"):
        make_key(tmp_path, "m", passphrase_is_set=False)
    with pytest.raises(SettingsError, match="passphrase"):
        make_key(tmp_path, "other", passphrase_is_set=True)
