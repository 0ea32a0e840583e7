"""UTF-8 checked piece by piece, callable without the GIL."""

from libc.stdint cimport uint8_t


cdef struct Utf8:
    uint8_t missing  # continuation bytes that must follow; 0 between characters
    uint8_t low  # bounds of the next one, both included; they mean nothing while missing is 0
    uint8_t high


cdef bint utf8_feed(Utf8* state, const uint8_t* data, size_t size) noexcept nogil
