/* Posts comments over keep-alive HTTP/1.1 connections and measures how they are answered. With
 * --get yes it asks for the path instead, and posts nothing.
 *
 * --rate 0, closed loop: every connection posts again as soon as it is answered; latency from the
 * send. --rate R, open loop: comment k is due at start + k/R and its latency counts from then,
 * whether or not a connection was free, so that a stall of the server is not left out.
 * Each text starts with that same time by the wall clock (marks.h). --peak P --rise S: the rate
 * climbs from R to P comments a second within the first S seconds and stays there. --rooms N: the
 * comments go to N rooms in turn. --head and --tail stand around the text in the body of a post.
 * --keys yes: every post has an Idempotency-Key of its own. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdbool.h>
#include <sys/timerfd.h>

#include "loopback.h"
#include "marks.h"
#include "measure.h"
#include "rooms.h"
#include "tokens.h"

#define TIMER_NAME UINT64_MAX /* in epoll data; all others are indices of connections */
#define RESPONSE_ROOM 65536
#define ANSWER_SECONDS 5 /* how long after the end answers are waited for */

static const char *path = "/", *tokens = NULL, *keys = "no", *get = "no",
                  *body_head = "{\"commentText\":\"", *body_tail = "\"}";
static double port, connections = 64, rate = 0, seconds = 10, text_bytes = 80, sources = 4,
                    rooms = 1, peak = 0, rise = 0;

struct connection {
    int fd;
    bool busy;
    int64_t due; /* monotonic time that the latency of the running request counts from */
    uint64_t number; /* of the running request */
    size_t have;
    char response[RESPONSE_ROOM];
};

static struct connection *all;
static struct histogram latency;
static char **bearers; /* tokens, used in turn */
static size_t bearer_count;
static uint64_t sent, answered, answered_in_time, ok, lost, statuses[600];
static int64_t start, end, wall_offset; /* wall = monotonic + wall_offset */
static int epoll, timer;
static unsigned *idle, idle_count, open_count, in_flight;

static int put_get(char *request, size_t size)
{
    return snprintf(request, size, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, (int)port);
}

/* Returns the number below which everything is answered, or was lost with its connection. */
static uint64_t all_answered_below(void)
{
    uint64_t least = sent;
    for (unsigned i = 0; i < (unsigned)connections; i++)
        if (all[i].busy && all[i].number < least)
            least = all[i].number;
    return least;
}

static int put_post(char *request, size_t size, int64_t due)
{
    char body[4096], at[1024], key[80] = "";
    const unsigned room = (unsigned)(sent % (uint64_t)rooms);
    size_t n = put_in_room(body, 1024, body_head, room);
    const size_t text = n;
    /* The running number keeps texts apart: the same one twice may be refused as a repetition. */
    n += (size_t)put_mark(body + n, due + wall_offset, sent, all_answered_below());
    for (; n < text + (size_t)text_bytes; n++)
        body[n] = (char)('a' + n % 26);
    n += put_in_room(body + n, 1024, body_tail, room);
    put_in_room(at, sizeof at, path, room);
    if (strcmp(keys, "yes") == 0)
        snprintf(key, sizeof key, "Idempotency-Key: %llx-%llu\r\n", (unsigned long long)wall_offset,
                 (unsigned long long)sent);
    return snprintf(request, size,
                    "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
                    "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                    at, (int)port, bearers[sent % bearer_count], key, n, body);
}

static void post(unsigned index, int64_t due)
{
    struct connection *c = &all[index];
    char request[8192];
    int length = strcmp(get, "yes") == 0 ? put_get(request, sizeof request)
                                         : put_post(request, sizeof request, due);
    if (length >= (int)sizeof request)
        die("a token is longer than this tool takes");
    c->busy = true;
    c->number = sent;
    c->due = due;
    c->have = 0;
    in_flight++;
    sent++;
    /* An idle connection's buffer is empty, so that a request never goes out in part. A connection
     * that broke meanwhile shows in its next read. */
    if (send(c->fd, request, (size_t)length, MSG_NOSIGNAL) != length && errno == EAGAIN)
        die("a request did not fit an empty socket");
}

static void lose(unsigned index)
{
    struct connection *c = &all[index];
    close(c->fd);
    in_flight -= c->busy;
    c->busy = false;
    open_count--;
    lost++;
    for (unsigned i = 0; i < idle_count; i++)
        if (idle[i] == index)
            idle[i] = idle[--idle_count];
}

/* Returns when, in seconds from the start, comment `number` is due. */
static double due_after(uint64_t number)
{
    const double k = (double)number, growth = rise > 0 ? (peak - rate) / rise : 0,
                 risen = (rate + peak) / 2 * rise; /* comments until the peak is reached */
    if (growth == 0)
        return k / rate;
    /* While it climbs, rate * t + growth * t^2 / 2 comments are due at t. */
    return k < risen ? (sqrt(rate * rate + 2 * growth * k) - rate) / growth
                     : rise + (k - risen) / peak;
}

/* Gives the free connections what is due. The open loop leaves nothing out that was due before the
 * end and found no connection free until after it. */
static void post_due(void)
{
    int64_t now = monotonic_ns();
    while (idle_count > 0 && (rate > 0 || now < end)) {
        int64_t due = rate > 0 ? start + (int64_t)(due_after(sent) * 1e9) : now;
        if (due >= end)
            return;
        if (due > now) {
            const struct itimerspec at = {.it_value = {due / SECOND_NS, due % SECOND_NS}};
            timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
            return;
        }
        post(idle[--idle_count], due);
        now = monotonic_ns();
    }
}

/* Length of the whole response, 0 while its head is incomplete. Only Content-Length is understood:
 * every server measured here states it. */
static size_t response_length(const struct connection *c)
{
    const char *head_end = memmem(c->response, c->have, "\r\n\r\n", 4);
    if (!head_end)
        return 0;
    for (const char *p = c->response; p < head_end; p++)
        if (*p == '\n' && strncasecmp(p + 1, "content-length:", 15) == 0)
            return (size_t)(head_end + 4 - c->response) + strtoul(p + 16, NULL, 10);
    die("a response without Content-Length: %.*s", (int)strcspn(c->response, "\r\n"), c->response);
}

static void take_answer(unsigned index)
{
    struct connection *c = &all[index];
    int64_t now = monotonic_ns();
    unsigned long status = strtoul(c->response + 9, NULL, 10);
    statuses[status < 600 ? status : 0]++;
    answered++;
    answered_in_time += now <= end;
    ok += status >= 200 && status < 300;
    histogram_add(&latency, now - c->due);
    c->busy = false;
    in_flight--;
    idle[idle_count++] = index;
}

static void receive(unsigned index)
{
    struct connection *c = &all[index];
    ssize_t n = recv(c->fd, c->response + c->have, RESPONSE_ROOM - 1 - c->have, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || !c->busy) {
        lose(index);
        return;
    }
    c->have += (size_t)n;
    c->response[c->have] = '\0';
    size_t length = response_length(c);
    if (length >= RESPONSE_ROOM || c->have == RESPONSE_ROOM - 1)
        die("a response is larger than this tool takes");
    if (length > 0 && c->have >= length)
        take_answer(index);
}

static void connect_all(void)
{
    for (unsigned i = 0; i < (unsigned)connections; i++) {
        struct connection *c = &all[i];
        int error = 0;
        socklen_t size = sizeof error;
        struct epoll_event event;
        c->fd = connect_loopback((int)port, i % (unsigned)sources, 0);
        watch(epoll, c->fd, EPOLLOUT, i);
        if (epoll_wait(epoll, &event, 1, 10000) != 1)
            die("connection %u: no answer", i);
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error)
            die("connection %u: %s", i, strerror(error));
        epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
        idle[idle_count++] = i;
        open_count++;
    }
    for (unsigned i = 0; i < (unsigned)connections; i++)
        watch(epoll, all[i].fd, EPOLLIN, i);
}

static void run(void)
{
    struct epoll_event events[256];
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(epoll, timer, EPOLLIN, TIMER_NAME);
    start = monotonic_ns();
    end = start + (int64_t)(seconds * 1e9);
    wall_offset = wall_ns() - start;
    for (;;) {
        post_due();
        int64_t now = monotonic_ns();
        if (open_count == 0 || (now >= end && in_flight == 0) || now >= end + ANSWER_SECONDS * SECOND_NS)
            return;
        int n = epoll_wait(epoll, events, 256, 20);
        for (int i = 0; i < n; i++) {
            uint64_t expirations;
            if (events[i].data.u64 != TIMER_NAME)
                receive((unsigned)events[i].data.u64);
            else if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
                die("timer: %s", strerror(errno));
        }
    }
}

static void report(void)
{
    const char *comma = "";
    printf("{\"sent\":%llu,\"answered\":%llu,\"ok\":%llu,\"other\":%llu,\"lost\":%llu,"
           "\"unanswered\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"cpu_seconds\":%.3f,"
           "\"statuses\":{",
           (unsigned long long)sent, (unsigned long long)answered, (unsigned long long)ok,
           (unsigned long long)(answered - ok), (unsigned long long)lost,
           (unsigned long long)(sent - answered), (double)(monotonic_ns() - start) / 1e9,
           (double)answered_in_time / seconds, cpu_seconds());
    for (int i = 0; i < 600; i++) {
        if (statuses[i] == 0)
            continue;
        printf("%s\"%d\":%llu", comma, i, (unsigned long long)statuses[i]);
        comma = ",";
    }
    printf("},");
    histogram_print("latency_ms", &latency);
    printf("}\n");
}

int main(int argc, char **argv)
{
    const struct option options[] = {
        {"port", NULL, &port},         {"path", &path, NULL},       {"tokens", &tokens, NULL},
        {"rate", NULL, &rate},         {"seconds", NULL, &seconds}, {"text-bytes", NULL, &text_bytes},
        {"sources", NULL, &sources},   {"connections", NULL, &connections},
        {"keys", &keys, NULL},         {"get", &get, NULL},         {"rooms", NULL, &rooms},
        {"head", &body_head, NULL},    {"tail", &body_tail, NULL},  {"peak", NULL, &peak},
        {"rise", NULL, &rise},
    };
    parse_options(argc, argv, options, sizeof options / sizeof *options);
    if (port < 1 || port > 65535 || connections < 1 || sources < 1 || sources > 250 ||
        text_bytes > 900 || rooms < 1)
        die("--port is needed; --connections, --rooms and --sources (at most 250) are at least 1; "
            "--text-bytes is at most 900");
    if (rise > 0 && (rate <= 0 || peak <= 0))
        die("--rise needs a --rate and a --peak");
    need_files(connections);
    bearers = read_tokens(tokens, &bearer_count);
    all = calloc((size_t)connections, sizeof *all);
    idle = calloc((size_t)connections, sizeof *idle);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    connect_all();
    run();
    report();
    return 0;
}
