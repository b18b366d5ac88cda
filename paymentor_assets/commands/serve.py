"""`paymentor serve webhooks`: the receiver of payment processors' webhooks."""

from __future__ import annotations

import uvicorn

from api.payments_webhook import build_app
from paymentor_assets.commands.console import out
from paymentor_assets.connections import PaymentsSource
from paymentor_assets.deployment import Deployment
from resources.errors import NotFound


def serve_webhooks(deployment: Deployment, host: str, port: int) -> None:
    """Serve until interrupted; TLS ends at the proxy in front.

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
    app = build_app(
        deployment.store, deployment.lenders, deployment.connectors, deployment.receipt_clock
    )
    for path in paths:
        out.print(f"Receiving on http://{host}:{port}{path}")
    uvicorn.run(app, host=host, port=port, server_header=False, log_level="warning")
    deployment.close()
