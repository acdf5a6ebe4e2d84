"""What a caller of the gateway is told when something fails: a status, and a body of OpenAI's shape."""

from __future__ import annotations

from typing import Any, ClassVar

from ponder.core.errors import ContextOverflow, EngineError, InputError, MissingExtra, PonderError


class GatewayError(PonderError):
    """An error of the gateway's own.

    Attributes:
        status: the HTTP status.
        kind: OpenAI's `type` of the error.
        code: OpenAI's `code`, None where it has none.
        param: the field of the request that is wrong, if it is one.
        retry_after: after how many seconds asking again may help; None if it will not.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "server_error"
    code: ClassVar[str | None] = None

    def __init__(self, message: str, param: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.param, self.retry_after = param, retry_after


class BadRequest(GatewayError, InputError):
    """A field of the request cannot be used."""

    status, kind = 400, "invalid_request_error"


class UnknownModel(GatewayError):
    """No model or alias of this gateway has the name."""

    status, kind, code = 404, "invalid_request_error", "model_not_found"


class NotFound(GatewayError):
    """There is no such address here."""

    status, kind, code = 404, "invalid_request_error", "not_found"


class UnknownHost(GatewayError):
    """The request calls the gateway by a name that is not its own."""

    status, kind, code = 421, "invalid_request_error", "unknown_host"


class TooLarge(GatewayError):
    """The request's body is longer than the gateway reads."""

    status, kind, code = 413, "invalid_request_error", "request_too_large"


class Unsupported(GatewayError):
    """The engine behind the model has no such thing."""

    status, kind, code = 400, "invalid_request_error", "unsupported"


class Draining(GatewayError):
    """The gateway is going down: what was accepted is finished, nothing new is taken."""

    status, code = 503, "draining"


class UpstreamDown(GatewayError):
    """The server behind a model cannot be reached."""

    status, code = 502, "upstream_error"


class Unauthorized(GatewayError):
    """The request names no key of this gateway."""

    status, kind, code = 401, "authentication_error", "invalid_api_key"


class Busy(GatewayError):
    """The queue is full, or a place in it did not come up in time."""

    status, kind, code = 429, "rate_limit_error", "gateway_busy"


class QuotaExceeded(GatewayError):
    """The key's quota of this window is spent, or set aside for requests that are running."""

    status, kind, code = 429, "rate_limit_error", "rate_limit_exceeded"


def at_most(param: str, asked: int, most: int) -> None:
    """Refuse a field that asks for more than the configuration allows.

    Raises:
        BadRequest: naming the field.
    """
    if asked > most:
        raise BadRequest(f"{param} may be at most {most} here, not {asked}", param=param)


def status_of(error: PonderError) -> int:
    """The HTTP status for any of ponder's errors."""
    if isinstance(error, GatewayError):
        return error.status
    if isinstance(error, InputError):
        return 400
    return 502 if isinstance(error, EngineError) else 501 if isinstance(error, MissingExtra) else 500


def body_of(error: PonderError) -> dict[str, Any]:
    """The body of an error reply, in OpenAI's shape."""
    kind, code, param = "server_error", None, None
    if isinstance(error, GatewayError):
        kind, code, param = error.kind, error.code, error.param
    elif isinstance(error, InputError):
        kind, code = "invalid_request_error", "context_length_exceeded" if isinstance(error, ContextOverflow) else None
    elif isinstance(error, EngineError):
        code = "upstream_error"
    return {"error": {"message": str(error), "type": kind, "param": param, "code": code}}


def headers_of(error: PonderError) -> dict[str, str]:
    """The headers of an error reply: `Retry-After`, in whole seconds and never 0, where asking again may help; going down closes."""
    hint = getattr(error, "retry_after", None)
    wait = {} if hint is None else {"Retry-After": str(max(1, -int(-hint // 1)))}
    return wait | {"Connection": "close"} if isinstance(error, Draining) else wait
