/* Passes: every member of a room is brought up to its ring's end, some viewers a turn. */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "internal.h"

#define AHEAD 4 /* rows that are fetched before their turn */

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
    start_turns(t, room);
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

static void note_lag(struct hub_thread *t, const struct room *room, const struct connection *c)
{
    if (c->cursor != NO_CURSOR && room->end - c->cursor > (int64_t)t->lag)
        t->lag = (uint64_t)(room->end - c->cursor);
}

/* With every tick: what the passes met since the last one. It stands where there were none, until
 * nobody is behind.
 */
void tell_lag(struct hub_thread *t)
{
    if (t->lag || !t->counters.behind)
        __atomic_store_n(&t->counters.lag_frames, t->lag, __ATOMIC_RELAXED);
    t->lag = 0;
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
        if (c->flags & BLOCKED) {
            note_lag(t, room, c);
            continue;
        }
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

bool pass_slice(struct hub_thread *t, struct room *room)
{
    run_slice(t, room);
    if (room->turn < room->count)
        return true;
    if (room->again) {
        room->again = false;
        room->turn = 0;
        return true;
    }
    room->passing = false;
    report_passed(t, room);
    return false;
}
