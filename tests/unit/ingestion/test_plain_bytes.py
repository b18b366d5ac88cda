"""What reaches a parser is the text that was meant, or the file is refused."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from paymentor_assets.ingestion import plain_bytes as plain
from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.contracts.model import FeedContract
from resources.errors import RejectedFile

TEXT = "a,b\n1,Zoë Straße\n".encode()


def contract(**changes: Any) -> FeedContract:
    return load_feeds()["payments"].model_copy(update=changes)


def read(
    delivered: bytes,
    scratch: Path,
    *,
    size: int = 1 << 16,
    file_id: str | None = None,
    **changes: Any,
) -> bytes:
    with plain.plain_bytes(
        io.BytesIO(delivered),
        contract(**changes),
        name="x.csv",
        size=len(delivered),
        file_id=file_id or sha256(delivered).hexdigest(),
        scratch=scratch,
        decrypt=lambda sealed, target: None,
    ) as stream:
        blocks = []
        while block := stream.read(size):
            blocks.append(block)
    assert list(scratch.iterdir()) == [], "the scratch is left empty"
    return b"".join(blocks)


def gzipped(content: bytes) -> bytes:
    """Without the time of day, which would name the tests differently in each worker."""
    return gzip.compress(content, mtime=0)


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as target:
        for name, content in members.items():
            target.writestr(zipfile.ZipInfo(name), content, method)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("delivered", "changes"),
    [
        (TEXT, {}),
        (gzipped(TEXT), {"compression": "gzip"}),
        (gzipped(TEXT[:5]) + gzipped(TEXT[5:]), {"compression": "gzip"}),
        (zipped({"folder/x.csv": TEXT}), {"compression": "zip"}),
        (TEXT.decode().encode("utf-16"), {"encoding": "utf-16"}),
        (TEXT.decode().encode("latin-1"), {"encoding": "latin-1"}),
        (
            gzipped(TEXT.decode().encode("latin-1")),
            {"compression": "gzip", "encoding": "latin-1"},
        ),
    ],
)
def test_the_text_comes_through(tmp_path: Path, delivered: bytes, changes: dict[str, Any]) -> None:
    assert read(delivered, tmp_path, size=7, **changes) == TEXT


def with_wrong_offset(archive: bytes) -> bytes:
    """The end of an archive says where its table of contents begins: here beyond the end."""
    return archive[:-6] + b"\xff\xff\0\0" + archive[-2:]


@pytest.mark.parametrize(
    ("delivered", "changes", "code", "sentence"),
    [
        (gzipped(TEXT)[:-5], {"compression": "gzip"}, "BAD_ARCHIVE", "decompressed"),
        (TEXT, {"compression": "gzip"}, "BAD_ARCHIVE", "decompressed"),
        (TEXT, {"compression": "zip"}, "BAD_ARCHIVE", "not a sound zip"),
        (zipped({"a": TEXT, "b": TEXT}), {"compression": "zip"}, "BAD_ARCHIVE", "2 files"),
        (zipped({}), {"compression": "zip"}, "BAD_ARCHIVE", "0 files"),
        (zipped({"../../etc/x": TEXT}), {"compression": "zip"}, "BAD_ARCHIVE", "outside itself"),
        (zipped({"/etc/x": TEXT}), {"compression": "zip"}, "BAD_ARCHIVE", "outside itself"),
        (zipped({"..\\x": TEXT}), {"compression": "zip"}, "BAD_ARCHIVE", "outside itself"),
        (with_wrong_offset(zipped({"x": TEXT})), {"compression": "zip"}, "BAD_ARCHIVE", "sound"),
        *(
            (zipped({"x": bytes(100)}, method), {"compression": "zip"}, "BAD_ARCHIVE", "deflate")
            for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        ),
        (
            zipped({f"{i:05d}": b"" for i in range(30_000)}),
            {"compression": "zip"},
            "BAD_ARCHIVE",
            "table of contents",
        ),
        (TEXT.decode().encode("utf-16-le"), {"encoding": "utf-16"}, "BAD_ENCODING", "BOM"),
        (TEXT + b"\xff", {"encoding": "utf-16"}, "BAD_ENCODING", "utf-16"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, delivered: bytes, changes: dict[str, Any], code: str, sentence: str
) -> None:
    with pytest.raises(RejectedFile, match=sentence) as error:
        read(delivered, tmp_path, **changes)
    assert error.value.reason_code == code


@pytest.mark.parametrize("compression", ["gzip", "zip"])
def test_a_bomb_is_stopped_long_before_it_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    monkeypatch.setattr(plain, "_TELLING_BYTES", 1 << 20)
    content = bytes(64 << 20)
    bomb = gzipped(content) if compression == "gzip" else zipped({"x": content})
    with pytest.raises(RejectedFile, match="250 times") as error:
        read(bomb, tmp_path, compression=compression)
    assert error.value.reason_code == "ARCHIVE_BOMB"


def test_a_small_file_of_repetitions_is_no_bomb(tmp_path: Path) -> None:
    content = b"a,b\n" * 100_000
    assert read(gzipped(content), tmp_path, compression="gzip") == content


def test_bytes_that_changed_are_an_error_to_try_again(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="changed while"):
        read(TEXT, tmp_path, file_id="0" * 64)
