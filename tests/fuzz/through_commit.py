"""Mutants delivered as files and taken in for good, many in one run, and what must hold then.

Used by the tests of a CI run with a few hundred, by `make proof` with all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import groupby, islice

from sqlalchemy import select

from paymentor_assets.ingestion.conservation import lost_rows, orphan_rows
from paymentor_assets.ingestion.contracts.odcs_writing import write_contract
from paymentor_assets.ingestion.result import IngestionResult
from resources.clock import naive_utc
from resources.operational_schema import file_index
from resources.session_keys import SessionKeys
from tests.fuzz import sound_files as sound
from tests.fuzz.formats import FORMATS, Fuzzed
from tests.fuzz.mutants import mutants
from tests.support.landing_house import DAY, DELIVERED, NOW, LandingHouse, make_lender

#: Files of one run.
RUN_FILES = 1000

Delivered = Mapping[str, tuple[Fuzzed, bytes]]


def take_in_mutants(house: LandingHouse, count: int, *, seed: int = 7) -> Counter[str]:
    """Take in so many mutants of all formats, in their proportions; returns outcomes by reason.

    Raises AssertionError with the file's name where anything is lost, orphaned or left undecided.
    """
    outcomes: Counter[str] = Counter()
    _agree(house)
    chosen = sorted(_mutants_of_all(count, seed), key=_lender_id)
    for lender_id, of_lender in groupby(chosen, key=_lender_id):
        number = 0
        while part := list(islice(of_lender, RUN_FILES)):
            # What a run wrote is told by its instant.
            at = house.at(NOW + timedelta(minutes=number))
            delivered = {
                _deliver(at, fuzzed, f"{number}x{i}", content): (fuzzed, content)
                for i, (fuzzed, content) in enumerate(part)
            }
            lender = make_lender(lender_id, max_rejected_share=0.9)
            result = at.ingest(run_id=f"{lender_id}-{number}", lender=lender)
            outcomes += _checked(at, delivered, result)
            number += 1
    return outcomes


def shares(count: int) -> dict[str, int]:
    """`count` mutants spread over the formats as the ten thousand are, at least one of each."""
    total = sum(fuzzed.mutants for fuzzed in FORMATS.values())
    spread = {name: max(1, count * f.mutants // total) for name, f in FORMATS.items()}
    most = max(FORMATS, key=lambda name: FORMATS[name].mutants)
    return spread | {most: spread[most] + count - sum(spread.values())}


def _mutants_of_all(count: int, seed: int) -> Iterator[tuple[Fuzzed, bytes]]:
    for name, share in shares(count).items():
        for content in mutants(name, FORMATS[name], share, seed=seed):
            yield FORMATS[name], content


def _lender_id(mutant: tuple[Fuzzed, bytes]) -> str:
    return mutant[0].lender_id


def _agree(house: LandingHouse) -> None:
    """Contracts, keys and consents of all lenders."""
    for fuzzed in FORMATS.values():
        if fuzzed.changes:
            path = house.root / "lenders" / fuzzed.lender_id / f"{fuzzed.feed}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(write_contract(fuzzed.contract, lender_id=fuzzed.lender_id))
        if fuzzed.contract.encryption is not None:
            keys = sound.pgp_keys()
            for folder, key in (("secret", keys.secret_keys[0]), ("certs", keys.certificates[0])):
                file = house.root / "keys" / fuzzed.lender_id / "pgp" / folder / "key"
                file.parent.mkdir(parents=True)
                file.write_bytes(key)
    SessionKeys(house.root / "keys", "meridian").keep(sound.SESSION_NONCE, sound.SESSION_KEY)
    # Without consents on record no deposit of any mutant would be taken.
    consents = FORMATS["consents"]
    _deliver(house, consents, "sound", consents.sound)
    assert house.ingest(run_id="consents").count("ingested") == 1


def _deliver(house: LandingHouse, fuzzed: Fuzzed, suffix: str, content: bytes) -> str:
    name = f"{fuzzed.feed}_{DAY}_{DELIVERED:%Y%m%dT%H%M%SZ}_{suffix}.{fuzzed.extension}"
    uri = f"{fuzzed.lender_id}/{fuzzed.feed}/{name}"
    house.put(uri, content)
    return uri


def _checked(house: LandingHouse, delivered: Delivered, result: IngestionResult) -> Counter[str]:
    files = {file.name: file for file in result.files}
    assert files.keys() == delivered.keys()
    with house.store.read() as connection:
        rows = connection.execute(select(file_index.c.uri, file_index.c.status))
        settled = {row.uri: row.status for row in rows if row.uri in delivered}
    outcomes: Counter[str] = Counter()
    for name, file in files.items():
        told = f"{name}: {file.status}, {file.message}"
        fuzzed, content = delivered[name]
        assert settled[name] == file.status, told
        if file.status == "ingested":
            assert file.rows_total == fuzzed.count(fuzzed.unpacked(content)), told
        else:
            # The same bytes may come from two formats of one feed.
            assert file.status in ("rejected", "duplicate"), told
            assert file.message and name in file.message, told
        outcomes[str(file.reason_code or file.status)] += 1
    assert result.publication is not None
    for fault in (lost_rows, orphan_rows):
        assert fault(house.lake, result.publication, naive_utc(house.now)) == []
    return outcomes
