"""What the OpenAPI description says of an address whose body is read by hand."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_STATUSES = {
    400: "Something in the request cannot be used",
    401: "No key of this gateway",
    404: "No such model",
    413: "The body is too long",
    429: "A quota is spent, or the queue is full",
    502: "The engine failed",
    503: "The gateway is going down",
}


def described(body: type[BaseModel]) -> dict[str, Any]:
    """Keyword arguments for a route."""
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    return {
        "openapi_extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(schema)}}}},
        "responses": {
            status: {"description": says, "content": {"application/json": {"schema": _ERROR}}} for status, says in _STATUSES.items()
        },
    }


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    defs = schema.pop("$defs", {})

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return walk(defs[value["$ref"].rpartition("/")[2]])
            return {k: walk(v) for k, v in value.items()}
        return [walk(v) for v in value] if isinstance(value, list) else value

    return walk(schema)
