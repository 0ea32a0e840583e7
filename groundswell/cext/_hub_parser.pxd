"""The WebSocket parser as the hub's threads call it: `struct parser_api` of `hub/hub.h`."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from groundswell.cext._hub cimport (
    PARSER_EVENT,
    PARSER_FAILED,
    PARSER_MORE,
    parsed,
    parser_api,
    parser_status,
)
from groundswell.cext._parser cimport (
    WS_EVENT,
    WS_FAILED,
    WS_MORE,
    WsEvent,
    WsInput,
    WsParser,
    WsStatus,
    ws_clear,
    ws_init,
    ws_next,
    ws_under_way,
)

cdef enum:
    MAX_FRAGMENTS = 1024


cdef inline void parser_init(void* parser, uint32_t message_bytes, int deflate) noexcept nogil:
    ws_init(<WsParser*> parser, message_bytes, MAX_FRAGMENTS, False, deflate)


cdef inline parser_status parser_next(
    void* parser, uint8_t** at, uint8_t* end, parsed* result
) noexcept nogil:
    cdef WsInput data
    cdef WsEvent found
    cdef WsStatus status
    data.at = at[0]
    data.end = end
    status = ws_next(<WsParser*> parser, &data, &found)
    at[0] = data.at
    if status == WS_EVENT:
        result.opcode = found.opcode
        result.payload = found.payload
        result.size = found.size
        return PARSER_EVENT
    return PARSER_MORE if status == WS_MORE else PARSER_FAILED


cdef inline uint64_t parser_under_way(const void* parser) noexcept nogil:
    return ws_under_way(<const WsParser*> parser)


cdef inline int parser_failed(const void* parser) noexcept nogil:
    return (<const WsParser*> parser).failed


cdef inline void parser_clear(void* parser) noexcept nogil:
    ws_clear(<WsParser*> parser)


cdef inline void set_parser(parser_api* api) noexcept:
    api.size = sizeof(WsParser)
    api.init = parser_init
    api.next = parser_next
    api.under_way = parser_under_way
    api.failed = parser_failed
    api.clear = parser_clear
