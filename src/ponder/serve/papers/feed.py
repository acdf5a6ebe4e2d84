"""An Atom feed (RFC 4287) of what changed in the catalog."""

from __future__ import annotations

import datetime
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from ponder.papers.catalog import find
from ponder.serve.digest.changes import Change

_ATOM = "http://www.w3.org/2005/Atom"
NO_CHANGE_YET = 0.0


def atom(changes: Sequence[Change], site: str) -> bytes:
    """The feed as UTF-8 XML.

    An entry's id depends on the change alone, so that it stays the same wherever the server is reached.

    Args:
        changes: newest first.
        site: where the server is reached, as https://example.org, without a slash at its end.
    """
    ET.register_namespace("", _ATOM)
    feed = ET.Element(f"{{{_ATOM}}}feed")
    _add(feed, "id", uuid.uuid5(uuid.NAMESPACE_URL, "ponder/papers").urn)
    _add(feed, "title", "ponder: verdicts on papers")
    _add(feed, "updated", _moment(changes[0].at if changes else NO_CHANGE_YET))
    _add(_add(feed, "author"), "name", "ponder")
    _add(feed, "link", rel="self", type="application/atom+xml", href=f"{site}/papers/feed.atom")
    _add(feed, "link", rel="alternate", type="text/html", href=f"{site}/papers")
    for change in changes:
        paper = find(change.slug)
        entry = _add(feed, "entry")
        _add(entry, "id", uuid.uuid5(uuid.NAMESPACE_URL, f"ponder/papers/{change.slug}/{change.kind}/{change.at!r}").urn)
        _add(entry, "title", f"{paper.title}: {change.says}")
        _add(entry, "updated", _moment(change.at))
        _add(entry, "link", rel="alternate", type="text/html", href=f"{site}/papers/{paper.slug}")
        _add(entry, "category", term=paper.wing)
        _add(entry, "summary", f"{change.says}. {paper.claim}")
    return ET.tostring(feed, encoding="utf-8", xml_declaration=True)


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
    child.text = text
    return child


def _moment(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
