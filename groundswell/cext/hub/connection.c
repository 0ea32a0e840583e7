/* Connections: how one begins, is closed with words, and ends. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

struct connection *find_connection(struct hub_thread *t, uint32_t slot, uint32_t generation)
{
    struct connection *c = &t->connections[slot];
    return slot < t->used && c->flags & OPEN && c->generation == generation ? c : NULL;
}

static void report_closed(struct hub_thread *t, uint32_t slot, uint32_t generation, uint16_t code)
{
    const struct event closed = {
        .kind = EVENT_CLOSED, .slot = slot, .generation = generation, .value = code};
    put_event(t, &closed, NULL);
}

static bool set_up_socket(struct hub_thread *t, int fd, uint64_t key)
{
    const int on = 1, send_buffer = (int)t->hub->config.send_buffer;
    /* Both fail on a socket that is not TCP; neither matters there. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u64 = key};
    return epoll_ctl(t->reader_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void adopt(struct hub_thread *t, const struct command *command)
{
    struct connection *c = &t->connections[command->slot];
    int fd = (int)command->a;
    uint64_t key = (uint64_t)command->generation << 32 | command->slot;
    if (command->slot >= t->used)
        t->used = command->slot + 1;
    if (!set_up_socket(t, fd, key)) {
        close(fd);
        report_closed(t, command->slot, command->generation, 0);
        return;
    }
    memset(c, 0, sizeof *c);
    c->fd = fd;
    c->generation = command->generation;
    c->room = NULL;
    c->cursor = NO_CURSOR;
    c->flags = (uint8_t)(OPEN | (command->room & FORM));
    c->wheel_slot = NOT_ARMED;
    c->ping_due = command->b;
    c->pong_due = c->auth_due = c->message_due = c->expires = HUB_NEVER;
    count_connection(1);
    wheel_arm(t, command->slot);
    if (frame_size(command->frame, form_of(c)) && !queue_private(c, frame_kept(command->frame)))
        abort_connection(t, c);
}

/* Writes the last words behind what is unsent. Once it is closing it gets nothing else, and is not
 * listened to; the peer may end it, or its time will. Takes no reference to `words`.
 */
void begin_close(struct hub_thread *t, struct connection *c, uint16_t code, struct frame *words)
{
    const struct hub_config *config = &t->hub->config;
    if (c->flags & CLOSING)
        return;
    if (code == config->codes[CAUSE_SLOW])
        count_up(&t->counters.refused_slow, 1);
    leave_room(t, c);
    c->flags |= CLOSING;
    c->close_code = code;
    c->auth_due = t->now_ms + config->closing_ms;
    wheel_arm(t, slot_of(t, c));
    if (!words || !queue_private(c, frame_kept(words)))
        abort_connection(t, c); /* no memory for a word */
    else if (!(c->flags & BLOCKED))
        write_on(t, c);
}

void close_for(struct hub_thread *t, struct connection *c, enum cause cause)
{
    const struct hub_config *config = &t->hub->config;
    begin_close(t, c, config->codes[cause], config->closes[cause]);
}

/* Ends a connection whose peer is gone, or need not be told anything. */
void cut(struct hub_thread *t, struct connection *c)
{
    uint32_t slot = slot_of(t, c);
    leave_room(t, c);
    wheel_disarm(t, slot);
    drop_private(c);
    frame_drop(c->current);
    c->current = NULL;
    if (c->parser) {
        t->hub->config.parser.clear(c->parser);
        free(c->parser);
        c->parser = NULL;
    }
    /* Told to epoll although it is closed: the event loop may hold the original for a moment. */
    epoll_ctl(t->reader_fd, EPOLL_CTL_DEL, c->fd, NULL);
    if (c->flags & BLOCKED)
        end_blocked(t, c);
    close(c->fd);
    c->fd = -1;
    c->flags = 0;
    count_connection(-1);
    report_closed(t, slot, c->generation, c->close_code);
}

/* The same for a peer that does not read: what the kernel holds for it is thrown away. */
void abort_connection(struct hub_thread *t, struct connection *c)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    cut(t, c);
}

/* For who has taken nothing for too long: the words would find no room in its socket either. */
void cut_slow(struct hub_thread *t, struct connection *c)
{
    count_up(&t->counters.refused_slow, 1);
    c->close_code = t->hub->config.codes[CAUSE_SLOW];
    abort_connection(t, c);
}

/* Only who has everything up to the ping's position is told of it; others are asked again with
 * the next tick.
 */
void send_ping(struct hub_thread *t, struct connection *c)
{
    const struct hub_config *config = &t->hub->config;
    const struct room *room = c->room;
    if (!room || !room->ping || c->flags & BLOCKED)
        return;
    if (c->cursor != room->end || c->cursor != room->ping_cursor)
        return;
    if (!queue_private(c, frame_kept(room->ping)))
        return;
    c->ping_due = t->now_ms + config->ping_interval_ms;
    if (form_of(c) != SSE && c->pong_due == HUB_NEVER) /* else an earlier one is unanswered */
        c->pong_due = t->now_ms + config->pong_timeout_ms;
    write_on(t, c);
}
