"""The page at ``/docs``: what the OpenAPI document says, for people. One file that asks for no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What browsers let the page do: ask this server, and nothing else."""


def write_page(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document that :func:`embcodec.server.openapi.describe` made."""
    asked = document["paths"]["/v1/embeddings"]["post"]
    example = json.dumps(asked["requestBody"]["content"]["application/json"]["example"])
    models = document["components"]["schemas"]["Model"]["properties"]["id"]["enum"]
    filled = {
        "version": escape(document["info"]["version"]),
        "summary": escape(document["info"]["summary"]),
        "models": "".join(f"<option>{escape(name)}</option>" for name in models),
        "dtypes": _options(document, "output_dtype"),
        "key": "" if "security" in document else " hidden",
        "example": escape(example),
        "authorization": " -H 'authorization: Bearer KEY'" if "security" in document else "",
        "fields": "".join(_fields(_request(document))),
        "paths": "".join(_path(path, entry) for path, entry in document["paths"].items()),
    }
    return re.sub(r"{{(\w+)}}", lambda found: filled[found[1]], _template())


@cache
def _template() -> str:
    return files(__package__).joinpath("page.html").read_text(encoding="utf-8")


def _request(document: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = document["components"]["schemas"]["EmbeddingRequest"]
    return schema


def _options(document: dict[str, Any], field: str) -> str:
    known = _request(document)["properties"][field]["enum"]
    return "".join(f"<option>{escape(name)}</option>" for name in known if name is not None)


def _fields(request: dict[str, Any]) -> Iterator[str]:
    for name, schema in request["properties"].items():
        choices = "".join(f" <code>{escape(word)}</code>" for word in schema.get("enum", ()) if word is not None)
        needed = " <em>required</em>" if name in request["required"] else ""
        words = escape(schema.get("description", ""))
        yield f"<dt><code>{escape(name)}</code>{needed}</dt><dd>{words}{choices}</dd>"


def _path(path: str, entry: dict[str, Any]) -> str:
    rows = []
    for method in ("get", "post"):
        if method in entry:
            statuses = ", ".join(entry[method]["responses"])
            rows.append(
                f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
                f"<td>{escape(entry[method]['summary'])}</td><td>{escape(statuses)}</td></tr>"
            )
    return "".join(rows)
