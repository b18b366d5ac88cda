"""Opt-out words: on the body, in every language, without taking every word for one."""

from __future__ import annotations

import pytest

from paymentor_assets.engagement.opt_outs import is_opt_out


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "Stop", " stop. ", "stop!!!", "Please stop texting me", "stop all", "QUIT", "end",
        "End.", "revoke", "I revoke my consent", "opt out", "Opt-Out", "optout", "cancel", "CANCEL",
        "cancel please", "unsubscribe", "Unsubscribe me now", "don't contact me", "dont text me",
        "बंद करो", "कृपया संदेश बंद करें", "मत भेजो", "band karo",
        "थांबवा", "कृपया थांबवा", "पाठवू नका",
        "நிறுத்து", "தயவுசெய்து நிறுத்தவும்", "வேண்டாம்",
        "parar", "Por favor, no más mensajes", "baja", "BASTA", "darme de baja",
    ],
)  # fmt: skip
def test_opt_outs(text: str) -> None:
    assert is_opt_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "yes", "YES", "HELP", "I will pay at month end", "please cancel the late fee",
        "when does the term end?", "paid already, thanks", "no problem, tomorrow", "non-stopping",
        "हाँ, मैं कल भुगतान करूँगा", "பணம் செலுத்திவிட்டேன்", "उद्या भरतो", "pagaré mañana",
    ],
)  # fmt: skip
def test_ordinary_replies(text: str) -> None:
    assert not is_opt_out(text)
