"""`paymentor serve`: servers that lenders and payment processors deliver to."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from paymentor_assets.commands.console import out
from paymentor_assets.connections import PaymentsSource
from paymentor_assets.deployment import Deployment
from paymentor_assets.ingestion.contracts.book import ContractBook
from paymentor_assets.settings import Settings
from resources.errors import NotFound, UsageError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def serve() -> None:
    """Servers that lenders and payment processors deliver to."""


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
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    server.close()
    await server.wait_closed()


@app.command()
def webhooks(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
) -> None:
    """Receive payment processors' webhooks; TLS ends at the proxy in front."""
    # Only this command needs the web server.
    import uvicorn

    from api.payments_webhook import build_app

    deployment = Deployment(Settings.load())
    paths = _expected_webhooks(deployment)
    app = build_app(
        deployment.store,
        deployment.lenders,
        deployment.connectors,
        ContractBook(deployment.settings.lenders_dir),
        deployment.receipt_clock,
    )
    for path in paths:
        out.print(f"Receiving on http://{host}:{port}{path}")
    uvicorn.run(app, host=host, port=port, server_header=False, log_level="warning")
    deployment.close()


def _expected_webhooks(deployment: Deployment) -> list[str]:
    """The paths that lenders' processors will call.

    Raises NotFound when no lender expects webhooks, and SettingsError when a secret is not set:
    found out now rather than by the first event.
    """
    paths = []
    for lender_id in deployment.lenders:
        for name, source in deployment.connectors.of(lender_id).items():
            if isinstance(source, PaymentsSource) and source.webhook_secret_variables:
                for variable in source.webhook_secret_variables:
                    deployment.connectors.secret(variable)
                paths.append(f"/webhooks/{name}/{lender_id}")
    if not paths:
        raise NotFound(
            "No lender expects webhooks; name webhook_secret_variables in a connector of kind "
            "payments first."
        )
    return paths
