"""Account Aggregator data as XML: `<FIData>` around one `<FI …>` a linked account.

    <FIData>
      <FI consentId="…" customerId="…" fipId="…" linkRefNumber="…" fetchedAt="…">
        <Account …>…</Account>          the ReBIT document, v1.x or v2.0.0
      </FI>
    </FIData>

The file is parsed as it streams, and an account is forgotten once it is read, so memory is bounded
by one account. A document type declaration is refused before the parser sees it: entities are how
XML makes a reader swallow gigabytes or open other files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from paymentor_assets.ingestion.parsers.aa_documents import AccountDocument, document_of
from paymentor_assets.ingestion.parsers.lines import BOM, MAX_RECORD_BYTES
from resources.errors import RejectedFile

#: Bytes between the ends of two accounts; the same bound as for a line of JSON.
MAX_ACCOUNT_BYTES = MAX_RECORD_BYTES
#: Declarations and comments before the first element must end within so many bytes.
MAX_PROLOG_BYTES = 64 << 10
_BLOCK_BYTES = 256 << 10
_END = b"</FI>"
#: Atomic, since a prolog of many comments would otherwise be matched in as many ways as subsets.
_PROLOG = re.compile(rb"(?>\s+|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_ENDING = re.compile(rb"FIData\s*/?>\s*\Z")
_ROOT = re.compile(rb"<(?:[\w.-]+:)?([\w.-]+)[\s/>]")
_SAFE: dict[str, Any] = {
    # The file is UTF-8 whatever it claims; an encoding of its own could hide a declaration.
    "encoding": "utf-8",
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def read_envelopes(stream: BinaryIO, name: str) -> Iterator[AccountDocument]:
    """The accounts of a file, one `<FI>` each; any other element in their place is one, too.

    Raises RejectedFile: XML_ENTITIES_REFUSED for a document type declaration, NO_ENVELOPE when the
    root is not `<FIData>`, TRUNCATED_FILE when the end is missing, UNREADABLE for malformed XML,
    RECORD_TOO_LONG for an account of more than MAX_ACCOUNT_BYTES.
    """
    head = stream.read(MAX_PROLOG_BYTES).removeprefix(BOM)
    root = check_prolog(head, name)
    if root != "FIData":
        bare = " It holds a bare account: wrap it." if root == "Account" else ""
        raise RejectedFile(
            "NO_ENVELOPE",
            f"{name}: the root element is <{root}> instead of <FIData>.{bare} The envelope of "
            "each account, <FI consentId customerId fipId linkRefNumber fetchedAt>, is missing; "
            "deliver the file again with it.",
        )
    parser = etree.XMLPullParser(events=("end",), tag="{*}FI", **_SAFE)
    reading = _Reading(parser)
    piece = b""
    try:
        for piece in _pieces(head, stream):
            parser.feed(piece)
            yield from reading.finished(piece)
            if reading.pending_bytes > MAX_ACCOUNT_BYTES:
                raise RejectedFile(
                    "RECORD_TOO_LONG",
                    f"{name}, after row {reading.count}: an account is longer than "
                    f"{MAX_ACCOUNT_BYTES >> 20} MiB; split its transactions over several fetches.",
                )
    except etree.XMLSyntaxError as error:
        raise _malformed(error, name) from None
    try:
        end = parser.close()
    except etree.XMLSyntaxError as error:
        if _ENDING.search(piece):
            raise _malformed(error, name) from None
        raise RejectedFile(
            "TRUNCATED_FILE",
            f"{name}: the file ends in line {error.position[0]} inside an element; deliver it "
            "again, complete.",
        ) from None
    yield from reading.rest(end)


def account_of_xml(content: bytes) -> dict[str, Any] | None:
    """One `<Account>` on its own, as it comes out of an encrypted payload; None for another root.

    Raises RejectedFile (XML_ENTITIES_REFUSED) or lxml's XMLSyntaxError.
    """
    content = content.removeprefix(BOM)
    check_prolog(content[:MAX_PROLOG_BYTES], "the payload")
    element = etree.fromstring(content, etree.XMLParser(**_SAFE))
    return _account(element) if _local(element) == "Account" else None


def check_prolog(head: bytes, name: str) -> str:
    """The local name of the root element; raises RejectedFile when a declaration comes first."""
    prolog = _PROLOG.match(head)
    at = prolog.end() if prolog else 0
    root = _ROOT.match(head, at)
    if root is not None:
        return root.group(1).decode(errors="replace")
    if head.startswith(b"<!DOCTYPE", at):
        raise RejectedFile(
            "XML_ENTITIES_REFUSED",
            f"{name} declares a document type. Entities can make a reader swallow gigabytes or "
            "open other files, so no such declaration is read; deliver the file without it.",
        )
    raise RejectedFile(
        "UNREADABLE",
        f"{name} begins like XML, but no element follows in its first {MAX_PROLOG_BYTES >> 10} "
        "KiB; deliver it again, complete.",
    )


class _Reading:
    """Follows the parser: which bytes belong to which account, and what was read already."""

    def __init__(self, parser: etree.XMLPullParser) -> None:
        self._parser = parser
        self._pending: list[bytes] = []
        self._last: etree._Element | None = None
        self.pending_bytes = 0
        self.count = 0

    def finished(self, piece: bytes) -> Iterator[AccountDocument]:
        """The accounts that ended in `piece`."""
        self._pending.append(piece)
        self.pending_bytes += len(piece)
        ended = [
            element
            for _, element in self._parser.read_events()
            if isinstance(element, etree._Element) and _is_at_top(element)
        ]
        if not ended:
            return
        source = b"".join(self._pending)
        # The bytes are the account's own when they hold one end; otherwise it is written anew.
        own = source if len(ended) == 1 and source.count(_END) == 1 else None
        self._pending, self.pending_bytes = [], 0
        for element in ended:
            yield from self._strangers_before(element)
            yield self._document(element, own)
            element.clear()
            self._last = element

    def rest(self, root: etree._Element) -> Iterator[AccountDocument]:
        """What stands after the last account."""
        after = root.iterchildren() if self._last is None else self._last.itersiblings()
        for element in after:
            yield self._stranger(element)

    def _strangers_before(self, element: etree._Element) -> list[AccountDocument]:
        parent = element.getparent()
        assert parent is not None
        found: list[AccountDocument] = []
        while (sibling := element.getprevious()) is not None:
            if sibling is not self._last:
                found.append(self._stranger(sibling))
            parent.remove(sibling)
        return found[::-1]

    def _stranger(self, element: etree._Element) -> AccountDocument:
        self.count += 1
        return AccountDocument(etree.tostring(element, with_tail=False), error="BAD_XML")

    def _document(self, element: etree._Element, own: bytes | None) -> AccountDocument:
        self.count += 1
        if own is None:
            original = etree.tostring(element, with_tail=False)
        else:
            begin = max(own.rfind(b"<FI "), own.rfind(b"<FI\n"))
            original = own[begin:] if begin >= 0 else own
        accounts = [child for child in element if _local(child) == "Account"]
        if len(accounts) != 1:
            return AccountDocument(original, error="BAD_XML")
        envelope = _attributes(element)
        envelope["account"] = _account(accounts[0])
        return document_of(original, envelope)


def _pieces(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """The file in pieces that end where an account does, as far as that can be seen."""
    block = head
    while block:
        begin = 0
        while (end := block.find(_END, begin)) >= 0:
            yield block[begin : end + len(_END)]
            begin = end + len(_END)
        if begin < len(block):
            yield block[begin:]
        block = stream.read(_BLOCK_BYTES)


def _is_at_top(element: etree._Element) -> bool:
    parent = element.getparent()
    return parent is not None and parent.getparent() is None


def _account(element: etree._Element) -> dict[str, Any]:
    account = _attributes(element)
    for child in element:
        if _local(child) == "Transactions":
            rows = [dict(t.items()) for t in child.iterchildren("{*}Transaction")]
            account["transactions"] = {"transaction": rows}
        else:
            _add(account, child)
    return account


def _add(members: dict[str, Any], element: etree._Element) -> None:
    """`<Holder name="…"/>` becomes the member `holder`; a repeated element becomes a list."""
    name = _local(element)
    name = name[:1].lower() + name[1:]
    value: Any = _attributes(element)
    for child in element:
        _add(value, child)
    if not value:
        value = element.text
    if name not in members:
        members[name] = value
    elif isinstance(members[name], list):
        members[name].append(value)
    else:
        members[name] = [members[name], value]


def _attributes(element: etree._Element) -> dict[str, Any]:
    return {str(name): value for name, value in element.items()}


def _local(element: etree._Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _malformed(error: etree.XMLSyntaxError, name: str) -> RejectedFile:
    # Without lxml's own sentence, which quotes from the file.
    return RejectedFile(
        "UNREADABLE",
        f"{name}, line {error.position[0]}: not well-formed XML; correct it and deliver the file "
        "again.",
    )
