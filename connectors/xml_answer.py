"""A source's bytes, read as XML: strictly, within bounds, and turned into plain values for the mapping.

    element with children  -> object, by local name (namespaces dropped)
    the same name twice     -> list, in order
    element with text       -> text;   empty -> "";   xsi:nil="true" -> null

Attributes are dropped. A document type (and with it every entity of its own), attachments (XOP, `cid:`) and
references inside the document are refused, so that nothing is expanded, fetched or pieced together.

What is wrong is told by `BadAnswer.fault`: content_type, charset, not_xml, doctype, attachment, mixed.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from connectors.json_answer import CODECS, BadAnswer, media_type

_XSI_NIL: Final = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_XOP: Final = "{http://www.w3.org/2004/08/xop/include}"
_DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>]*?\?>")
_DECLARED: Final = re.compile(rb"""^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_BOM: Final = b"\xef\xbb\xbf"
XML_TYPES: Final = frozenset({"text/xml", "application/xml"})


def parse_xml(
    raw: bytes,
    content_type: str,
    *,
    charset: str = "utf-8",
    also: frozenset[str] = frozenset(),
    only: frozenset[str] | None = None,
) -> Any:
    """The document's root element (lxml), or BadAnswer.

    The charset is the header's, else the document's own declaration, else `charset` (RFC 7303 section 3).
    `also`: content types taken for XML besides its own. `only`: those taken, and no other.
    """
    kind, declared = media_type(content_type)
    if kind.startswith("multipart/"):
        raise BadAnswer("attachment")
    if only is not None:
        if kind not in only:
            raise BadAnswer("content_type")
    elif kind not in XML_TYPES and not kind.endswith("+xml") and kind not in also:
        raise BadAnswer("content_type")
    found = _DECLARED.match(raw)
    written = found[1].decode() if found else charset
    codec = CODECS.get((declared or ("utf-8" if raw.startswith(_BOM) else written)).lower())
    if codec is None:
        raise BadAnswer("charset")
    return _root(_text(raw, codec))


def values_of(element: Any) -> Any:
    """What an element holds, as plain values: text, None, objects and lists of them."""
    if element.get(_XSI_NIL) in ("true", "1"):
        return None
    if len(element) == 0:
        return element.text or ""
    values: dict[str, Any] = {}
    repeated: set[str] = set()
    if (element.text or "").strip():
        raise BadAnswer("mixed")
    for child in element:
        if (child.tail or "").strip():
            raise BadAnswer("mixed")
        name = etree.QName(child).localname
        value = values_of(child)
        if name in repeated:
            values[name].append(value)
        elif name in values:
            values[name] = [values[name], value]
            repeated.add(name)
        else:
            values[name] = value
    return values


def _text(raw: bytes, codec: str) -> str:
    if codec == "utf-8" and raw.startswith(_BOM):
        raw = raw[len(_BOM) :]
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        pass
    raise BadAnswer("charset")


def _root(text: str) -> Any:
    if "<!DOCTYPE" in text:
        raise BadAnswer("doctype")
    root = _parsed(_DECLARATION.sub("", text, count=1).encode())
    if root is None:
        raise BadAnswer("not_xml")
    for element in root.iter():
        if not isinstance(element.tag, str):  # an entity left alone
            raise BadAnswer("doctype")
        if element.tag.startswith(_XOP) or element.get("href", "").startswith(("cid:", "#")):
            raise BadAnswer("attachment")
    return root


def _parsed(raw: bytes) -> Any:
    """The root, None if it is not XML. The parser's own error quotes the document and ends here."""
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
