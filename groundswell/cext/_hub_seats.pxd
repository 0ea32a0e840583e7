"""What the owner of a hub knows of each connection, apart from the rows of the hub's threads.

A handle is generation, thread and slot. A slot is used again, under the next generation, once the
owner has read that its connection is closed: until then no command can mean another.
"""

from cpython.mem cimport PyMem_Realloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef enum:
    GENERATION_MAX = 0x7FFFFFFF  # so that a handle is below 2^63
    SLOT_BITS = 24
    SLOTS_MAX = 1 << 18  # HUB_SLOTS_MAX
    THREAD_BITS = 8
    CAPACITY_MIN = 64


cdef enum SeatState:
    FREE
    TAKEN
    CLOSING


cdef struct Seat:
    # What the owner knows of a connection; the hub's threads have a row of their own.
    uint32_t generation
    uint32_t room  # name of the room it is in, 0: none
    uint8_t state
    uint8_t form  # `enum form` of hub.h


cdef struct Seats:
    Seat* rows
    uint32_t count
    uint32_t capacity
    uint32_t* vacant
    uint32_t vacant_count


cdef inline uint64_t handle_of(uint32_t thread, uint32_t slot, uint32_t generation) noexcept:
    return ((<uint64_t> generation << THREAD_BITS | thread) << SLOT_BITS) | slot


cdef inline uint32_t thread_of(uint64_t handle) noexcept:
    return <uint32_t> (handle >> SLOT_BITS) & ((1 << THREAD_BITS) - 1)


cdef inline uint32_t slot_of(uint64_t handle) noexcept:
    return <uint32_t> handle & ((1 << SLOT_BITS) - 1)


cdef inline uint32_t generation_of(uint64_t handle) noexcept:
    return <uint32_t> (handle >> (SLOT_BITS + THREAD_BITS))


cdef inline Seat* find_seat(Seats* seats, uint32_t threads, uint64_t handle) noexcept:
    """Return the row of a handle, NULL if it is closed or was never given out."""
    cdef uint32_t thread = thread_of(handle), slot = slot_of(handle)
    if thread >= threads or slot >= seats[thread].count:
        return NULL
    cdef Seat* seat = &seats[thread].rows[slot]
    if seat.state == FREE or seat.generation != generation_of(handle):
        return NULL
    return seat


cdef inline int take_seat(Seats* seats, uint8_t form) except -1:
    """Return a slot under a new generation."""
    cdef uint32_t slot
    if seats.vacant_count:
        seats.vacant_count -= 1
        slot = seats.vacant[seats.vacant_count]
    else:
        if seats.count == seats.capacity:
            grow(seats)
        slot = seats.count
        seats.count += 1
        seats.rows[slot].generation = 0
    cdef Seat* seat = &seats.rows[slot]
    seat.generation = seat.generation % GENERATION_MAX + 1
    seat.room = 0
    seat.state = TAKEN
    seat.form = form
    return slot


cdef inline int grow(Seats* seats) except -1:
    cdef uint32_t capacity = max(<uint32_t> CAPACITY_MIN, 2 * seats.capacity)
    cdef void* grown
    if seats.count == SLOTS_MAX:
        raise MemoryError("all slots of a hub thread are taken")
    grown = PyMem_Realloc(seats.rows, capacity * sizeof(Seat))
    if grown == NULL:
        raise MemoryError
    seats.rows = <Seat*> grown
    # As many: every slot can be vacant.
    grown = PyMem_Realloc(seats.vacant, capacity * sizeof(uint32_t))
    if grown == NULL:
        raise MemoryError
    seats.vacant = <uint32_t*> grown
    seats.capacity = capacity
    return 0


cdef inline void leave_seat(Seats* seats, uint32_t slot) noexcept:
    seats.rows[slot].state = FREE
    seats.vacant[seats.vacant_count] = slot
    seats.vacant_count += 1
