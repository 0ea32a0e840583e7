"""Turns refusals and unexpected exceptions into `application/problem+json` (RFC 9457)."""

import itertools
import logging
import math
import re
import secrets
from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from groundswell.contract.problems import Refused

REQUEST_ID: Final = web.RequestKey("request_id", str)
REQUEST_ID_HEADER: Final = "X-Request-Id"

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_SANE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
_PROBLEM: Final = "application/problem+json"

# Unique enough to find one request in the logs of many processes; nothing depends on it.
_process = secrets.token_hex(4)
_numbers = itertools.count(1)

_CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    404: "no_such_route",
    405: "method_not_allowed",
    408: "request_timeout",
    411: "length_required",
    413: "body_too_large",
    426: "upgrade_required",
}


def request_id_of(given: str | None) -> str:
    """Return the client's `X-Request-Id` if it is a plain word, else a new id."""
    if given is not None and _SANE_ID.fullmatch(given):
        return given
    return f"{_process}-{next(_numbers):x}"


def problem_response(refused: Refused, request_id: str | None = None) -> web.Response:
    """Return the response that tells a refusal."""
    headers = {"Content-Type": _PROBLEM, "Cache-Control": "no-store"}
    if refused.retry_after is not None:
        # RFC 9110 section 10.2.3: whole seconds.
        headers["Retry-After"] = str(max(1, math.ceil(refused.retry_after)))
    status = refused.problem.status
    if status == 401:  # RFC 6750 section 3
        invalid = refused.code != "token_missing"
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if invalid else "Bearer"
    return web.Response(status=status, headers=headers, body=_encode(refused.body(request_id)))


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, and every failure of its handler the form of a problem.

    A traceback goes to our log under the request's id, never into the answer.
    """
    request_id = request[REQUEST_ID] = request_id_of(request.headers.get(REQUEST_ID_HEADER))
    try:
        return await handler(request)
    except Refused as refused:
        if refused.problem.status >= 500:
            # Not louder: during an outage every request ends here, and the metrics tell it.
            _log.debug("refused: %s", refused, extra={"request_id": request_id})
        return problem_response(refused, request_id)
    except web.HTTPException as http:
        return _of_aiohttp(http, request_id)
    except ConnectionError:
        raise  # the client has gone; there is nobody to answer
    except Exception:  # noqa: BLE001 - whatever it is, the client gets a problem
        _log.exception("request failed", extra={"request_id": request_id})
        return problem_response(Refused("internal"), request_id)


def _of_aiohttp(http: web.HTTPException, request_id: str) -> web.Response:
    if http.status < 400:
        raise http
    code = _CODES.get(http.status, "bad_request" if http.status < 500 else "internal")
    response = problem_response(Refused(code), request_id)
    if isinstance(http, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(http.allowed_methods))
    return response
