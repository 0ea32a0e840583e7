"""Reading request bodies: strict JSON, bounded in bytes and in time."""

import asyncio
import json
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from groundswell.contract.problems import Refused

T = TypeVar("T", bound=msgspec.Struct)


class BodyReader:
    """Reads bodies of at most `limit` bytes that arrive within `timeout` seconds."""

    def __init__(self, *, limit: int, timeout: float) -> None:
        self._limit = limit
        self._timeout = timeout

    async def read(self, request: web.Request) -> bytes:
        """Return the body that a request must have.

        Raises `Refused`: `length_required`, `body_too_large`, `request_timeout`, `bad_request`.
        """
        length = request.content_length
        if length is None:
            # RFC 9112 section 6.3: without either there is no body, which was surely not meant.
            if not request.body_exists:
                raise Refused("length_required")
        elif length > self._limit:
            raise Refused("body_too_large", f"at most {self._limit} bytes")
        content = request.content
        try:
            if content.is_eof():  # all of it came with the head, as small bodies do
                body = content.read_nowait()
            else:
                async with asyncio.timeout(self._timeout):
                    body = await self._collect(request)
        except TimeoutError:
            raise Refused("request_timeout") from None
        except (ClientPayloadError, HttpProcessingError, web.RequestPayloadError):
            raise Refused("bad_request", "the body is cut short or badly framed") from None
        if len(body) > self._limit:
            raise Refused("body_too_large", f"at most {self._limit} bytes")
        return body

    async def _collect(self, request: web.Request) -> bytes:
        body = bytearray()
        while len(body) <= self._limit:
            chunk = await request.content.readany()
            if not chunk:
                break
            body += chunk
        return bytes(body)


class JsonBody(Generic[T]):
    """One form of body. Forms are flat objects, so no input can nest deeper than one level."""

    def __init__(self, form: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(form)
        self._keys = [b'"%b"' % field.encode() for field in form.__struct_fields__]

    def decode(self, body: bytes) -> T:
        """Return the body; raises `Refused` `bad_json` or `bad_field`."""
        try:
            decoded = self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise Refused("bad_field", _plain(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refused("bad_json") from None
        # msgspec takes the last of two equal keys; another reader of the same bytes (a proxy, a
        # filter) may take the first. Only now: the object is known to be flat.
        if self._may_repeat(body) and _flat.decode(body.decode()):
            raise Refused("bad_json", "a key occurs twice")
        return decoded

    def _may_repeat(self, body: bytes) -> bool:
        """Tell cheaply that no key occurs twice; a key can also be written with escapes."""
        return b"\\" in body or any(body.count(key) > 1 for key in self._keys)


def require_json(request: web.Request) -> None:
    """Raise `Refused` `not_json` if the request says that its body is something else."""
    content_type = request.headers.get("Content-Type")
    if content_type is None or content_type == "application/json":
        return
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused("not_json")


def _has_twice(pairs: list[tuple[str, Any]]) -> bool:
    return len(pairs) != len(dict(pairs))


_flat = json.JSONDecoder(object_pairs_hook=_has_twice)


def _plain(error: msgspec.ValidationError) -> str:
    """Return what msgspec says. It names a key of the body, which may be long or odd."""
    text = str(error)
    return text if len(text) <= 120 and text.isprintable() else "unknown or malformed field"
