/* Posts comments over keep-alive HTTP/1.1 connections and measures how they are answered. With
 * --get yes it asks for the path instead, and posts nothing.
 *
 * --rate 0, closed loop: every connection posts again as soon as it is answered; latency from the
 * send. --rate R, open loop: comment k is due at start + k/R and its latency counts from then,
 * whether or not a connection was free, so that a stall of the server is not left out.
 * Each text starts with `t=<ns>;`, that same time by the wall clock. --keys yes: every post has an
 * Idempotency-Key of its own. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/timerfd.h>

#include "loopback.h"
#include "measure.h"
#include "tokens.h"

#define TIMER_NAME UINT64_MAX /* in epoll data; all others are indices of connections */
#define RESPONSE_ROOM 65536
#define ANSWER_SECONDS 5 /* how long after the end answers are waited for */

static const char *path = "/", *tokens = NULL, *keys = "no", *get = "no";
static double port, connections = 64, rate = 0, seconds = 10, text_bytes = 80, sources = 4;

struct connection {
    int fd;
    bool busy;
    int64_t due; /* monotonic time that the latency of the running request counts from */
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

static int put_post(char *request, size_t size, int64_t due)
{
    char body[1024], key[80] = "";
    int n = snprintf(body, sizeof body, "{\"commentText\":\"t=%lld;", (long long)(due + wall_offset));
    /* The running number keeps texts apart: the same one twice may be refused as a repetition. */
    n += snprintf(body + n, sizeof body - (size_t)n, "%llu ", (unsigned long long)sent);
    for (; n < 16 + (int)text_bytes; n++)
        body[n] = (char)('a' + n % 26);
    body[n++] = '"';
    body[n++] = '}';
    if (strcmp(keys, "yes") == 0)
        snprintf(key, sizeof key, "Idempotency-Key: %llx-%llu\r\n", (unsigned long long)wall_offset,
                 (unsigned long long)sent);
    return snprintf(request, size,
                    "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
                    "Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%.*s",
                    path, (int)port, bearers[sent % bearer_count], key, n, n, body);
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
    open_count--;
    lost++;
    for (unsigned i = 0; i < idle_count; i++)
        if (idle[i] == index)
            idle[i] = idle[--idle_count];
}

/* Gives the free connections what is due. The open loop leaves nothing out that was due before the
 * end and found no connection free until after it. */
static void post_due(void)
{
    int64_t now = monotonic_ns();
    while (idle_count > 0 && (rate > 0 || now < end)) {
        int64_t due = rate > 0 ? start + (int64_t)((double)sent * 1e9 / rate) : now;
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
        c->fd = connect_loopback((int)port, i % (unsigned)sources);
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
        {"keys", &keys, NULL},         {"get", &get, NULL},
    };
    parse_options(argc, argv, options, sizeof options / sizeof *options);
    if (port < 1 || port > 65535 || connections < 1 || sources < 1 || sources > 250 ||
        text_bytes > 900)
        die("--port is needed; --connections and --sources (at most 250) are at least 1; "
            "--text-bytes is at most 900");
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
