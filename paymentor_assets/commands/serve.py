"""`paymentor serve`: servers that lenders deliver to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

import typer

from paymentor_assets.commands.console import out
from paymentor_assets.deployment import Deployment
from paymentor_assets.settings import Settings
from resources.errors import UsageError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def serve() -> None:
    """Servers that lenders deliver to."""


@app.command()
def sftp(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 2222,
) -> None:
    """Take in files over SFTP; a lender's keys stand in lenders/<lender>.authorized_keys."""
    deployment = Deployment(Settings.load())
    if deployment.settings.landing_url is not None:
        raise UsageError(
            f"Files are taken from {deployment.settings.landing_url}, so nobody would read what "
            "lands in the local folder; unset PAYMENTOR_LANDING_URL."
        )
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(deployment, host, port))


async def _serve(deployment: Deployment, host: str, port: int) -> None:
    # Only this command needs the SSH library.
    from resources import sftp_drop

    settings = deployment.settings
    host_key = settings.keys_dir / "sftp_host.key"
    if settings.makes_own_keys and not host_key.exists():
        sftp_drop.make_host_key(host_key)
    server = await sftp_drop.serve(
        host=host,
        port=port,
        landing_dir=settings.landing_dir,
        keys_dir=settings.lenders_dir,
        host_key=host_key,
    )
    out.print(
        f"SFTP drop on {host}:{server.get_port()}, host key {sftp_drop.fingerprint(host_key)}. "
        f"Lenders log in by their id with a key of {settings.lenders_dir}/<lender>.authorized_keys;"
        " Ctrl-C ends it.",
        soft_wrap=True,
    )
    await server.wait_closed()
