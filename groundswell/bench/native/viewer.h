/* One viewer, and what all of them together have seen. For viewers.c alone: it has the options.
 *
 * A sampled viewer's frames or events are parsed; of the others' only bytes are counted.
 */
#ifndef GROUNDSWELL_VIEWER_H
#define GROUNDSWELL_VIEWER_H

#include <stdbool.h>

#include "handshake.h"
#include "marks.h"
#include "measure.h"

#define POSITION_ROOM 48 /* 16 hexadecimal digits, a colon, up to 20 digits */

enum state { CONNECTING, HANDSHAKING, WATCHING, GONE };

struct viewer {
    int fd;
    enum state state;
    bool sampled, joined, complete;
    unsigned room;
    struct inbox part; /* of sampled viewers: a frame that is not all there */
    uint64_t bytes;    /* after the handshake, of all its connections */
    uint64_t before;   /* of them, those of former connections */
    int64_t began;     /* monotonic, its connect() */
    uint64_t first;    /* bytes of its first frame; 0: not known yet */
    struct seen seen;  /* of sampled viewers, over all their connections */
    char position[POSITION_ROOM];
    uint64_t goal; /* it is complete again once it has seen all below this number */
};

/* One comment, as all sampled viewers got it. */
struct spread {
    int64_t stamp;
    struct histogram latency;
};

/* What sampled viewers have seen. */
static struct {
    uint64_t comments, messages, welcomes, recovered, pings, errors, bytes;
    struct counts counts;
    int64_t first, last; /* monotonic times of comments */
    uint64_t end;        /* one behind the highest number of a comment */
    struct histogram latency;
    struct spread *spreads;
    unsigned spread_count;
} seen_by_all;

static struct inbox shared; /* what is being read; empty between viewers */

static void count_spread(int64_t stamp, int64_t ns)
{
    unsigned i = seen_by_all.spread_count;
    while (i > 0 && seen_by_all.spreads[i - 1].stamp != stamp)
        i--;
    if (i == 0) {
        i = ++seen_by_all.spread_count;
        seen_by_all.spreads = realloc(seen_by_all.spreads, i * sizeof *seen_by_all.spreads);
        seen_by_all.spreads[i - 1] = (struct spread){.stamp = stamp};
    }
    histogram_add(&seen_by_all.spreads[i - 1].latency, ns);
}

/* Keeps the position that a `welcome` or `update` brings: the viewer could resume from it. */
static void keep_position(struct viewer *v, const uint8_t *text, size_t length)
{
    static const char name[] = "\"position\":\"";
    const uint8_t *begin = memmem(text, length, name, sizeof name - 1);
    if (!begin)
        return;
    begin += sizeof name - 1;
    const uint8_t *end = memchr(begin, '"', (size_t)(text + length - begin));
    if (!end || end - begin >= POSITION_ROOM)
        return;
    memcpy(v->position, begin, (size_t)(end - begin));
    v->position[end - begin] = '\0';
}

static void take_comment(struct viewer *v, const struct mark *mark, unsigned rooms, bool each)
{
    const int64_t ns = wall_ns() - mark->stamp;
    const uint64_t distinct = seen_by_all.counts.distinct;
    if (mark->numbered) {
        see(&v->seen, mark, v->room, rooms, &seen_by_all.counts);
        if (seen_by_all.counts.distinct == distinct)
            return; /* it has come before, or is not for this room: no delivery */
        if (v->seen.end > seen_by_all.end)
            seen_by_all.end = v->seen.end;
    }
    histogram_add(&seen_by_all.latency, ns);
    if (each)
        count_spread(mark->stamp, ns);
    seen_by_all.comments++;
    seen_by_all.last = monotonic_ns();
    if (!seen_by_all.first)
        seen_by_all.first = seen_by_all.last;
}

static void take_message(struct viewer *v, const uint8_t *text, size_t length, unsigned rooms,
                         bool each)
{
    static const char snapshot[] = "{\"type\":\"welcome\"", recovered[] = "\"recovered\":true";
    const uint8_t *at = text, *end = at + length;
    struct mark mark;
    seen_by_all.messages++;
    keep_position(v, text, length < 256 ? length : 256);
    /* A snapshot repeats old comments: not deliveries. More than one a viewer means skips. */
    if (length >= sizeof snapshot - 1 && memcmp(at, snapshot, sizeof snapshot - 1) == 0) {
        seen_by_all.welcomes++;
        v->goal = seen_by_all.end;
        seen_by_all.recovered += memmem(text, length, recovered, sizeof recovered - 1) != NULL;
    }
    else
        while (next_mark(&at, end, &mark))
            take_comment(v, &mark, rooms, each);
}

/* Leaves what is not whole with its viewer, so that who has none needs no memory for it. */
static void put_aside(struct viewer *v)
{
    const size_t rest = shared.end - shared.start;
    free(v->part.bytes);
    v->part = (struct inbox){0};
    if (rest > 0) {
        v->part.bytes = malloc(rest);
        memcpy(v->part.bytes, shared.bytes + shared.start, rest);
        v->part.end = v->part.capacity = rest;
    }
    shared.start = shared.end = 0;
}

/* Returns whether the viewer is still there. */
static bool take_frames(struct viewer *v, unsigned rooms, bool each)
{
    struct frame frame;
    int taken;
    while ((taken = next_frame(&shared, &frame)) == 1) {
        if (frame.opcode == OP_TEXT) {
            take_message(v, frame.payload, frame.length, rooms, each);
        } else if (frame.opcode == OP_PING) {
            seen_by_all.pings++;
            send_control(v->fd, OP_PONG);
        } else if (frame.opcode == OP_CLOSE) {
            break;
        } else if (frame.opcode != OP_PONG) {
            taken = -1;
            break;
        }
    }
    seen_by_all.errors += taken < 0;
    put_aside(v);
    return taken == 0;
}

/* Takes the server-sent events that are whole; there is no wrong one. */
static void take_events(struct viewer *v, unsigned rooms, bool each)
{
    const uint8_t *end;
    while ((end = memmem(shared.bytes + shared.start, shared.end - shared.start, "\n\n", 2))) {
        const uint8_t *event = shared.bytes + shared.start;
        const uint8_t *data = memmem(event, (size_t)(end - event), "data: ", 6);
        if (data)
            take_message(v, data + 6, (size_t)(end - data - 6), rooms, each);
        else
            seen_by_all.pings++;
        shared.start = (size_t)(end + 2 - shared.bytes);
    }
    put_aside(v);
}

#endif
