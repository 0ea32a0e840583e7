"""Reading the byte strings of events that the hub's threads hand over."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeASCII
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport strlen

from groundswell.cext._hub cimport (
    EVENT_ARRIVED,
    EVENT_CLOSED,
    EVENT_MESSAGE,
    EVENT_PASSED,
    SSE,
    event,
)
from groundswell.cext._hub_seats cimport TAKEN, Seat, Seats, handle_of, leave_seat


cdef inline int read_events(
    Seats* seats, uint32_t thread, const uint8_t* data, size_t size, list messages, list closed,
    list behind, list passed, list deflated, list arrived,
) except -1:
    """Sort the events of one thread into these lists; slots of closed connections are vacant."""
    cdef const event* record
    cdef const char* payload
    cdef size_t address, at = 0
    cdef Seat* seat
    while at < size:
        record = <const event*> (data + at)
        payload = <const char*> (record + 1)
        at += sizeof(event) + ((record.size + 7) & ~<size_t> 7)
        if record.kind == EVENT_PASSED:
            passed.append((thread, record.slot, record.value, record.nanoseconds / 1e9))
            continue
        if record.kind == EVENT_ARRIVED:
            address = strlen(payload)
            arrived.append((
                record.value,
                PyUnicode_DecodeASCII(payload, address, NULL),
                PyBytes_FromStringAndSize(payload + address + 1, record.size - address - 1),
            ))
            continue
        seat = &seats.rows[record.slot]
        handle = handle_of(thread, record.slot, record.generation)
        if record.kind == EVENT_CLOSED:
            closed.append((handle, record.value, seat.room, seat.form == SSE))
            leave_seat(seats, record.slot)
        elif seat.state != TAKEN:
            continue  # who is closing is not listened to
        elif record.kind == EVENT_MESSAGE:
            if record.value:
                deflated.append(len(messages))
            messages.append((handle, PyBytes_FromStringAndSize(payload, record.size)))
        else:
            behind.append(handle)
    return 0
