/* What a connection is sent, in order: the frame under way, its private slot, its ring.
 *
 * A connection that is not blocked has nothing unsent but its ring. So a pass only asks for that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "internal.h"

#define GATHERED 16 /* frames a system call */

static void report_behind(struct hub_thread *t, struct connection *c)
{
    const struct event behind = {
        .kind = EVENT_BEHIND, .slot = slot_of(t, c), .generation = c->generation};
    c->cursor = NO_CURSOR; /* until it joins anew */
    count_up(&t->counters.skips, 1);
    put_event(t, &behind, NULL);
}

static void put_part(struct iovec *parts, uint32_t *count, const struct frame *frame,
                     uint32_t form, uint32_t offset)
{
    parts[*count].iov_base = (void *)(frame_bytes(frame, form) + offset);
    parts[*count].iov_len = frame_size(frame, form) - offset;
    ++*count;
}

static uint32_t gather(struct hub_thread *t, const struct connection *c, struct iovec *parts)
{
    uint32_t form = form_of(c), count = 0;
    const struct private_slot *slot = c->private;
    const struct room *room = c->room;
    if (c->current)
        put_part(parts, &count, c->current, form, c->offset);
    for (uint32_t i = 0; slot && i < slot->count && count < GATHERED; i++)
        put_part(parts, &count, slot->frames[slot->at + i], form, 0);
    if (room && c->cursor >= room->first)
        for (int64_t number = c->cursor; number < room->end && count < GATHERED; number++)
            put_part(parts, &count, ring_frame(room, number), form, 0);
    return count;
}

/* Takes the next frame off its source; the reference is the caller's. */
static struct frame *take_next(struct hub_thread *t, struct connection *c)
{
    struct private_slot *slot = c->private;
    struct frame *frame = c->current;
    if (frame) {
        c->current = NULL;
        return frame;
    }
    c->offset = 0;
    if (slot) {
        frame = slot->frames[slot->at++];
        slot->bytes -= frame_size(frame, form_of(c));
        if (--slot->count == 0) {
            free(slot);
            c->private = NULL;
        }
        return frame;
    }
    frame = ring_frame(c->room, c->cursor++);
    count_up(&t->counters.frames_written, 1);
    count_up(&t->counters.bytes_written, frame_size(frame, form_of(c)));
    return frame_kept(frame);
}

static void consume(struct hub_thread *t, struct connection *c, uint32_t parts, size_t sent)
{
    while (parts--) {
        struct frame *frame = take_next(t, c);
        size_t rest = frame_size(frame, form_of(c)) - c->offset;
        if (sent < rest) {
            c->current = frame;
            c->offset += (uint32_t)sent;
            return;
        }
        sent -= rest;
        frame_drop(frame);
    }
}

void begin_blocked(struct hub_thread *t, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLOUT,
                                .data.u64 = (uint64_t)c->generation << 32 | slot_of(t, c)};
    c->blocked_since = t->now_ms;
    count_up(&t->counters.partial_writes, 1);
    if (c->flags & BLOCKED)
        return;
    if (epoll_ctl(t->writer_fd, EPOLL_CTL_ADD, c->fd, &event) < 0) {
        abort_connection(t, c); /* nothing would ever wake it */
        return;
    }
    c->flags |= BLOCKED;
    count_up(&t->counters.behind, 1);
    wheel_arm(t, slot_of(t, c));
}

void end_blocked(struct hub_thread *t, struct connection *c)
{
    epoll_ctl(t->writer_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->flags &= (uint8_t)~BLOCKED;
    count_up(&t->counters.behind, UINT64_MAX);
}

static void all_written(struct hub_thread *t, struct connection *c)
{
    if (c->flags & BLOCKED)
        end_blocked(t, c);
    if (c->flags & CLOSING && !(c->flags & SHUT)) {
        /* Half-close: the peer reads our last words although its own are unread here, where a
         * full close would answer those with a reset. */
        c->flags |= SHUT;
        shutdown(c->fd, SHUT_WR);
    }
}

void write_on(struct hub_thread *t, struct connection *c)
{
    struct iovec parts[GATHERED];
    for (;;) {
        uint32_t count = gather(t, c, parts);
        if (!count) {
            const struct room *room = c->room;
            if (room && c->cursor != NO_CURSOR && c->cursor < room->first)
                report_behind(t, c);
            all_written(t, c);
            return;
        }
        const struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
        size_t wanted = 0;
        for (uint32_t i = 0; i < count; i++)
            wanted += parts[i].iov_len;
        ssize_t sent = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        count_up(&t->counters.sends, 1);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN) {
            cut(t, c);
            return;
        }
        if (sent >= 0)
            consume(t, c, count, (size_t)sent);
        if (sent < (ssize_t)wanted) {
            if (sent > 0 || !(c->flags & BLOCKED))
                begin_blocked(t, c);
            return;
        }
    }
}
