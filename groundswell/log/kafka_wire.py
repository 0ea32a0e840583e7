"""The requests of Kafka's protocol that we send, and record batches.

The shapes are those of https://kafka.apache.org/protocol.html; aiokafka brings the types, framing,
TLS and SASL. We state our own versions because they carry what aiokafka's do not: topic ids, so
that a topic made anew is never taken for the old one, and the instance ids that fence a member.
"""

from io import BytesIO
from typing import Any, NamedTuple

from aiokafka.protocol.abstract import AbstractType  # type: ignore[import-untyped]  # it ships none
from aiokafka.protocol.api import (  # type: ignore[import-untyped]  # it ships none
    RequestHeader_v1,
    RequestHeader_v2,
    ResponseHeader_v0,
    ResponseHeader_v1,
)
from aiokafka.protocol.types import (  # type: ignore[import-untyped]  # it ships none
    Array,
    Boolean,
    Bytes,
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

from groundswell.contract.ports.log import LogError


class UnsupportedKafka(LogError):
    """Kafka is too old, or too new, for a request that we cannot do without."""


class _Uuid(AbstractType):  # type: ignore[misc]  # aiokafka ships no types
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class Api(NamedTuple):
    """One request in one version. Replies are decoded to plain tuples in the order of `reply`."""

    name: str
    key: int
    version: int
    request: Any
    reply: Any
    flexible: bool = False

    def decode(self, data: BytesIO) -> tuple[Any, ...]:
        """Read a reply; called by aiokafka's connection."""
        fields: tuple[Any, ...] = self.reply.decode(data)
        return fields


class Call:
    """A request to send, `otherwise` being what to send to a Kafka that does not know its version.

    Duck-typed as aiokafka's connection wants it.
    """

    def __init__(self, api: Api, *values: Any, otherwise: "Call | None" = None) -> None:
        self._api = api
        self._values = values
        self._otherwise = otherwise

    @property
    def API_KEY(self) -> int:  # the name that aiokafka asks for
        return self._api.key

    @property
    def API_VERSION(self) -> int:  # the name that aiokafka asks for
        return self._api.version

    @property
    def RESPONSE_TYPE(self) -> Api:  # the name that aiokafka asks for
        return self._api

    def prepare(self, versions: dict[int, tuple[int, int]]) -> "Call":
        """Return what this Kafka understands; raises `UnsupportedKafka`."""
        low, high = versions.get(self._api.key, (0, -1))
        if low <= self._api.version <= high:
            return self
        if self._otherwise is not None:
            return self._otherwise.prepare(versions)
        raise UnsupportedKafka(
            f"this Kafka speaks {self._api.name} {low} to {high}, needed is {self._api.version}; "
            "use Kafka 3.1 or later"
        )

    def build_request_header(self, correlation_id: int, client_id: str) -> Any:
        header = RequestHeader_v2 if self._api.flexible else RequestHeader_v1
        return header(self, correlation_id=correlation_id, client_id=client_id)

    def parse_response_header(self, data: BytesIO) -> Any:
        return (ResponseHeader_v1 if self._api.flexible else ResponseHeader_v0).decode(data)

    def encode(self) -> bytes:
        encoded: bytes = self._api.request.encode(self._values)
        return encoded


def _fields(*types: Any) -> Any:
    return Schema(*((str(number), kind) for number, kind in enumerate(types)))


def _list(*types: Any) -> Any:
    return Array(_fields(*types) if len(types) > 1 else types[0])


def _compact(*types: Any) -> Any:
    return CompactArray(_fields(*types) if len(types) > 1 else types[0])


_TEXT, _COMPACT_TEXT, _TAGS = String("utf-8"), CompactString("utf-8"), TaggedFields

METADATA = Api(
    "Metadata",
    3,
    12,
    # topics (id, name), auto-creation, authorized operations
    _fields(_compact(_Uuid, _COMPACT_TEXT, _TAGS), Boolean, Boolean, _TAGS),
    _fields(
        Int32,
        _compact(Int32, _COMPACT_TEXT, Int32, _COMPACT_TEXT, _TAGS),  # node, host, port, rack
        _COMPACT_TEXT,
        Int32,
        _compact(  # error, name, id, internal, partitions
            Int16,
            _COMPACT_TEXT,
            _Uuid,
            Boolean,
            _compact(  # error, partition, leader, epoch, replicas, in sync, offline
                Int16,
                Int32,
                Int32,
                Int32,
                _compact(Int32),
                _compact(Int32),
                _compact(Int32),
                _TAGS,
            ),
            Int32,
            _TAGS,
        ),
        _TAGS,
    ),
    flexible=True,
)
FETCH = Api(
    "Fetch",
    1,
    13,
    _fields(
        Int32,  # replica
        Int32,  # max wait, ms
        Int32,  # min bytes
        Int32,  # max bytes
        Int8,  # isolation
        Int32,  # session
        Int32,  # session's epoch
        _compact(  # topic id; partition, leader's epoch, offset, last epoch, log start, max bytes
            _Uuid, _compact(Int32, Int32, Int64, Int32, Int64, Int32, _TAGS), _TAGS
        ),
        _compact(_Uuid, _compact(Int32), _TAGS),
        _COMPACT_TEXT,
        _TAGS,
    ),
    _fields(
        Int32,
        Int16,
        Int32,
        _compact(
            _Uuid,
            _compact(  # partition, error, high watermark, stable, log start, aborted, replica
                Int32,
                Int16,
                Int64,
                Int64,
                Int64,
                _compact(Int64, Int64, _TAGS),
                Int32,
                CompactBytes,
                _TAGS,
            ),
            _TAGS,
        ),
        _TAGS,
    ),
    flexible=True,
)
PRODUCE_BY_ID = Api(
    "Produce",
    0,
    13,
    _fields(
        _COMPACT_TEXT,
        Int16,
        Int32,
        _compact(_Uuid, _compact(Int32, CompactBytes, _TAGS), _TAGS),
        _TAGS,
    ),
    _fields(
        _compact(
            _Uuid,
            _compact(  # partition, error, base offset, append time, log start, errors, text
                Int32,
                Int16,
                Int64,
                Int64,
                Int64,
                _compact(Int32, _COMPACT_TEXT, _TAGS),
                _COMPACT_TEXT,
                _TAGS,
            ),
            _TAGS,
        ),
        Int32,
        _TAGS,
    ),
    flexible=True,
)
PRODUCE_BY_NAME = Api(  # before Kafka 4.1
    "Produce",
    0,
    7,
    _fields(_TEXT, Int16, Int32, _list(_TEXT, _list(Int32, Bytes))),
    _fields(_list(_TEXT, _list(Int32, Int16, Int64, Int64, Int64)), Int32),
)
LIST_OFFSETS = Api(
    "ListOffsets",
    2,
    5,
    _fields(Int32, Int8, _list(_TEXT, _list(Int32, Int32, Int64))),
    _fields(Int32, _list(_TEXT, _list(Int32, Int16, Int64, Int64, Int32))),
)
INIT_PRODUCER_ID = Api(
    "InitProducerId", 22, 1, _fields(_TEXT, Int32), _fields(Int32, Int16, Int64, Int16)
)
FIND_COORDINATOR = Api(
    "FindCoordinator",
    10,
    2,
    _fields(_TEXT, Int8),
    _fields(Int32, Int16, _TEXT, Int32, _TEXT, Int32),
)
JOIN_GROUP = Api(
    "JoinGroup",
    11,
    5,
    _fields(_TEXT, Int32, Int32, _TEXT, _TEXT, _TEXT, _list(_TEXT, Bytes)),
    # throttle, error, generation, protocol, leader, member, members
    _fields(Int32, Int16, Int32, _TEXT, _TEXT, _TEXT, _list(_TEXT, _TEXT, Bytes)),
)
SYNC_GROUP = Api(
    "SyncGroup",
    14,
    3,
    _fields(_TEXT, Int32, _TEXT, _TEXT, _list(_TEXT, Bytes)),
    _fields(Int32, Int16, Bytes),
)
HEARTBEAT = Api("Heartbeat", 12, 3, _fields(_TEXT, Int32, _TEXT, _TEXT), _fields(Int32, Int16))
LEAVE_GROUP = Api(
    "LeaveGroup",
    13,
    3,
    _fields(_TEXT, _list(_TEXT, _TEXT)),
    _fields(Int32, Int16, _list(_TEXT, _TEXT, Int16)),
)
OFFSET_COMMIT = Api(
    "OffsetCommit",
    8,
    7,
    _fields(_TEXT, Int32, _TEXT, _TEXT, _list(_TEXT, _list(Int32, Int64, Int32, _TEXT))),
    _fields(Int32, _list(_TEXT, _list(Int32, Int16))),
)
OFFSET_FETCH = Api(
    "OffsetFetch",
    9,
    5,
    _fields(_TEXT, _list(_TEXT, _list(Int32))),
    _fields(Int32, _list(_TEXT, _list(Int32, Int64, Int32, _TEXT, Int16)), Int16),
)
CREATE_TOPICS = Api(
    "CreateTopics",
    19,
    4,
    # name, partitions, replication, assignments, options; time-out, only validate
    _fields(
        _list(_TEXT, Int32, Int16, _list(Int32, _list(Int32)), _list(_TEXT, _TEXT)), Int32, Boolean
    ),
    _fields(Int32, _list(_TEXT, Int16, _TEXT)),
)
SUBSCRIPTION = _fields(Int16, _list(_TEXT), Bytes)  # version, topics, data of the assignor's own
ASSIGNMENT = _fields(Int16, _list(_TEXT, _list(Int32)), Bytes)  # version, partitions, data
