"""The vault: the only place where a token leads back to the value it stands for.

Its own database and its own key. Values are sealed with AES-SIV (RFC 5297), which is
deterministic: sealing twice yields the same bytes, so a repeated ingestion changes nothing. Every
read is reported before the values are handed out.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from sqlalchemy import (
    JSON,
    Column,
    Engine,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    cast,
    create_engine,
    func,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.sql.selectable import TableValuedAlias

from resources.errors import VaultError

#: The id of the keys in use; it stands in every token and row, so that keys can be rotated.
KEY_ID = "1"
_CHUNK = 5_000
#: Values of the vault for one token asked for, up to which reading along beats looking up.
_DENSE = 8

_metadata = MetaData()
_sealed_values = Table(
    "sealed_values",
    _metadata,
    Column("token", String, primary_key=True),
    Column("key_id", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True)
class Reveal:
    """One read of the vault: who asked for which tokens, and what for."""

    actor: str
    purpose: str
    tokens: tuple[str, ...]


class Vault:
    """Seals values under their tokens and reveals them to a named actor.

    `vault_key` (64 bytes) seals; `token_key` is the root of the keys that make tokens; both are
    asked for at first use, so that knowing of a vault needs no key. `on_reveal`
    writes the read down and is called before anything is revealed.
    """

    def __init__(
        self,
        url: str,
        *,
        vault_key: Callable[[], bytes],
        token_key: Callable[[], bytes],
        on_reveal: Callable[[Reveal], None],
    ) -> None:
        self._url = url
        self._vault_key = vault_key
        self._token_root = token_key
        self._on_reveal = on_reveal

    @cached_property
    def _cipher(self) -> AESSIV:
        return AESSIV(self._vault_key())

    @cached_property
    def _token_key(self) -> bytes:
        return self._token_root()

    @property
    def _is_sqlite(self) -> bool:
        return make_url(self._url).get_backend_name() == "sqlite"

    @cached_property
    def _engine(self) -> Engine:
        url = make_url(self._url)
        if self._is_sqlite and url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"timeout": 60} if self._is_sqlite else {})
        _metadata.create_all(engine)
        return engine

    def close(self) -> None:
        """Give the connections back."""
        if "_engine" in self.__dict__:
            self._engine.dispose()
            del self.__dict__["_engine"]

    def token_key(self, lender_id: str, kind: str) -> bytes:
        """The HMAC key (32 bytes) of one kind of value of one lender.

        Keys differ by lender and kind, so that tokens of two lenders can never be joined.
        """
        return hmac.digest(self._token_key, f"{lender_id}\x1f{kind}".encode(), sha256)

    def absent(self, tokens: pa.StringArray) -> pa.StringArray:
        """Those of the tokens, given in ascending order, that the vault holds no value for.

        Where the vault is about as dense as the tokens it is read along; where they are few among
        many, each is looked up.
        """
        if not len(tokens):
            return tokens
        token = _sealed_values.c.token
        most = len(tokens) * _DENSE
        reach = token.between(tokens[0].as_py(), tokens[-1].as_py())
        along = select(token).where(reach).limit(most).subquery()
        with self._engine.connect() as connection:
            # One text for all of them: a row each costs several times as much as reading it.
            joined = connection.execute(
                select(func.aggregate_strings(along.c.token, "\n"))
            ).scalar()
            known = pc.split_pattern(pa.array([joined or ""]), "\n").values
            if len(known) == most:
                listed = self._listed("wanted", "tokens")
                given = {"tokens": orjson.dumps(tokens.to_pylist()).decode()}
                looked_up = select(token).join_from(listed, _sealed_values, token == listed.c.value)
                known = pa.array(connection.execute(looked_up, given).scalars(), pa.string())
        return tokens.filter(pc.invert(pc.is_in(tokens, known)))

    def seal(self, values: Mapping[str, str]) -> int:
        """Store the values not yet present under their tokens; returns how many were new."""
        fresh = self.absent(pa.array(sorted(values), pa.string())).to_pylist()
        # Both drivers take the same statement but for their mark; rows that go through SQLAlchemy's
        # own insert cost as much again as sealing them.
        marks = "?, ?, ?" if self._is_sqlite else "%s, %s, %s"
        insert = (
            f"INSERT INTO sealed_values (token, key_id, sealed) VALUES ({marks}) "
            "ON CONFLICT DO NOTHING"
        )
        for chunk in _chunks(fresh):
            rows = [(t, KEY_ID, self._encrypt(values[t].encode(), t)) for t in chunk]
            with self._engine.begin() as connection:
                connection.exec_driver_sql(insert, rows)
        return len(fresh)

    def reveal(self, tokens: Iterable[str], *, actor: str, purpose: str) -> dict[str, str]:
        """The values behind tokens; the read is written down first.

        Raises VaultError when actor or purpose is empty, a token is unknown, or a value cannot be
        opened with the key in use.
        """
        wanted = tuple(sorted(set(tokens)))
        if not actor or not purpose:
            raise VaultError("A vault read needs an actor and a purpose; name both.")
        if not wanted:
            return {}
        self._on_reveal(Reveal(actor, purpose, wanted))
        sealed: dict[str, bytes] = {}
        with self._engine.connect() as connection:
            for chunk in _chunks(wanted):
                query = select(_sealed_values.c.token, _sealed_values.c.sealed).where(
                    _sealed_values.c.token.in_(chunk)
                )
                sealed.update({row.token: row.sealed for row in connection.execute(query)})
        if absent := [token for token in wanted if token not in sealed]:
            raise VaultError(
                f"The vault holds no value for {len(absent)} of {len(wanted)} tokens, the first "
                f"being {absent[0]}; the file it came from was not ingested with this vault."
            )
        return {token: self._decrypt(sealed[token], token).decode() for token in wanted}

    def seal_record(self, record: bytes, file_id: str, row_number: int) -> bytes:
        """The original bytes of a rejected row, encrypted and bound to its file and row."""
        return self._encrypt(record, f"{file_id}/{row_number}")

    def open_record(
        self, sealed: bytes, file_id: str, row_number: int, *, actor: str, purpose: str
    ) -> bytes:
        """The original bytes of a rejected row; the read is written down first."""
        if not actor or not purpose:
            raise VaultError("A vault read needs an actor and a purpose; name both.")
        self._on_reveal(Reveal(actor, purpose, (f"{file_id}/{row_number}",)))
        return self._decrypt(sealed, f"{file_id}/{row_number}")

    def _listed(self, name: str, parameter: str) -> TableValuedAlias:
        """A JSON array of texts, given as a parameter, as a relation with column `value`."""
        text = bindparam(parameter, type_=String)
        if self._is_sqlite:
            return func.json_each(text).table_valued("value", name=name)
        return func.json_array_elements_text(cast(text, JSON)).table_valued("value", name=name)

    def _encrypt(self, value: bytes, bound_to: str) -> bytes:
        # AES-SIV refuses empty plaintext in this library; the leading byte also versions the form.
        return self._cipher.encrypt(b"\x01" + value, [bound_to.encode()])

    def _decrypt(self, sealed: bytes, bound_to: str) -> bytes:
        try:
            return self._cipher.decrypt(sealed, [bound_to.encode()])[1:]
        except InvalidTag:
            raise VaultError(
                f"The sealed value of {bound_to} cannot be opened: another key sealed it, or it "
                "was changed. Check PAYMENTOR_VAULT_KEY or the keys folder."
            ) from None


def _chunks(items: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
