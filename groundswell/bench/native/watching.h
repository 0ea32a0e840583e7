/* The connections of viewers: opening, joining, receiving. For viewers.c alone, whose options and
 * state these are. */
#ifndef GROUNDSWELL_WATCHING_H
#define GROUNDSWELL_WATCHING_H

#include <stdbool.h>

#include "rooms.h"
#include "tokens.h"
#include "viewer.h"

#define STDIN_NAME UINT64_MAX /* in epoll data; all others are indices of viewers */
#define READ_BYTES (256 * 1024)
#define SOURCES_MAX 65000 /* 127.0.0.2 and on, within 127.0.0.0/16 */
#define RECEIVE_BYTES (1 << 20) /* of a socket that is drained seldom: the server must never wait */
#define SCARCE_BYTES 4096       /* of one that is to make it wait */
#define SLOW_TURNS 10           /* reads a second of a slow viewer */

static const char *path = "/", *progress = "no", *welcome = "no", *each = "no", *events = "no",
                  *manner = "watch", *say = NULL, *tokens_path = NULL;
static double port, viewer_count = 1, sources = 16, every = 50, seconds = 60, connect_rate = 2000,
                    connect_seconds = 60, pong_seconds = 7, rooms = 1, drain_ms = 400,
                    slow_bytes = 1000, flap_seconds = 2;
static double at_once = 200; /* handshakes: below every listen backlog in use */

static struct viewer *viewers;
static char **tokens; /* of viewers in turn; NULL: nobody in particular */
static size_t token_count;
static struct histogram join_latency, back_latency;
static int epoll;
static unsigned opened, connected, joined, closed, complete;
static uint64_t cuts, held_max;
static double join_seconds;
static int64_t cut_at; /* monotonic; 0: nobody was cut */
static bool told_to_cut, told_to_count;

static bool is(const char *option, const char *value) { return strcmp(option, value) == 0; }

static bool waits_for_frame(void)
{
    return is(events, "no") && (is(welcome, "yes") || say || cut_at);
}

static void leave(struct viewer *v)
{
    close(v->fd);
    v->state = GONE;
    closed++;
}

/* Ends a viewer's connection, so that it can be opened anew. What it has seen stays. */
static void cut(struct viewer *v)
{
    if (v->state != GONE)
        close(v->fd);
    free(v->part.bytes);
    v->part = (struct inbox){0};
    v->first = 0;
    v->joined = v->complete = false;
    v->state = GONE;
    cuts++;
}

static void open_viewer(unsigned i)
{
    struct viewer *v = &viewers[i];
    const int size = is(manner, "slow") || is(manner, "deaf") ? SCARCE_BYTES : RECEIVE_BYTES;
    v->began = monotonic_ns();
    v->state = CONNECTING;
    v->before = v->bytes;
    v->room = i % (unsigned)rooms;
    v->sampled = is(manner, "watch") && i % (unsigned)every == 0;
    v->fd = connect_loopback((int)port, i % (unsigned)sources, v->sampled ? 0 : size);
    watch(epoll, v->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, i);
}

/* Learns how long the first frame is. Returns false while its head is not all there: nothing may be
 * read then, or what comes in between would be lost to it. The rest is another edge. */
static bool size_first(struct viewer *v)
{
    uint8_t bytes[HEAD_MAX];
    size_t head, length;
    ssize_t n = recv(v->fd, bytes, sizeof bytes, MSG_PEEK);
    if (n <= 0 || frame_head(bytes, (size_t)n, &head, &length) != 1)
        return false;
    v->first = head + length;
    return true;
}

static void join(struct viewer *v)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.u64 = (uint64_t)(v - viewers)};
    v->joined = true;
    joined++;
    histogram_add(&join_latency, monotonic_ns() - v->began);
    if (!v->sampled)
        epoll_ctl(epoll, EPOLL_CTL_MOD, v->fd, &event);
}

/* After a cut: it has again seen what anybody had when its welcome came. */
static void check_complete(struct viewer *v)
{
    if (!cut_at || v->complete || !v->joined || v->seen.end < v->goal)
        return;
    v->complete = true;
    complete++;
    histogram_add(&back_latency, monotonic_ns() - cut_at);
}

/* Edge-triggered: reads until a read comes back short, after which the next byte is a new edge.
 * An end that this edge already told of will not be told again: then reads on to it. */
static void receive(struct viewer *v, bool ended)
{
    ssize_t n;
    if (!v->joined && v->first == 0 && !size_first(v) && !ended)
        return;
    do {
        if (v->sampled)
            n = recv(v->fd, inbox_room(&shared, READ_BYTES + v->part.end) + v->part.end,
                     READ_BYTES, 0);
        else
            n = recv(v->fd, NULL, READ_BYTES, MSG_TRUNC);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            leave(v);
            return;
        }
        if (n < 0)
            return;
        v->bytes += (uint64_t)n;
        if (v->sampled) {
            seen_by_all.bytes += (uint64_t)n;
            if (v->part.end > 0)
                memcpy(shared.bytes, v->part.bytes, v->part.end);
            shared.end = v->part.end + (size_t)n;
            if (is(events, "yes")) {
                take_events(v, (unsigned)rooms, is(each, "yes"));
            } else if (!take_frames(v, (unsigned)rooms, is(each, "yes"))) {
                leave(v);
                return;
            }
        }
        if (!v->joined && v->first > 0 && v->bytes - v->before >= v->first)
            join(v);
        check_complete(v);
    } while (n == READ_BYTES || ended);
}

static void request(struct viewer *v)
{
    char at[1024];
    size_t n = put_in_room(at, sizeof at, path, v->room);
    if (*v->position)
        snprintf(at + n, sizeof at - n, "?position=%s", v->position);
    send_get(v->fd, (int)port, at, is(events, "yes") ? EVENTS : UPGRADE,
             tokens ? tokens[(size_t)(v - viewers) % token_count] : NULL);
}

static void say_hello(struct viewer *v)
{
    char text[1024];
    uint8_t frame[1024 + 8];
    size_t n = put_in_room(text, sizeof text, say, v->room);
    n = put_text(frame, text, n);
    if (send(v->fd, frame, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("the first message cannot be sent");
}

static void on_event(struct viewer *v, uint32_t happened)
{
    if (v->state == CONNECTING && happened & (EPOLLOUT | EPOLLERR)) {
        request(v);
        v->state = HANDSHAKING;
    }
    if (v->state == HANDSHAKING && happened & EPOLLIN &&
        receive_head(v->fd, is(events, "yes") ? "200" : "101")) {
        v->state = WATCHING;
        connected++;
        if (say)
            say_hello(v);
        if (!waits_for_frame())
            join(v);
    }
    const bool ended = happened & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    /* Who is not parsed is drained at times of its own from its join on. */
    if (v->state == WATCHING && (ended || (happened & EPOLLIN && (v->sampled || !v->joined))))
        receive(v, ended);
}

/* Handles what happened within `timeout_ms`. Returns false once stdin is closed. */
static bool turn(int timeout_ms)
{
    struct epoll_event happened[512];
    bool going = true;
    int n = epoll_wait(epoll, happened, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        char line[64];
        if (happened[i].data.u64 != STDIN_NAME) {
            on_event(&viewers[happened[i].data.u64], happened[i].events);
            continue;
        }
        ssize_t length = read(STDIN_FILENO, line, sizeof line);
        going = length > 0;
        told_to_cut = told_to_cut || (length >= 3 && memcmp(line, "cut", 3) == 0);
        told_to_count = told_to_count || (length >= 5 && memcmp(line, "count", 5) == 0);
    }
    return going;
}

#endif
