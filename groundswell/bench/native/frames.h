/* RFC 6455 frames as a server sends them, out of a stream that is cut anywhere.
 *
 * What no server that we measure sends is an error and not a guess: masked frames (section 5.1),
 * reserved bits (no extension is offered, section 5.2), fragments, and frames above 16 MiB.
 */
#ifndef GROUNDSWELL_FRAMES_H
#define GROUNDSWELL_FRAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define MAX_FRAME (16u << 20)

enum opcode { OP_TEXT = 0x1, OP_BINARY = 0x2, OP_CLOSE = 0x8, OP_PING = 0x9, OP_PONG = 0xA };

struct frame {
    int opcode;
    const uint8_t *payload; /* borrowed from the inbox until its next call */
    size_t length;
};

/* Bytes received and not yet parsed. */
struct inbox {
    uint8_t *bytes;
    size_t start, end, capacity;
};

/* Returns room for at least `room` bytes; say with inbox->end += n how many came. */
static inline uint8_t *inbox_room(struct inbox *in, size_t room)
{
    if (in->start > 0) {
        memmove(in->bytes, in->bytes + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    if (in->capacity - in->end < room) {
        in->capacity = 2 * (in->end + room);
        in->bytes = realloc(in->bytes, in->capacity);
        if (!in->bytes)
            die("out of memory");
    }
    return in->bytes + in->end;
}

#define HEAD_MAX 10 /* of an unmasked frame */

/* Reads a frame's head: the sizes of head and payload. Returns as next_frame does. */
static inline int frame_head(const uint8_t *p, size_t have, size_t *head, size_t *length)
{
    if (have < 2)
        return 0;
    if ((p[0] & 0xF0) != 0x80 || p[1] & 0x80)
        return -1;
    *length = p[1] & 0x7F;
    *head = 2;
    if (*length >= 126) {
        *head = *length == 126 ? 4 : HEAD_MAX;
        if (have < *head)
            return 0;
        *length = 0;
        for (size_t i = 2; i < *head; i++)
            *length = *length << 8 | p[i];
    }
    return *length > MAX_FRAME || (p[0] & 0x0F) == 0 ? -1 : 1;
}

/* Takes the next whole frame. Returns 1: taken; 0: more bytes are needed; -1: a protocol error. */
static inline int next_frame(struct inbox *in, struct frame *out)
{
    const uint8_t *p = in->bytes + in->start;
    size_t have = in->end - in->start, head, length;
    int read = frame_head(p, have, &head, &length);
    if (read != 1 || have < head + length)
        return read < 0 ? -1 : 0;
    *out = (struct frame){.opcode = p[0] & 0x0F, .payload = p + head, .length = length};
    in->start += head + length;
    return 1;
}

#endif
