/* What the bench writes into a comment's text, and how the viewers hold it against a server.
 *
 * `t=<ns>;` is when the comment was due, by the wall clock. `n=<number>;a=<number>;` may follow: its
 * own number, and below which all numbers had been answered before it was posted. Comments of the
 * bench may be posted side by side, and then either may come first; but one that comes behind
 * another which knew it to be answered is out of order.
 */
#ifndef GROUNDSWELL_MARKS_H
#define GROUNDSWELL_MARKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define NUMBERS_MAX (1u << 26) /* a viewer's comments: 8 MiB of bits */
#define MARK_ROOM 80           /* bytes that put_mark needs at most */

struct mark {
    int64_t stamp; /* ns, wall clock */
    bool numbered;
    uint64_t number, answered;
};

/* Reads `<name>=<digits>;` at *at and moves past it; returns how many digits, 0: it is not there. */
static inline int read_field(const uint8_t **at, const uint8_t *end, char name, uint64_t *value)
{
    const uint8_t *p = *at;
    int digits = 0;
    if (end - p < 4 || p[0] != name || p[1] != '=')
        return 0;
    *value = 0;
    for (p += 2; p < end && *p >= '0' && *p <= '9' && digits < 19; p++, digits++)
        *value = *value * 10 + (uint64_t)(*p - '0');
    if (digits == 0 || p == end || *p != ';')
        return 0;
    *at = p + 1;
    return digits;
}

/* Takes the next mark at or after *at and moves *at past it. Returns false where there is none. A
 * stamp has 18 or 19 digits, so that no other text with `t=` in it is taken for one. */
static inline bool next_mark(const uint8_t **at, const uint8_t *end, struct mark *out)
{
    const uint8_t *p;
    uint64_t stamp;
    while ((p = memmem(*at, (size_t)(end - *at), "t=", 2)) != NULL) {
        *at = p;
        if (read_field(at, end, 't', &stamp) < 18) {
            *at = p + 2;
            continue;
        }
        *out = (struct mark){.stamp = (int64_t)stamp};
        out->numbered = read_field(at, end, 'n', &out->number) > 0 &&
                        read_field(at, end, 'a', &out->answered) > 0;
        return true;
    }
    *at = end;
    return false;
}

/* Writes a mark into `out`, which has MARK_ROOM bytes; returns its length. */
static inline int put_mark(char *out, int64_t stamp, uint64_t number, uint64_t answered)
{
    return snprintf(out, MARK_ROOM, "t=%lld;n=%llu;a=%llu;", (long long)stamp,
                    (unsigned long long)number, (unsigned long long)answered);
}

/* The comments that one viewer has got. */
struct seen {
    uint8_t *bits;
    size_t bytes;
    uint64_t answered; /* the most that any comment so far knew to be answered */
    uint64_t end;      /* one behind the highest number */
};

struct counts {
    uint64_t distinct, twice, disordered, strays;
};

/* Counts a numbered comment of a viewer in room `room` of `rooms`: number n is of room n % rooms. */
static inline void see(struct seen *seen, const struct mark *mark, unsigned room, unsigned rooms,
                       struct counts *counts)
{
    const uint64_t bit = mark->number / rooms;
    if (mark->number % rooms != room || bit >= NUMBERS_MAX) {
        counts->strays++;
        return;
    }
    if (bit / 8 >= seen->bytes) {
        const size_t bytes = 2 * (bit / 8 + 8);
        seen->bits = realloc(seen->bits, bytes);
        if (!seen->bits)
            die("out of memory");
        memset(seen->bits + seen->bytes, 0, bytes - seen->bytes);
        seen->bytes = bytes;
    }
    if (seen->bits[bit / 8] >> bit % 8 & 1) {
        counts->twice++;
        return;
    }
    seen->bits[bit / 8] |= (uint8_t)(1 << bit % 8);
    counts->distinct++;
    counts->disordered += mark->number < seen->answered;
    if (mark->answered > seen->answered)
        seen->answered = mark->answered;
    if (mark->number >= seen->end)
        seen->end = mark->number + 1;
}

#endif
