# SPDX-License-Identifier: GPL-3.0-or-later
"""The page at /docs, generated from the OpenAPI description.

FastAPI's own page loads Swagger UI from a CDN: it is blank without internet access, and the CDN
learns of every visit.
"""

from __future__ import annotations

from html import escape
from string import Template
from typing import Any

Schema = dict[str, Any]


def reference_page(openapi: Schema, template: str) -> str:
    """The HTML of /docs; ``template`` has $description, $version and $endpoints."""
    endpoints = "\n".join(
        _endpoint(method, path, operation)
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    )
    information = openapi["info"]
    return Template(template).substitute(
        description=escape(information["description"]),
        version=escape(information["version"]),
        endpoints=endpoints,
    )


def _endpoint(method: str, path: str, operation: Schema) -> str:
    parameters = operation.get("parameters", [])
    rows = "".join(_parameter(parameter) for parameter in parameters)
    named = f"Parameters of {escape(method.upper())} {escape(path)}"
    table = (
        # Focusable, so that it can be scrolled by keyboard.
        f'<div class="wide" role="region" aria-label="{named}" tabindex="0">'
        "<table><thead><tr><th>Parameter</th><th>Values</th><th>Default</th><th>Meaning</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div>"
        if rows
        else ""
    )
    answers = "".join(
        f"<li><b>{escape(status)}</b> {escape(response['description'])}</li>"
        for status, response in operation["responses"].items()
    )
    types = ", ".join(operation.get("requestBody", {}).get("content", {}))
    body = f"<p>Body: <code>{escape(types)}</code></p>" if types else ""
    name = f"<span>{escape(path)}</span>"
    # A link where the request needs no parameters.
    if method == "get" and not any(parameter.get("required") for parameter in parameters):
        name = f'<a href="{escape(path.lstrip("/"))}">{escape(path)}</a>'
    return (
        f"<section><h2><code>{escape(method.upper())}</code> {name}</h2>"
        f"<p>{_prose(operation.get('description') or operation['summary'])}</p>"
        f"{table}{body}<ul>{answers}</ul></section>"
    )


def _parameter(parameter: Schema) -> str:
    schema = parameter["schema"]
    # ``int | None`` is described as anyOf; the part that is not null has the range.
    choices = schema.get("anyOf", [schema])
    values = next(choice for choice in choices if choice["type"] != "null")
    if "enum" in values:
        span = ", ".join(values["enum"])
    elif "const" in values:
        span = values["const"]
    elif "minimum" in values:
        span = f"{values['minimum']} to {values['maximum']}"
    else:
        span = "as described" if "pattern" in values else "any"
    default = "required" if parameter.get("required") else str(schema.get("default", ""))
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td>"
        f"<td>{escape(values['type'])}, {escape(span)}</td>"
        f"<td>{escape(default)}</td>"
        f"<td>{_prose(parameter.get('description', ''))}</td></tr>"
    )


def _prose(text: str) -> str:
    """Escaped text, with ``code`` in backquotes."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
