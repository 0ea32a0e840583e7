/* Reacts to comments over many WebSockets, one message a reaction, and measures the answers.
 *
 * The n-th message goes out on socket n mod sockets, to the next of that socket's comments: no user
 * reacts to a comment twice, and what is under way at a time is of different users and comments.
 * --rate R, open loop: message n is due at start + n/R, and its latency counts from then. --rate 0,
 * closed loop: each socket has --window messages unanswered.
 *
 * Says `ready N` once all are connected, `warm` after --warm seconds of load, and after --seconds
 * more one line of JSON. Rates and latency are of that second part; everything else is of both.
 * --tally FILE gets for each comment the acknowledged reactions of types 1 to 6.
 */
#define _GNU_SOURCE
#include <stdbool.h>

#include "handshake.h"
#include "measure.h"
#include "tokens.h"

#define HANDSHAKES_AT_ONCE 200
#define UNANSWERED_MAX 64 /* of one socket: what a broker lets wait, too */
#define TYPES 6
#define READ_BYTES 16384
#define ANSWER_SECONDS 5 /* how long after the end answers are waited for */
#define ERROR_CODES 16

static const char *path = "/", *tokens = NULL, *comments = NULL, *tally = NULL;
static double port, socket_count = 1000, rate = 0, window = 1, seconds = 10, warm = 1, sources = 16;

struct reactor {
    int fd;
    enum { CONNECTING, HANDSHAKING, OPEN, GONE } state;
    unsigned sent, waiting;
    int64_t due[UNANSWERED_MAX]; /* of message k at k mod UNANSWERED_MAX; 0: answered */
    struct inbox inbox;
};

static struct reactor *reactors;
static char **bearers, **comment_ids;
static size_t bearer_count, comment_count;
static uint32_t *acknowledged; /* [comment][type] */
static struct histogram latency;
static uint64_t sent, acked, acked_in_time, refused, skipped, others, broken;
static struct { char code[32]; uint64_t count; } errors[ERROR_CODES];
static unsigned opened, connected, closed;
static int64_t start, warm_until, end;
static int epoll;

static void read_comments(void)
{
    char line[128];
    FILE *file = comments ? fopen(comments, "r") : NULL;
    if (!file)
        die("--comments: %s", comments ? strerror(errno) : "is needed");
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        comment_ids = realloc(comment_ids, (comment_count + 1) * sizeof *comment_ids);
        comment_ids[comment_count++] = strdup(line);
    }
    fclose(file);
    if (comment_count == 0)
        die("--comments: no line in %s", comments);
}

/* The comment and type of a socket's k-th message. 7919, a prime, sets neighbours apart. */
static size_t comment_of(const struct reactor *r, unsigned k)
{
    return ((size_t)(r - reactors) * 7919 + k) % comment_count;
}

static unsigned type_of(const struct reactor *r, unsigned k)
{
    return (unsigned)((size_t)(r - reactors) + k) % TYPES;
}

static void leave(struct reactor *r)
{
    close(r->fd);
    r->state = GONE;
    closed++;
}

static void react(struct reactor *r, int64_t due)
{
    static const char *names[TYPES] = {"like", "love", "haha", "wow", "sad", "angry"};
    char text[256];
    uint8_t frame[sizeof text + 8];
    const unsigned k = r->sent;
    if (k >= comment_count)
        die("more messages a socket than comments: react to more comments");
    int n = snprintf(text, sizeof text,
                     "{\"type\":\"reaction\",\"ref\":\"%u\",\"commentID\":\"%s\","
                     "\"reactionType\":\"%s\"}",
                     k, comment_ids[comment_of(r, k)], names[type_of(r, k)]);
    size_t length = put_text(frame, text, (size_t)n);
    r->sent++;
    r->waiting++;
    r->due[k % UNANSWERED_MAX] = due;
    sent++;
    if (send(r->fd, frame, length, MSG_NOSIGNAL) != (ssize_t)length)
        leave(r); /* it broke, or the server has read nothing for a long time */
}

static void count_error(const uint8_t *text, size_t length)
{
    static const char field[] = "\"code\":\"";
    const char *at = memmem(text, length, field, sizeof field - 1);
    char code[32] = "?";
    refused++;
    if (at)
        sscanf(at + sizeof field - 1, "%31[a-z_]", code);
    for (int i = 0; i < ERROR_CODES; i++) {
        if (errors[i].count == 0)
            strcpy(errors[i].code, code);
        if (strcmp(errors[i].code, code) == 0) {
            errors[i].count++;
            return;
        }
    }
}

static void take_answer(struct reactor *r, unsigned k, bool ack, int64_t now)
{
    int64_t due = k < r->sent ? r->due[k % UNANSWERED_MAX] : 0;
    if (due == 0) {
        broken++; /* an answer to nothing that waits */
        return;
    }
    r->due[k % UNANSWERED_MAX] = 0;
    r->waiting--;
    if (!ack)
        return;
    acked++;
    acknowledged[comment_of(r, k) * TYPES + type_of(r, k)]++;
    if (now >= warm_until && now < end)
        acked_in_time++;
    if (due >= warm_until)
        histogram_add(&latency, now - due);
}

static void take_message(struct reactor *r, const struct frame *frame)
{
    static const char ack[] = "{\"type\":\"ack\",\"ref\":\"", error[] = "{\"type\":\"error\"",
                      ref[] = "\"ref\":\"";
    const size_t length = frame->length;
    const bool acks = length > sizeof ack && memcmp(frame->payload, ack, sizeof ack - 1) == 0;
    const bool refuses = length > sizeof error &&
                         memcmp(frame->payload, error, sizeof error - 1) == 0;
    if (!acks && !refuses) {
        others++; /* a welcome, an update, a ping */
        return;
    }
    if (refuses)
        count_error(frame->payload, length);
    const char *at = memmem(frame->payload, length, ref, sizeof ref - 1);
    if (at)
        take_answer(r, (unsigned)strtoul(at + sizeof ref - 1, NULL, 10), acks, monotonic_ns());
}

static void receive(struct reactor *r)
{
    struct frame frame;
    int taken;
    ssize_t n = recv(r->fd, inbox_room(&r->inbox, READ_BYTES), READ_BYTES, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        leave(r);
        return;
    }
    r->inbox.end += (size_t)n;
    while ((taken = next_frame(&r->inbox, &frame)) == 1) {
        if (frame.opcode == OP_TEXT)
            take_message(r, &frame);
        else if (frame.opcode == OP_PING)
            send_control(r->fd, OP_PONG);
        else if (frame.opcode == OP_CLOSE) {
            leave(r);
            return;
        }
    }
    if (taken < 0) {
        broken++;
        leave(r);
    }
}

static void on_event(struct reactor *r, uint32_t events)
{
    if (r->state == CONNECTING && events & (EPOLLOUT | EPOLLERR)) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(r - reactors)};
        send_handshake(r->fd, (int)port, path, bearers[r - reactors]);
        epoll_ctl(epoll, EPOLL_CTL_MOD, r->fd, &event);
        r->state = HANDSHAKING;
    } else if (r->state == HANDSHAKING) {
        if (receive_handshake(r->fd)) {
            r->state = OPEN;
            connected++;
        }
    } else if (r->state == OPEN) {
        receive(r);
    }
}

static void turn(int timeout_ms)
{
    struct epoll_event events[512];
    int n = epoll_wait(epoll, events, 512, timeout_ms);
    for (int i = 0; i < n; i++)
        on_event(&reactors[events[i].data.u64], events[i].events);
}

static void connect_all(void)
{
    const int64_t began = monotonic_ns();
    while (connected < (unsigned)socket_count) {
        if (monotonic_ns() - began > 90 * SECOND_NS)
            die("%u of %.0f sockets are connected after 90 s", connected, socket_count);
        while (opened < (unsigned)socket_count && opened - connected < HANDSHAKES_AT_ONCE) {
            struct reactor *r = &reactors[opened];
            r->fd = connect_loopback((int)port, opened % (unsigned)sources, 0);
            watch(epoll, r->fd, EPOLLIN | EPOLLOUT, opened++);
        }
        turn(2);
    }
    printf("ready %u\n", connected);
    fflush(stdout);
}

/* Sends what is due. A socket that has too much unanswered is passed over: that message is lost. */
static void react_due(void)
{
    static uint64_t offered, next;
    int64_t now = monotonic_ns();
    if (rate > 0) {
        if (now >= end)
            now = end - 1; /* called once more after it, for what was due before it */
        for (int64_t due; (due = start + (int64_t)((double)offered * 1e9 / rate)) <= now; ) {
            struct reactor *r = &reactors[offered++ % (unsigned)socket_count];
            if (r->state == OPEN && r->due[r->sent % UNANSWERED_MAX] == 0)
                react(r, due);
            else
                skipped++;
        }
        return;
    }
    /* All sockets in turn, some at a time, so that answers are read in between. */
    for (unsigned i = 0; i < 256; i++) {
        struct reactor *r = &reactors[next++ % (unsigned)socket_count];
        if (r->state == OPEN && r->waiting < (unsigned)window)
            react(r, monotonic_ns());
    }
}

static bool any_waits(void)
{
    for (unsigned i = 0; i < (unsigned)socket_count; i++)
        if (reactors[i].state == OPEN && reactors[i].waiting > 0)
            return true;
    return false;
}

/* Returns the CPU seconds of the measured part. */
static double run(void)
{
    double cpu = cpu_seconds();
    bool is_warm = false;
    start = monotonic_ns();
    warm_until = start + (int64_t)(warm * 1e9);
    end = warm_until + (int64_t)(seconds * 1e9);
    for (int64_t now; (now = monotonic_ns()) < end; ) {
        if (!is_warm && now >= warm_until) {
            is_warm = true;
            cpu = cpu_seconds();
            printf("warm\n");
            fflush(stdout);
        }
        react_due();
        turn(1);
    }
    if (rate > 0)
        react_due();
    cpu = cpu_seconds() - cpu;
    while (any_waits() && monotonic_ns() < end + ANSWER_SECONDS * SECOND_NS)
        turn(10);
    return cpu;
}

static void write_tally(void)
{
    FILE *file = fopen(tally, "w");
    if (!file)
        die("--tally: %s", strerror(errno));
    for (size_t i = 0; i < comment_count; i++) {
        fprintf(file, "%s", comment_ids[i]);
        for (unsigned t = 0; t < TYPES; t++)
            fprintf(file, " %u", acknowledged[i * TYPES + t]);
        fputc('\n', file);
    }
    if (fclose(file) != 0)
        die("--tally: %s", strerror(errno));
}

static void report(double cpu)
{
    printf("{\"sockets\":%.0f,\"closed\":%u,\"sent\":%llu,\"acked\":%llu,\"refused\":%llu,"
           "\"unanswered\":%llu,\"skipped\":%llu,\"other_messages\":%llu,\"broken\":%llu,"
           "\"per_second\":%.1f,\"cpu_seconds\":%.3f,\"errors\":{",
           socket_count, closed, (unsigned long long)sent, (unsigned long long)acked,
           (unsigned long long)refused, (unsigned long long)(sent - acked - refused),
           (unsigned long long)skipped, (unsigned long long)others, (unsigned long long)broken,
           (double)acked_in_time / seconds, cpu);
    for (int i = 0; i < ERROR_CODES && errors[i].count > 0; i++)
        printf("%s\"%s\":%llu", i ? "," : "", errors[i].code, (unsigned long long)errors[i].count);
    printf("},");
    histogram_print("latency_ms", &latency);
    printf("}\n");
}

int main(int argc, char **argv)
{
    const struct option options[] = {
        {"port", NULL, &port},         {"path", &path, NULL},       {"tokens", &tokens, NULL},
        {"comments", &comments, NULL}, {"tally", &tally, NULL},     {"sockets", NULL, &socket_count},
        {"rate", NULL, &rate},         {"window", NULL, &window},   {"seconds", NULL, &seconds},
        {"warm", NULL, &warm},         {"sources", NULL, &sources},
    };
    parse_options(argc, argv, options, sizeof options / sizeof *options);
    if (port < 1 || port > 65535 || socket_count < 1 || sources < 1 || sources > 250 ||
        window < 1 || window > UNANSWERED_MAX)
        die("--port is needed; --sockets and --sources (at most 250) are at least 1; "
            "--window is 1 to %d", UNANSWERED_MAX);
    need_files(socket_count);
    bearers = read_tokens(tokens, &bearer_count);
    read_comments();
    if (bearer_count < (size_t)socket_count)
        die("%zu tokens for %.0f sockets", bearer_count, socket_count);
    reactors = calloc((size_t)socket_count, sizeof *reactors);
    acknowledged = calloc(comment_count * TYPES, sizeof *acknowledged);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    connect_all();
    const double cpu = run();
    if (tally)
        write_tally();
    report(cpu);
    return 0;
}
