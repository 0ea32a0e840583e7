/* The loop of one hub thread: commands, sockets, passes, events; and its beginning and end. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define READY 256 /* sockets that are seen to between two looks at the commands */

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Returns 0 or an errno; `thread_free` then frees what there is. */
int thread_init(struct hub *hub, struct hub_thread *t)
{
    t->hub = hub;
    queues_init(t);
    t->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    t->reader_fd = epoll_create1(EPOLL_CLOEXEC);
    t->writer_fd = epoll_create1(EPOLL_CLOEXEC);
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->poll_fd < 0 || t->reader_fd < 0 || t->writer_fd < 0 || t->wake_fd < 0)
        return errno;
    if (watch(t->poll_fd, t->reader_fd) < 0 || watch(t->poll_fd, t->writer_fd) < 0 ||
        watch(t->poll_fd, t->wake_fd) < 0)
        return errno;
    void *rows = mmap(NULL, HUB_SLOTS_MAX * sizeof *t->connections, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (rows == MAP_FAILED)
        return errno;
    t->connections = rows;
    return reading_init(t);
}

void thread_free(struct hub_thread *t)
{
    const int fds[] = {t->poll_fd, t->reader_fd, t->writer_fd, t->wake_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (t->connections)
        munmap(t->connections, HUB_SLOTS_MAX * sizeof *t->connections);
    free(t->rooms);
    free(t->parser);
    free(t->scratch);
    queues_free(t);
}

static void carry_out_for(struct hub_thread *t, struct connection *c, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_AUTH_DUE:
        c->auth_due = command->a;
        wheel_arm(t, command->slot);
        break;
    case COMMAND_EXPIRES:
        c->auth_due = HUB_NEVER;
        c->expires = command->a;
        wheel_arm(t, command->slot);
        break;
    case COMMAND_QUEUE:
        count_up(&t->counters.private_messages, 1);
        if (!queue_private(c, command->frame))
            abort_connection(t, c);
        break;
    case COMMAND_FLUSH:
        if (!(c->flags & BLOCKED))
            write_on(t, c);
        break;
    case COMMAND_FEED:
        feed_client(t, c, command->frame->bytes, frame_size(command->frame, WEBSOCKET));
        frame_drop(command->frame);
        break;
    case COMMAND_SEND:
        send_private(t, c, command->frame);
        break;
    case COMMAND_JOIN:
        join_room(t, c, command->room, command->a);
        break;
    case COMMAND_CLOSE:
        begin_close(t, c, (uint16_t)command->a, command->frame);
        frame_drop(command->frame);
        break;
    }
}

static void carry_out(struct hub_thread *t, const struct command *command)
{
    struct connection *c;
    switch (command->kind) {
    case COMMAND_TICK:
        t->now_ms = command->a;
        t->wall_ms = command->b;
        tell_lag(t);
        wheel_turn(t);
        mind_door(t);
        break;
    case COMMAND_STOP:
        t->stopping = true;
        break;
    case COMMAND_ADOPT:
        adopt(t, command);
        frame_drop(command->frame);
        break;
    case COMMAND_LISTEN:
        open_door(t, command);
        break;
    case COMMAND_UNLISTEN:
        close_door(t);
        break;
    case COMMAND_OPEN:
        open_room(t, command);
        break;
    case COMMAND_FRAME:
        add_frame(t, command);
        break;
    case COMMAND_SWAP:
        swap_frame(t, command);
        break;
    case COMMAND_PASS:
        begin_pass(t, command->room, command->a);
        break;
    case COMMAND_PING:
        set_ping(t, command);
        break;
    case COMMAND_DISMISS:
        begin_dismissal(t, command);
        break;
    case COMMAND_DISSOLVE:
        dissolve_room(t, command->room);
        break;
    default:
        c = find_connection(t, command->slot, command->generation);
        if (c && !(c->flags & CLOSING))
            carry_out_for(t, c, command);
        else
            frame_drop(command->frame);
    }
}

/* Returns whether there was nothing to do, so that the thread now counts as asleep. */
static bool carry_out_all(struct hub_thread *t)
{
    size_t count;
    bool may_sleep = t->running == NULL;
    struct command *commands = take_commands(t, may_sleep, &count);
    for (size_t i = 0; i < count; i++)
        carry_out(t, &commands[i]);
    free(commands);
    return may_sleep && count == 0;
}

static void see_to_sockets(struct hub_thread *t, int epoll)
{
    struct epoll_event ready[READY];
    int count = epoll_wait(epoll, ready, READY, 0);
    for (int i = 0; i < count; i++) {
        uint64_t key = ready[i].data.u64;
        struct connection *c = find_connection(t, (uint32_t)key, (uint32_t)(key >> 32));
        if (!c)
            continue;
        if (epoll == t->writer_fd)
            write_on(t, c);
        else
            read_client(t, c);
    }
}

static void wait_ready(struct hub_thread *t, bool asleep)
{
    struct epoll_event ready[4];
    uint64_t woken;
    int count = epoll_wait(t->poll_fd, ready, 4, asleep ? -1 : 0);
    for (int i = 0; i < count; i++) {
        int fd = (int)ready[i].data.u64;
        if (fd == t->door_fd) {
            answer_door(t);
        } else if (fd != t->wake_fd) {
            see_to_sockets(t, fd);
        } else if (read(fd, &woken, sizeof woken) < 0) {
            /* somebody was faster: it is awake all the same */
        }
    }
}

/* Clients that send faster than the owner takes are not read until it has: then TCP holds them. */
static void hold_clients_back(struct hub_thread *t)
{
    const int fds[] = {t->reader_fd, t->door_fd};
    bool much = events_pile_up(t);
    if (much == t->paused)
        return;
    for (size_t i = 0; i < sizeof fds / sizeof *fds && fds[i] >= 0; i++) {
        if (much)
            epoll_ctl(t->poll_fd, EPOLL_CTL_DEL, fds[i], NULL);
        else
            watch(t->poll_fd, fds[i]);
    }
    t->paused = much;
}

void *thread_main(void *thread)
{
    struct hub_thread *t = thread;
    wheel_init(t);
    for (;;) {
        bool asleep = carry_out_all(t);
        hand_events_over(t);
        if (t->stopping)
            break;
        hold_clients_back(t);
        wait_ready(t, asleep);
        take_turns(t);
        hand_events_over(t);
    }
    take_door_down(t);
    for (uint32_t slot = 0; slot < t->used; slot++)
        if (t->connections[slot].flags & OPEN)
            cut(t, &t->connections[slot]);
    for (uint32_t index = 0; index < t->room_count; index++)
        dissolve_room(t, index);
    take_turns(t); /* for rooms whose dismissal had not ended: they are empty now */
    hand_events_over(t);
    return NULL;
}
