/* Opens many viewers of a path and measures what reaches them.
 *
 * Says `ready N` once all are connected, then watches for --seconds or until stdin is closed, and
 * prints one line of JSON. Every --every-th viewer is sampled: its frames are parsed, the marks in
 * them (marks.h) give latencies and tell what is missing, doubled or out of order. What the others
 * get stays in the kernel, where it is counted and thrown away every --drain-ms: one core holds tens
 * of thousands of them, at a fraction of what they cost the server.
 *
 * --welcome yes: a viewer has joined when the first frame behind its handshake is whole, which is
 * timed for every viewer from its connect() on; `ready` comes when all have. --say TEXT is the
 * message that each sends first; then too. --each yes: latency of each comment by itself, for runs of
 * few comments. --events yes: server-sent events instead of WebSockets. --rooms N: viewer i watches
 * room i % N, whose number stands for `{room}` in the path.
 *
 * --manner slow: each takes --slow-bytes a second; deaf: none takes anything; flap: each is cut and
 * comes back anew every --flap-seconds. None of them is sampled.
 *
 * The line `cut` on stdin cuts all at once; they come back with the positions that they had. Prints a
 * line of JSON when all have again seen everything. Needs --every 1. The line `count` has it say how
 * many comments sampled viewers have got.
 */
#define _GNU_SOURCE
#include "watching.h"

/* Opens all viewers, so many at once, until all have joined. */
static void join_all(void)
{
    const int64_t start = monotonic_ns();
    const unsigned closed_before = closed;
    opened = 0;
    while (joined < (unsigned)viewer_count) {
        double elapsed = (double)(monotonic_ns() - start) / 1e9;
        if (elapsed > connect_seconds)
            die("%u of %.0f viewers are connected after %.0f s", joined, viewer_count, elapsed);
        if (closed > closed_before && waits_for_frame())
            die("a viewer was closed before all had joined");
        while (opened < (unsigned)viewer_count && opened - joined < (unsigned)at_once &&
               opened <= connect_rate * elapsed)
            open_viewer(opened++);
        if (!turn(2))
            die("told to stop while %u of %.0f viewers are connected", joined, viewer_count);
    }
    join_seconds = (double)(monotonic_ns() - start) / 1e9;
}

/* Cuts all and lets them come back with their positions; waits until they have seen everything. */
static void cut_all(void)
{
    told_to_cut = false;
    if (every > 1 || !is(manner, "watch"))
        die("a cut needs positions, and so --every 1");
    for (unsigned i = 0; i < (unsigned)viewer_count; i++) {
        cut(&viewers[i]);
        viewers[i].goal = UINT64_MAX; /* until its welcome has come */
    }
    connected = joined = complete = 0;
    seen_by_all.recovered = 0;
    join_latency = (struct histogram){0};
    cut_at = monotonic_ns();
    join_all();
    while (complete < (unsigned)viewer_count && monotonic_ns() - cut_at < connect_seconds * 1e9)
        if (!turn(2))
            break;
    printf("{\"back_seconds\":%.4f,\"complete_seconds\":%.4f,\"complete\":%u,\"recovered\":%llu,",
           join_seconds, (double)(monotonic_ns() - cut_at) / 1e9, complete,
           (unsigned long long)seen_by_all.recovered);
    histogram_print("join_ms", &join_latency);
    printf(",");
    histogram_print("complete_ms", &back_latency);
    printf("}\n");
    fflush(stdout);
}

/* Throws away what one that is not sampled was sent: all of it, or at most `most` bytes. */
static void drain(struct viewer *v, size_t most)
{
    uint64_t held = 0;
    ssize_t n;
    if (v->sampled || v->state != WATCHING || !v->joined)
        return;
    do {
        n = recv(v->fd, NULL, most, MSG_TRUNC);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            leave(v);
            return;
        }
        held += n > 0 ? (uint64_t)n : 0;
    } while (n == READ_BYTES);
    v->bytes += held;
    held_max = held > held_max ? held : held_max;
}

/* Takes what has come and was not read yet, so that all is counted. */
static void take_rest(struct viewer *v)
{
    if (v->sampled && v->state == WATCHING)
        receive(v, false);
    else
        drain(v, READ_BYTES);
}

/* Drains all, spread evenly over their period. Deaf ones are never drained. */
static void drain_due(double elapsed)
{
    static uint64_t drained;
    const bool slow = is(manner, "slow");
    const double period = slow ? 1.0 / SLOW_TURNS : drain_ms / 1000;
    while (!is(manner, "deaf") && (double)drained < elapsed / period * viewer_count)
        drain(&viewers[drained++ % (unsigned)viewer_count],
              slow ? (size_t)(slow_bytes / SLOW_TURNS) : READ_BYTES);
}

/* Cuts viewers one after another, each once in its period, and lets them come again. */
static void flap_due(double elapsed)
{
    while (is(manner, "flap") && (double)cuts < elapsed / flap_seconds * viewer_count) {
        const unsigned i = (unsigned)(cuts % (unsigned)viewer_count);
        cut(&viewers[i]);
        open_viewer(i);
    }
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
    if (!is(progress, "yes") || elapsed < shown + 1)
        return;
    fprintf(stderr, "%.0f s: %llu comments on sampled viewers, p99 so far %.1f ms\n", elapsed,
            (unsigned long long)(seen_by_all.comments - before),
            histogram_ms(&seen_by_all.latency, 0.99));
    before = seen_by_all.comments;
    shown = elapsed;
}

static void print_count(const char *name, uint64_t value)
{
    printf("\"%s\":%llu,", name, (unsigned long long)value);
}

static void report(double elapsed, double cpu)
{
    uint64_t least = UINT64_MAX, most = 0, total = 0;
    unsigned sampled = 0;
    for (unsigned i = 0; i < (unsigned)viewer_count; i++) {
        total += viewers[i].bytes;
        least = viewers[i].bytes < least ? viewers[i].bytes : least;
        most = viewers[i].bytes > most ? viewers[i].bytes : most;
        sampled += viewers[i].sampled;
    }
    printf("{\"viewers\":%.0f,\"connected\":%u,\"closed\":%u,\"sampled\":%u,", viewer_count,
           connected, closed, sampled);
    print_count("cuts", cuts);
    print_count("comments", seen_by_all.comments);
    print_count("numbered", seen_by_all.counts.distinct);
    print_count("twice", seen_by_all.counts.twice);
    print_count("disordered", seen_by_all.counts.disordered);
    print_count("strays", seen_by_all.counts.strays);
    print_count("messages", seen_by_all.messages);
    print_count("welcomes", seen_by_all.welcomes);
    print_count("pings", seen_by_all.pings);
    print_count("errors", seen_by_all.errors);
    print_count("bytes", total);
    print_count("sampled_bytes", seen_by_all.bytes);
    print_count("viewer_bytes_min", least);
    print_count("viewer_bytes_max", most);
    print_count("held_max", held_max);
    printf("\"seconds\":%.3f,\"active_seconds\":%.3f,\"cpu_seconds\":%.3f,\"join_seconds\":%.4f,",
           elapsed, (double)(seen_by_all.last - seen_by_all.first) / 1e9, cpu, join_seconds);
    histogram_print("join_ms", &join_latency);
    printf(",\"each_ms\":[");
    for (unsigned i = 0; i < seen_by_all.spread_count; i++) {
        const struct histogram *h = &seen_by_all.spreads[i].latency;
        printf("%s[%llu,%.3f,%.3f]", i ? "," : "", (unsigned long long)h->total,
               histogram_ms(h, 0.5), (double)h->max / 1e6);
    }
    printf("],");
    histogram_print("latency_ms", &seen_by_all.latency);
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
        {"say", &say, NULL},             {"events", &events, NULL},
        {"rooms", NULL, &rooms},         {"manner", &manner, NULL},
        {"drain-ms", NULL, &drain_ms},   {"slow-bytes", NULL, &slow_bytes},
        {"flap-seconds", NULL, &flap_seconds},
    };
    parse_options(argc, argv, options, sizeof options / sizeof *options);
    if (port < 1 || port > 65535 || viewer_count < 1 || sources < 1 || sources > SOURCES_MAX ||
        every < 1 || at_once < 1 || rooms < 1)
        die("--port is needed; --viewers, --sources (at most %d), --every, --at-once and --rooms are "
            "at least 1",
            SOURCES_MAX);
    if (drain_ms <= 0 || slow_bytes < SLOW_TURNS || flap_seconds <= 0)
        die("--drain-ms and --flap-seconds are above 0, --slow-bytes is at least %d", SLOW_TURNS);
    if (!is(manner, "watch") && !is(manner, "slow") && !is(manner, "deaf") && !is(manner, "flap"))
        die("--manner is watch, slow, deaf or flap");
    if (tokens_path)
        tokens = read_tokens(tokens_path, &token_count);
    need_files(viewer_count);
    viewers = calloc((size_t)viewer_count, sizeof *viewers);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = STDIN_NAME};
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event); /* a file cannot be watched: no matter */
    join_all();
    printf("ready %u\n", joined);
    fflush(stdout);

    const int64_t start = monotonic_ns();
    const double cpu = cpu_seconds();
    double elapsed = 0;
    while (elapsed < seconds && turn(10)) {
        elapsed = (double)(monotonic_ns() - start) / 1e9;
        drain_due(elapsed);
        flap_due(elapsed);
        show_life(elapsed);
        show_progress(elapsed);
        if (told_to_cut)
            cut_all();
        if (told_to_count) {
            told_to_count = false;
            printf("%llu\n", (unsigned long long)seen_by_all.comments);
            fflush(stdout);
        }
    }
    for (unsigned i = 0; is(manner, "watch") && i < (unsigned)viewer_count; i++)
        take_rest(&viewers[i]);
    report((double)(monotonic_ns() - start) / 1e9, cpu_seconds() - cpu);
    for (unsigned i = 0; i < (unsigned)viewer_count; i++)
        if (viewers[i].state == WATCHING && is(events, "no"))
            send_control(viewers[i].fd, OP_CLOSE);
    return 0;
}
