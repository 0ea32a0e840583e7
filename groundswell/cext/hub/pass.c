/* Passes: every member of a room gets its turn. Rooms take turns, some viewers each, so that a
 * huge room holds nobody else up.
 */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "internal.h"

#define SLICE_VIEWERS 128 /* less than a ms of writes */
#define AHEAD 4           /* rows that are fetched before their turn */

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void begin_pass(struct hub_thread *t, uint32_t index, int64_t number)
{
    struct room *room = find_room(t, index);
    if (!room)
        return;
    room->pass_number = number;
    if (room->passing) {
        room->again = true;
        return;
    }
    room->passing = true;
    room->turn = 0;
    room->began_ns = monotonic_ns();
    t->running[t->running_count++] = index;
}

void forget_pass(struct hub_thread *t, uint32_t index)
{
    for (uint32_t i = 0; i < t->running_count; i++)
        if (t->running[i] == index) {
            t->running[i] = t->running[--t->running_count];
            return;
        }
}

/* One whole frame to one viewer that waits for exactly this; returns the bytes, 0: see to it. */
static uint32_t send_whole(struct hub_thread *t, struct connection *c, struct frame *frame)
{
    uint32_t form = form_of(c), size = frame_size(frame, form);
    ssize_t sent = send(c->fd, frame_bytes(frame, form), size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent == (ssize_t)size) {
        c->cursor++;
        return size;
    }
    if (sent >= 0) {
        c->cursor++;
        c->current = frame_kept(frame);
        c->offset = (uint32_t)sent;
        begin_blocked(t, c);
        return size;
    }
    if (errno == EAGAIN)
        begin_blocked(t, c);
    else if (errno != EINTR) /* its cursor stands: it catches up with the next pass */
        cut(t, c);
    return 0;
}

/* The hot loop: a viewer that is where it should be costs a comparison and a system call. */
static void run_slice(struct hub_thread *t, struct room *room)
{
    uint32_t left = SLICE_VIEWERS;
    uint64_t frames = 0, bytes = 0, sends = 0;
    const int64_t number = room->end - 1;
    struct frame *frame = room->end > room->first ? ring_frame(room, number) : NULL;
    for (; room->turn < room->count && left; left--) {
        if (room->turn + AHEAD < room->count)
            __builtin_prefetch(&t->connections[room->members[room->turn + AHEAD]]);
        struct connection *c = &t->connections[room->members[room->turn++]];
        if (c->flags & BLOCKED)
            continue;
        if (frame && c->cursor == number) {
            uint32_t size = send_whole(t, c, frame);
            frames += size != 0;
            bytes += size;
            sends++;
        } else {
            write_on(t, c);
        }
    }
    count_up(&t->counters.frames_written, frames);
    count_up(&t->counters.bytes_written, bytes);
    count_up(&t->counters.sends, sends);
}

static void report_passed(struct hub_thread *t, const struct room *room)
{
    const struct event passed = {.kind = EVENT_PASSED,
                                 .slot = room->name,
                                 .value = room->pass_number,
                                 .nanoseconds = monotonic_ns() - room->began_ns};
    put_event(t, &passed, NULL);
}

void run_passes(struct hub_thread *t)
{
    for (uint32_t i = 0; i < t->running_count;) {
        struct room *room = t->rooms[t->running[i]];
        run_slice(t, room);
        if (room->turn < room->count) {
            i++;
        } else if (room->again) {
            room->again = false;
            room->turn = 0;
            i++;
        } else {
            room->passing = false;
            report_passed(t, room);
            t->running[i] = t->running[--t->running_count];
        }
    }
}
