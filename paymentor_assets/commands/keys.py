"""`paymentor keys`: keys that are exchanged with lenders."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from paymentor_assets.commands.console import err, out
from paymentor_assets.deployment import Deployment
from paymentor_assets.lenders import lender_named
from paymentor_assets.settings import Settings
from resources import openpgp

app = typer.Typer(no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys that are exchanged with lenders."""


@app.command()
def pgp(lender: Annotated[str, typer.Argument(help="The lender.")]) -> None:
    """Show the certificate to which a lender encrypts its files; makes the key at first use."""
    deployment = Deployment(Settings.load())
    lender_id = lender_named(deployment.lenders, lender).lender_id
    folder = deployment.settings.keys_dir / lender_id / "pgp"
    if any((folder / "secret").glob("[!.]*")):
        certificate = openpgp.certificate_of(deployment.pgp_keys(lender_id))
    else:
        certificate = openpgp.make_key(
            deployment.settings.keys_dir,
            lender_id,
            passphrase_is_set=bool(os.environ.get(openpgp.PGP_PASSPHRASE)),
        )
    out.print(certificate, markup=False, soft_wrap=True, end="")
    err.print(
        f"Send this certificate to {lender_id}, and put theirs into {folder / 'certs'}. With gpg "
        f'they seal a file by: gpg --sign --encrypt --compress-algo none -r "PayMentor for '
        f'{lender_id}" FILE',
        markup=False,
        soft_wrap=True,
    )
