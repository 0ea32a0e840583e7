/* The door: accepts connections, reads their first bytes and hands both to the owner.
 *
 * What a request means is the owner's business. Only who says nothing is sent away here, after
 * the time that a head may take: so that a silent connection costs a row of a table and no object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define ACCEPTED 64            /* connections in one turn, which then goes to passes and clients */
#define LISTENERS_MAX 8        /* addresses that a host name has */
#define A_LISTENER (1ull << 32) /* in the key of epoll, above the number of a row */

/* A connection that has not said anything yet. */
struct waiting {
    int fd;
    uint32_t earlier, later; /* neighbours by age; `later` also links free rows */
    int64_t due;
    char address[INET6_ADDRSTRLEN];
};

struct door {
    int poll_fd; /* epoll of the listening sockets and of those who wait */
    int listeners[LISTENERS_MAX];
    uint32_t listening;
    bool resting; /* no file was left: it listens again with the next tick */
    int64_t patience_ms;
    struct frame *too_late; /* last words to who said nothing */
    struct waiting *rows;
    uint32_t capacity;
    uint32_t vacant;
    uint32_t oldest, newest;
};

static bool watch(const struct door *door, int fd, uint64_t key)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
    return epoll_ctl(door->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static struct door *make_door(struct hub_thread *t)
{
    struct door *door = calloc(1, sizeof *door);
    if (!door)
        return NULL;
    door->vacant = door->oldest = door->newest = NO_SLOT;
    door->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)door->poll_fd};
    if (door->poll_fd < 0 ||
        (!t->paused && epoll_ctl(t->poll_fd, EPOLL_CTL_ADD, door->poll_fd, &event) < 0)) {
        if (door->poll_fd >= 0)
            close(door->poll_fd);
        free(door);
        return NULL;
    }
    t->door = door;
    t->door_fd = door->poll_fd;
    return door;
}

/* Takes a listening socket and the reference to the words for who comes and says nothing. */
void open_door(struct hub_thread *t, const struct command *command)
{
    int fd = (int)command->a;
    struct door *door = t->door ? t->door : make_door(t);
    /* A socket that blocks would hold up everybody once nobody is left to be accepted. */
    if (!door || door->listening == LISTENERS_MAX || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
        !watch(door, fd, A_LISTENER | (uint32_t)fd)) {
        close(fd);
        frame_drop(command->frame);
        return;
    }
    door->listeners[door->listening++] = fd;
    door->patience_ms = command->b;
    frame_drop(door->too_late);
    door->too_late = command->frame;
}

/* Nobody is accepted any more; who waits may still say something. */
void close_door(struct hub_thread *t)
{
    struct door *door = t->door;
    while (door && door->listening) {
        int fd = door->listeners[--door->listening];
        epoll_ctl(door->poll_fd, EPOLL_CTL_DEL, fd, NULL); /* the owner has it too */
        close(fd);
    }
}

static bool reserve_row(struct door *door)
{
    if (door->vacant != NO_SLOT)
        return true;
    uint32_t capacity = door->capacity ? 2 * door->capacity : 64;
    struct waiting *rows = realloc(door->rows, capacity * sizeof *rows);
    if (!rows)
        return false;
    for (uint32_t i = door->capacity; i < capacity; i++)
        rows[i].later = i + 1 < capacity ? i + 1 : NO_SLOT;
    door->vacant = door->capacity;
    door->rows = rows;
    door->capacity = capacity;
    return true;
}

/* All wait for the same time, so that the newest is the last to be due. */
static bool let_wait(struct hub_thread *t, int fd, const char *address)
{
    struct door *door = t->door;
    if (!reserve_row(door) || !watch(door, fd, door->vacant))
        return false;
    uint32_t index = door->vacant;
    struct waiting *row = &door->rows[index];
    door->vacant = row->later;
    row->fd = fd;
    row->due = t->now_ms + door->patience_ms;
    row->earlier = door->newest;
    row->later = NO_SLOT;
    strcpy(row->address, address);
    if (door->newest != NO_SLOT)
        door->rows[door->newest].later = index;
    else
        door->oldest = index;
    door->newest = index;
    return true;
}

/* Frees a row; returns its descriptor, which epoll does not know any more. */
static int stop_waiting(struct door *door, uint32_t index)
{
    struct waiting *row = &door->rows[index];
    epoll_ctl(door->poll_fd, EPOLL_CTL_DEL, row->fd, NULL);
    if (row->earlier != NO_SLOT)
        door->rows[row->earlier].later = row->later;
    else
        door->oldest = row->later;
    if (row->later != NO_SLOT)
        door->rows[row->later].earlier = row->earlier;
    else
        door->newest = row->earlier;
    row->later = door->vacant;
    door->vacant = index;
    return row->fd;
}

/* The address, a zero and what was read: then the descriptor is the owner's. */
static void report_arrived(struct hub_thread *t, int fd, const char *address, size_t size)
{
    size_t head = strlen(address) + 1;
    const struct event arrived = {
        .kind = EVENT_ARRIVED, .size = (uint32_t)(head + size), .value = fd};
    /* What was read lies behind the room that an address needs. */
    memcpy(t->scratch + ADDRESS_BYTES - head, address, head);
    put_event(t, &arrived, t->scratch + ADDRESS_BYTES - head);
}

static ssize_t read_first(struct hub_thread *t, int fd)
{
    return recv(fd, t->scratch + ADDRESS_BYTES, READ_BYTES - ADDRESS_BYTES, MSG_DONTWAIT);
}

static void tell_address(const struct sockaddr_storage *peer, char *address)
{
    const void *bytes = &((const struct sockaddr_in *)peer)->sin_addr;
    if (peer->ss_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)peer)->sin6_addr;
    if (!inet_ntop(peer->ss_family, bytes, address, INET6_ADDRSTRLEN))
        *address = 0; /* a Unix socket */
}

static void welcome(struct hub_thread *t, int fd, const struct sockaddr_storage *peer)
{
    char address[INET6_ADDRSTRLEN];
    tell_address(peer, address);
    ssize_t n = read_first(t, fd);
    if (n > 0)
        report_arrived(t, fd, address, (size_t)n);
    else if (n == 0 || errno != EAGAIN || !let_wait(t, fd, address))
        close(fd);
}

/* With no file left the socket would be ready for ever: it rests until the next tick. */
static void rest(struct door *door)
{
    for (uint32_t i = 0; i < door->listening; i++)
        epoll_ctl(door->poll_fd, EPOLL_CTL_DEL, door->listeners[i], NULL);
    door->resting = true;
}

static void accept_some(struct hub_thread *t, int listener)
{
    for (int i = 0; i < ACCEPTED; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            count_up(&t->counters.accepted, 1);
            welcome(t, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            count_up(&t->counters.accept_failures, 1);
            rest(t->door);
        }
        if (errno != ECONNABORTED && errno != EINTR) /* those concern one peer alone */
            return;
    }
}

static void hear(struct hub_thread *t, uint32_t index)
{
    struct door *door = t->door;
    ssize_t n = read_first(t, door->rows[index].fd);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    int fd = stop_waiting(door, index);
    if (n > 0)
        report_arrived(t, fd, door->rows[index].address, (size_t)n);
    else
        close(fd);
}

void answer_door(struct hub_thread *t)
{
    struct epoll_event ready[ACCEPTED];
    int count = epoll_wait(t->door_fd, ready, ACCEPTED, 0);
    /* Rows that are freed are taken again only by `accept_some`, so those come last. */
    for (int i = 0; i < count; i++)
        if (!(ready[i].data.u64 & A_LISTENER))
            hear(t, (uint32_t)ready[i].data.u64);
    for (int i = 0; i < count; i++)
        if (ready[i].data.u64 & A_LISTENER)
            accept_some(t, (int)(uint32_t)ready[i].data.u64);
}

/* With each tick: who has said nothing for too long goes, and a door that rested is open again. */
void mind_door(struct hub_thread *t)
{
    struct door *door = t->door;
    if (!door)
        return;
    while (door->oldest != NO_SLOT && door->rows[door->oldest].due <= t->now_ms) {
        int fd = stop_waiting(door, door->oldest);
        ssize_t n = send(fd, frame_bytes(door->too_late, WEBSOCKET),
                         frame_size(door->too_late, WEBSOCKET),
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)n; /* who does not take it is gone all the same */
        close(fd);
    }
    if (door->resting) {
        door->resting = false;
        for (uint32_t i = 0; i < door->listening; i++)
            watch(door, door->listeners[i], A_LISTENER | (uint32_t)door->listeners[i]);
    }
}

void take_door_down(struct hub_thread *t)
{
    struct door *door = t->door;
    if (!door)
        return;
    close_door(t);
    while (door->oldest != NO_SLOT)
        close(stop_waiting(door, door->oldest));
    frame_drop(door->too_late);
    free(door->rows);
    close(door->poll_fd);
    free(door);
    t->door = NULL;
    t->door_fd = -1;
}
