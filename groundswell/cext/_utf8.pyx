# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""UTF-8 as RFC 3629 section 4 has it: no overlong forms, no surrogates, nothing over U+10FFFF.

What differs between leading bytes is only how many bytes follow and the bounds of the first of
them, so a count and two bounds are the whole state.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    WORD = 8

cdef uint64_t NOT_ASCII = 0x8080808080808080


cdef bint utf8_feed(Utf8* state, const uint8_t* data, size_t size) noexcept nogil:
    """Check the next `size` bytes; return whether they can still be the start of valid text.

    A zeroed state is the start of a text. The text may end here if `state.missing` is 0. After
    False the state means nothing. `data` is borrowed for the call.
    """
    # A copy, since for all the compiler knows `data` could be the state's own bytes.
    cdef Utf8 here = state[0]
    cdef size_t i = 0
    while i < size:
        if here.missing:
            if not here.low <= data[i] <= here.high:
                return False
            here.missing -= 1
            here.low, here.high = 0x80, 0xBF
        elif data[i] >= 0x80:
            if not _lead(&here, data[i]):
                return False
        else:
            i = _ascii_end(data, i + 1, size)
            continue
        i += 1
    state[0] = here
    return True


cdef inline size_t _ascii_end(const uint8_t* data, size_t i, size_t size) noexcept nogil:
    """Return where, from `i` on, the first byte is that is not ASCII; `size` if there is none."""
    cdef uint64_t word
    while size - i >= WORD:
        memcpy(&word, data + i, WORD)
        if word & NOT_ASCII:
            break
        i += WORD
    while i < size and data[i] < 0x80:
        i += 1
    return i


cdef inline bint _lead(Utf8* state, uint8_t byte) noexcept nogil:
    state.low, state.high = 0x80, 0xBF
    if byte < 0xC2:  # a continuation byte, or C0 and C1, which only start overlong forms
        return False
    if byte < 0xE0:
        state.missing = 1
    elif byte < 0xF0:
        state.missing = 2
        if byte == 0xE0:  # E0 80..9F is overlong
            state.low = 0xA0
        elif byte == 0xED:  # ED A0..BF is a surrogate
            state.high = 0x9F
    elif byte < 0xF5:
        state.missing = 3
        if byte == 0xF0:  # F0 80..8F is overlong
            state.low = 0x90
        elif byte == 0xF4:  # F4 90..BF is over U+10FFFF
            state.high = 0x8F
    else:
        return False
    return True
