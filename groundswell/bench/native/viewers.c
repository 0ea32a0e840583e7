/* Opens many WebSocket viewers of one path and measures what reaches them.
 *
 * Says `ready N` once all are connected, then watches for --seconds or until stdin is closed, and
 * prints one line of JSON. Every --every-th viewer is sampled: its frames are parsed and the send
 * times in them (`t=<ns>;`, wall clock) give latencies. What the others get is counted and thrown
 * away inside the kernel, so that one core can hold tens of thousands of them.
 *
 * --welcome yes: a viewer has joined when the first frame behind its handshake is whole, which is
 * timed for every viewer from its connect() on; `ready` comes when all have. --each yes: latency of
 * each comment by itself, for runs of few comments.
 */
#define _GNU_SOURCE
#include <stdbool.h>

#include "handshake.h"
#include "measure.h"
#include "tokens.h"

#define STDIN_NAME UINT64_MAX         /* in epoll data; all others are indices of viewers */
#define READ_BYTES (256 * 1024)
#define SOURCES_MAX 65000 /* 127.0.0.2 and on, within 127.0.0.0/16 */

static const char *path = "/", *progress = "no", *welcome = "no", *each = "no",
                  *tokens_path = NULL;
static double port, viewer_count = 1, sources = 16, every = 50, seconds = 60, connect_rate = 2000,
                    connect_seconds = 60, pong_seconds = 7;
static double at_once = 200; /* handshakes: below every listen backlog in use */

enum state { CONNECTING, HANDSHAKING, WATCHING, GONE };

struct viewer {
    int fd;
    enum state state;
    bool sampled;
    struct inbox part;   /* of sampled viewers: a frame that is not all there */
    uint64_t bytes;      /* after the handshake */
    int64_t began;       /* monotonic, its connect() */
    uint64_t first;      /* bytes of its first frame; 0: not known yet */
    bool joined;
};

/* One comment, as all sampled viewers got it. */
struct spread {
    int64_t stamp;
    struct histogram latency;
};

static struct viewer *viewers;
static char **tokens; /* of viewers in turn; NULL: nobody in particular */
static size_t token_count;
static struct histogram latency, join_latency;
static struct inbox shared; /* what is being read; empty between viewers */
static struct spread *spreads;
static int epoll;
static unsigned opened, connected, joined, closed, spread_count;
static uint64_t comments, messages, welcomes, pings, errors, sampled_bytes;
static int64_t first_comment, last_comment; /* monotonic */
static double join_seconds;

static void leave(struct viewer *v)
{
    close(v->fd);
    v->state = GONE;
    closed++;
}

static void open_viewer(unsigned i)
{
    struct viewer *v = &viewers[i];
    v->began = monotonic_ns();
    v->fd = connect_loopback((int)port, i % (unsigned)sources);
    if (i % (unsigned)every == 0)
        v->sampled = true;
    watch(epoll, v->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, i);
}

static void count_spread(int64_t stamp, int64_t ns)
{
    unsigned i = spread_count;
    while (i > 0 && spreads[i - 1].stamp != stamp)
        i--;
    if (i == 0) {
        spreads = realloc(spreads, (spread_count + 1) * sizeof *spreads);
        i = ++spread_count;
        spreads[i - 1] = (struct spread){.stamp = stamp};
    }
    histogram_add(&spreads[i - 1].latency, ns);
}

static void take_message(const struct frame *frame)
{
    static const char snapshot[] = "{\"type\":\"welcome\"";
    const uint8_t *at = frame->payload, *end = at + frame->length;
    const int64_t now = wall_ns();
    int64_t stamp;
    messages++;
    /* A snapshot repeats old comments: not deliveries. More than one a viewer means skips. */
    if (frame->length >= sizeof snapshot - 1 && memcmp(at, snapshot, sizeof snapshot - 1) == 0) {
        welcomes++;
        return;
    }
    while ((stamp = next_stamp(&at, end)) != 0) {
        histogram_add(&latency, now - stamp);
        if (strcmp(each, "yes") == 0)
            count_spread(stamp, now - stamp);
        comments++;
        last_comment = monotonic_ns();
        if (!first_comment)
            first_comment = last_comment;
    }
}

/* Leaves what is no whole frame with its viewer, so that who has none needs no memory for it. */
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
static bool take_frames(struct viewer *v)
{
    struct frame frame;
    int taken;
    while ((taken = next_frame(&shared, &frame)) == 1) {
        if (frame.opcode == OP_TEXT) {
            take_message(&frame);
        } else if (frame.opcode == OP_PING) {
            pings++;
            send_control(v->fd, OP_PONG);
        } else if (frame.opcode == OP_CLOSE) {
            break;
        } else if (frame.opcode != OP_PONG) {
            taken = -1;
            break;
        }
    }
    errors += taken < 0;
    put_aside(v);
    return taken == 0;
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
    v->joined = true;
    joined++;
    histogram_add(&join_latency, monotonic_ns() - v->began);
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
            sampled_bytes += (uint64_t)n;
            if (v->part.end > 0)
                memcpy(shared.bytes, v->part.bytes, v->part.end);
            shared.end = v->part.end + (size_t)n;
            if (!take_frames(v)) {
                leave(v);
                return;
            }
        }
        if (!v->joined && v->first > 0 && v->bytes >= v->first)
            join(v);
    } while (n == READ_BYTES || ended);
}

static void on_event(struct viewer *v, uint32_t events)
{
    if (v->state == CONNECTING && events & (EPOLLOUT | EPOLLERR)) {
        send_handshake(v->fd, (int)port, path,
                       tokens ? tokens[(size_t)(v - viewers) % token_count] : NULL);
        v->state = HANDSHAKING;
    }
    if (v->state == HANDSHAKING && events & EPOLLIN && receive_handshake(v->fd)) {
        v->state = WATCHING;
        connected++;
        if (strcmp(welcome, "yes") != 0)
            join(v);
    }
    if (v->state == WATCHING && events & (EPOLLIN | EPOLLRDHUP | EPOLLERR))
        receive(v, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

/* Handles what happened within `timeout_ms`. Returns false once stdin is closed. */
static bool turn(int timeout_ms)
{
    struct epoll_event events[512];
    bool going = true;
    int n = epoll_wait(epoll, events, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        char line[64];
        if (events[i].data.u64 == STDIN_NAME)
            going = read(STDIN_FILENO, line, sizeof line) > 0;
        else
            on_event(&viewers[events[i].data.u64], events[i].events);
    }
    return going;
}

static void connect_all(void)
{
    const int64_t start = monotonic_ns();
    while (joined < (unsigned)viewer_count) {
        double elapsed = (double)(monotonic_ns() - start) / 1e9;
        if (elapsed > connect_seconds)
            die("%u of %.0f viewers are connected after %.0f s", joined, viewer_count, elapsed);
        if (closed > 0 && strcmp(welcome, "yes") == 0)
            die("a viewer was closed before all had joined");
        while (opened < (unsigned)viewer_count && opened - joined < (unsigned)at_once &&
               opened <= connect_rate * elapsed)
            open_viewer(opened++);
        if (!turn(2))
            die("told to stop while %u of %.0f viewers are connected", joined, viewer_count);
    }
    join_seconds = (double)(monotonic_ns() - start) / 1e9;
    printf("ready %u\n", joined);
    fflush(stdout);
}

/* Unread pings of unsampled viewers are never seen, so every viewer shows a sign of life by itself
 * every pong_seconds, spread evenly. An unasked pong is allowed (RFC 6455 section 5.5.3). */
static void show_life(double elapsed)
{
    static uint64_t shown;
    while (pong_seconds > 0 && (double)shown < elapsed / pong_seconds * viewer_count) {
        const struct viewer *v = &viewers[shown++ % (unsigned)viewer_count];
        if (v->state == WATCHING)
            send_control(v->fd, OP_PONG);
    }
}

static void show_progress(double elapsed)
{
    static double shown;
    static uint64_t before;
    if (strcmp(progress, "yes") != 0 || elapsed < shown + 1)
        return;
    fprintf(stderr, "%.0f s: %llu comments on sampled viewers, p99 so far %.1f ms\n", elapsed,
            (unsigned long long)(comments - before), histogram_ms(&latency, 0.99));
    before = comments;
    shown = elapsed;
}

static void report(double elapsed, double cpu)
{
    uint64_t least = UINT64_MAX, most = 0, total = 0;
    unsigned sampled = 0;
    for (unsigned i = 0; i < connected; i++) {
        total += viewers[i].bytes;
        least = viewers[i].bytes < least ? viewers[i].bytes : least;
        most = viewers[i].bytes > most ? viewers[i].bytes : most;
        sampled += viewers[i].sampled;
    }
    printf("{\"viewers\":%.0f,\"connected\":%u,\"closed\":%u,\"sampled\":%u,\"comments\":%llu,"
           "\"messages\":%llu,\"welcomes\":%llu,\"pings\":%llu,\"errors\":%llu,\"bytes\":%llu,"
           "\"sampled_bytes\":%llu,\"viewer_bytes_min\":%llu,\"viewer_bytes_max\":%llu,"
           "\"seconds\":%.3f,\"active_seconds\":%.3f,\"cpu_seconds\":%.3f,",
           viewer_count, connected, closed, sampled, (unsigned long long)comments,
           (unsigned long long)messages, (unsigned long long)welcomes, (unsigned long long)pings,
           (unsigned long long)errors, (unsigned long long)total,
           (unsigned long long)sampled_bytes, (unsigned long long)least,
           (unsigned long long)most, elapsed, (double)(last_comment - first_comment) / 1e9, cpu);
    printf("\"join_seconds\":%.4f,", join_seconds);
    histogram_print("join_ms", &join_latency);
    printf(",\"each_ms\":[");
    for (unsigned i = 0; i < spread_count; i++)
        printf("%s[%llu,%.3f,%.3f]", i ? "," : "", (unsigned long long)spreads[i].latency.total,
               histogram_ms(&spreads[i].latency, 0.5), (double)spreads[i].latency.max / 1e6);
    printf("],");
    histogram_print("latency_ms", &latency);
    printf("}\n");
}

int main(int argc, char **argv)
{
    const struct option options[] = {
        {"port", NULL, &port},           {"path", &path, NULL},
        {"viewers", NULL, &viewer_count},{"sources", NULL, &sources},
        {"every", NULL, &every},         {"seconds", NULL, &seconds},
        {"connect-rate", NULL, &connect_rate}, {"connect-seconds", NULL, &connect_seconds},
        {"pong-seconds", NULL, &pong_seconds}, {"progress", &progress, NULL},
        {"welcome", &welcome, NULL},     {"each", &each, NULL},
        {"at-once", NULL, &at_once},     {"tokens", &tokens_path, NULL},
    };
    parse_options(argc, argv, options, sizeof options / sizeof *options);
    if (port < 1 || port > 65535 || viewer_count < 1 || sources < 1 || sources > SOURCES_MAX ||
        every < 1 || at_once < 1)
        die("--port is needed; --viewers, --sources (at most %d), --every and --at-once are at "
            "least 1",
            SOURCES_MAX);
    if (tokens_path)
        tokens = read_tokens(tokens_path, &token_count);
    need_files(viewer_count);
    viewers = calloc((size_t)viewer_count, sizeof *viewers);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = STDIN_NAME};
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event); /* a file cannot be watched: no matter */
    connect_all();

    const int64_t start = monotonic_ns();
    const double cpu = cpu_seconds();
    double elapsed = 0;
    while (elapsed < seconds && turn(10)) {
        elapsed = (double)(monotonic_ns() - start) / 1e9;
        show_life(elapsed);
        show_progress(elapsed);
    }
    report((double)(monotonic_ns() - start) / 1e9, cpu_seconds() - cpu);
    for (unsigned i = 0; i < connected; i++)
        if (viewers[i].state == WATCHING)
            send_control(viewers[i].fd, OP_CLOSE);
    return 0;
}
