"""The SFTP drop lets lenders put files into their own folder, whole, and nothing else."""

from __future__ import annotations

import itertools
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from resources.errors import SettingsError
from resources.landing_zone import LocalLandingZone
from resources.landing_zone_sftp import SftpLandingZone
from resources.sftp_drop import make_host_key, serve
from tests.support.servers import Drop, sftp_drop_server

NAME = "portfolio/portfolio_2026-06-30.csv"
NUMBERS = itertools.count()
Act = Callable[[asyncssh.SFTPClient], Awaitable[Any]]


class Sender:
    """A lender with a key."""

    def __init__(self, drop: Drop, lender_id: str) -> None:
        self.drop, self.lender_id, self.key = drop, lender_id, drop.admit(lender_id)

    @property
    def folder(self) -> Path:
        """Where its files land."""
        return self.drop.landing / self.lender_id

    def does(self, act: Act, **options: Any) -> Any:
        """Do something in a session of its own."""

        async def session() -> Any:
            async with (
                self.drop.connect(self.lender_id, self.key, **options) as connection,
                connection.start_sftp_client() as client,
            ):
                return await act(client)

        return self.drop.run(session())

    def visible(self) -> list[str]:
        """What the landing zone shows."""
        return [f.uri for f in LocalLandingZone(self.folder).list()]

    def left(self) -> list[str]:
        """Everything that is there, hidden or not."""
        return sorted(p.name for p in self.folder.rglob("*") if not p.is_dir())


@pytest.fixture
def sender(drop: Drop) -> Sender:
    """A lender nobody else uses, with a feed's folder."""
    lender = Sender(drop, f"lender{next(NUMBERS)}")
    lender.does(lambda client: client.makedirs("portfolio", exist_ok=True))
    return lender


def test_an_upload_appears_when_it_is_closed(sender: Sender) -> None:
    async def upload(client: asyncssh.SFTPClient) -> None:
        file = await client.open(NAME, "wb")
        await file.write(b"a,b\n")
        assert sender.visible() == [] and not (sender.folder / NAME).exists()
        await file.write(b"1,2\n")
        await file.close()
        assert (await client.stat(NAME)).size == 8

    sender.does(upload)
    assert sender.visible() == [NAME]
    assert (sender.folder / NAME).read_bytes() == b"a,b\n1,2\n"


def test_the_programs_that_people_use_can_upload(sender: Sender, tmp_path: Path) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(os.urandom(3_000_000))
    os.utime(source, (1_000_000_000, 1_000_000_000))
    sender.does(lambda client: client.put(str(source), NAME, preserve=True))
    assert (sender.folder / NAME).read_bytes() == source.read_bytes()
    assert (sender.folder / NAME).stat().st_mtime == 1_000_000_000
    assert sender.does(lambda client: client.listdir("/")) == [".", "..", "portfolio"]


@pytest.mark.parametrize("end", ["politely", "cut"])
def test_an_upload_that_breaks_off_leaves_nothing(sender: Sender, end: str) -> None:
    async def upload() -> None:
        async with sender.drop.connect(sender.lender_id, sender.key) as connection:
            client = await connection.start_sftp_client()
            file = await client.open(NAME, "wb")
            await file.write(b"half")
            if end == "politely":
                client.exit()
                await client.wait_closed()
            else:
                connection.abort()

    sender.drop.run(upload())
    sender.does(lambda client: client.listdir("portfolio"))
    assert sender.left() == []


def test_an_upload_that_breaks_off_leaves_the_file_of_before(sender: Sender) -> None:
    async def again(client: asyncssh.SFTPClient) -> None:
        async with client.open(NAME, "wb") as file:
            await file.write(b"first")
        other = await client.open(NAME, "wb")
        await other.write(b"sec")
        assert (sender.folder / NAME).read_bytes() == b"first"
        client.exit()
        await client.wait_closed()

    sender.does(again)
    sender.does(lambda client: client.listdir("portfolio"))
    assert (sender.folder / NAME).read_bytes() == b"first"
    assert sender.left() == [Path(NAME).name]


def test_a_complete_file_is_replaced_at_once_and_never_changed(sender: Sender) -> None:
    async def write(client: asyncssh.SFTPClient, mode: str, content: bytes) -> None:
        async with client.open(NAME, mode) as file:
            await file.write(content)

    sender.does(lambda client: write(client, "wb", b"first"))
    zone = LocalLandingZone(sender.folder)
    before = zone.list()[0].etag
    sender.does(lambda client: write(client, "wb", b"other"))
    assert (sender.folder / NAME).read_bytes() == b"other"
    assert zone.list()[0].etag != before
    for mode in ("ab", "r+b"):
        with pytest.raises(asyncssh.SFTPPermissionDenied, match="complete"):
            sender.does(lambda client, mode=mode: write(client, mode, b"more"))
    with pytest.raises(asyncssh.SFTPPermissionDenied, match="whole"):
        sender.does(lambda client: client.truncate(NAME, 1))
    with pytest.raises(asyncssh.SFTPFailure):
        sender.does(lambda client: write(client, "xb", b"more"))
    assert (sender.folder / NAME).read_bytes() == b"other"


def test_a_sender_may_rename_at_the_end_itself(sender: Sender) -> None:
    async def upload(client: asyncssh.SFTPClient) -> None:
        async with client.open(f"{NAME}.filepart", "wb") as file:
            await file.write(b"x")
        assert sender.visible() == []
        await client.posix_rename(f"{NAME}.filepart", NAME)

    sender.does(upload)
    assert sender.visible() == [NAME]


def test_mode_and_owner_stay_ours(sender: Sender) -> None:
    async def upload(client: asyncssh.SFTPClient) -> None:
        async with client.open(NAME, "wb") as file:
            await file.write(b"x")
        await client.chmod(NAME, 0o000)

    sender.does(upload)
    assert (sender.folder / NAME).stat().st_mode & 0o600 == 0o600


@pytest.mark.parametrize(
    "path",
    ["../other/f", "/../../other/f", "portfolio/../../other/f", "//etc/passwd", "../../host.key"],
)
def test_a_path_cannot_leave_the_folder(sender: Sender, path: str) -> None:
    outside = sorted(p for p in sender.drop.root.rglob("*") if sender.folder not in p.parents)

    async def write(client: asyncssh.SFTPClient) -> None:
        async with client.open(path, "wb") as file:
            await file.write(b"x")

    # What lies above the folder is the folder itself, so that some of these are places in it.
    with suppress(asyncssh.SFTPError):
        sender.does(write)
    assert outside == sorted(
        p for p in sender.drop.root.rglob("*") if sender.folder not in p.parents
    )


def test_links_are_neither_made_nor_followed(sender: Sender) -> None:
    (sender.folder / "inside").symlink_to(sender.drop.root)
    (sender.folder / "key").symlink_to(sender.drop.root / "host.key")
    acts: list[Act] = [
        lambda client: client.symlink("/etc/passwd", "portfolio/link"),
        lambda client: client.link(NAME, "portfolio/link"),
        lambda client: client.readlink("key"),
        lambda client: client.open("key", "rb"),
        lambda client: client.open("inside/new", "wb"),
        lambda client: client.listdir("inside"),
        lambda client: client.stat("inside/host.key"),
        lambda client: client.rename("inside/host.key", "portfolio/mine"),
    ]
    for act in acts:
        with pytest.raises(asyncssh.SFTPError):
            sender.does(act)
    assert not (sender.drop.root / "new").exists()


@pytest.mark.parametrize("name", ["new\nline.csv", "bell\x07.csv", b"not-utf8-\xff.csv"])
def test_names_that_cannot_be_shown_are_refused(sender: Sender, name: str | bytes) -> None:
    path: Any = f"portfolio/{name}" if isinstance(name, str) else b"portfolio/" + name
    with pytest.raises(asyncssh.SFTPPermissionDenied):
        sender.does(lambda client: client.open(path, "wb"))
    assert sender.left() == []


def test_what_a_dead_server_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "landing" / "one" / "portfolio" / ".portfolio_2026-06-30.csv.0a.upload"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with sftp_drop_server(tmp_path):
        assert not left.exists()


def test_nobody_sees_the_files_of_others(drop: Drop) -> None:
    one, other = Sender(drop, "one"), Sender(drop, "other")

    async def write(client: asyncssh.SFTPClient) -> None:
        async with client.open("mine.csv", "wb") as file:
            await file.write(b"x")

    one.does(write)
    assert other.does(lambda client: client.listdir("/")) == [".", ".."]
    assert other.does(lambda client: client.realpath("/../one")) == "/one"
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        other.does(lambda client: client.stat("/one/mine.csv"))


def test_only_known_keys_come_in(drop: Drop) -> None:
    known, stranger = Sender(drop, "known"), Sender(drop, "stranger")

    async def come(user: str, **options: Any) -> None:
        async with drop.connect(user, stranger.key, **options):
            pass

    # The last one is a path: it names the file of keys that would let the stranger in.
    for user in ("known", "nobody", "", "../" + drop.root.name + "/stranger"):
        with pytest.raises(asyncssh.PermissionDenied):
            drop.run(come(user))
    with pytest.raises(asyncssh.PermissionDenied):
        drop.run(come("known", client_keys=None, password="secret"))
    (drop.root / "known.authorized_keys").unlink()
    with pytest.raises(asyncssh.PermissionDenied):
        known.does(lambda client: client.listdir("/"))


def test_there_is_no_shell_and_no_forwarding(sender: Sender) -> None:
    async def shell() -> None:
        async with sender.drop.connect(sender.lender_id, sender.key) as connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.run("id", check=True)
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", sender.drop.port)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 1)

    sender.drop.run(shell())


def test_a_missing_host_key_says_how_to_make_one(drop: Drop, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ssh-keygen"):
        drop.run(
            serve(
                host="127.0.0.1",
                port=0,
                landing_dir=tmp_path,
                keys_dir=tmp_path,
                host_key=tmp_path / "none",
            )
        )
    make_host_key(tmp_path / "made")
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600


def zone_of(drop: Drop, sender: Sender, **changes: Any) -> SftpLandingZone:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": drop.port,
        "user": sender.lender_id,
        "root": "/",
        "key_file": sender.key,
        "known_hosts": drop.known_hosts,
    }
    return SftpLandingZone(**(settings | changes))


def test_a_zone_sees_an_upload_when_it_has_settled(drop: Drop, sender: Sender) -> None:
    async def write(client: asyncssh.SFTPClient) -> None:
        async with client.open(NAME, "wb") as file:
            await file.write(b"x")

    sender.does(write)
    fresh, settled = zone_of(drop, sender), zone_of(drop, sender, settling=timedelta(0))
    assert fresh.list() == []
    assert [f.uri for f in settled.list()] == [NAME]
    for when in (0, 4_000_000_000):
        os.utime(sender.folder / NAME, (when, when))
        assert [f.uri for f in fresh.list()] == [NAME]
    fresh.close()
    settled.close()


def test_a_server_that_is_not_known_is_not_talked_to(
    drop: Drop, sender: Sender, tmp_path: Path
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    for line in ("", f"[127.0.0.1]:{drop.port} {other}"):
        known = tmp_path / "known_hosts"
        known.write_text(line)
        zone = zone_of(drop, sender, known_hosts=known)
        with pytest.raises(OSError, match=r"sftp://.* cannot be read"):
            zone.list()
        zone.close()


def test_a_wrong_key_is_an_os_error(drop: Drop, sender: Sender) -> None:
    zone = zone_of(drop, sender, key_file=Sender(drop, "someone").key)
    with pytest.raises(OSError, match="Permission denied"):
        zone.list()
    zone.close()


def test_a_lost_connection_is_an_os_error_and_the_next_call_connects(
    drop: Drop, sender: Sender
) -> None:
    (sender.folder / NAME).write_bytes(bytes(30_000_000))
    os.utime(sender.folder / NAME, (0, 0))
    zone = zone_of(drop, sender)
    with zone.open(NAME) as stream:
        assert len(stream.read(1000)) == 1000
        zone.close()
        with pytest.raises(OSError):
            stream.seek(20_000_000)
            stream.read(1000)
    assert [f.size for f in zone.list()] == [30_000_000]
    zone.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sftp://bank:secret@host/in", "password"),
        ("sftp://host/in", "sftp://user@host"),
        ("ftp://bank@host/in", "sftp://user@host"),
        ("sftp://bank@host/in", "PAYMENTOR_SFTP_KNOWN_HOSTS"),
    ],
)
def test_urls_that_cannot_be_used_are_refused(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        SftpLandingZone.at(url, key_file=Path("/nowhere"), known_hosts=None)
    assert "secret" not in str(refused.value)
