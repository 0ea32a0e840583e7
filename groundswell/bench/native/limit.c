/* The limit: what one core can do if it does nothing but hand the same bytes to every socket.
 *
 * Says `ready PORT`, answers WebSocket handshakes until it reads a line on stdin, then makes up
 * --rate comments a second for --seconds. Every pass puts what is due into one frame and sends it
 * to every socket; passes start at least --tick-ms apart. Then one line of JSON; ends when stdin
 * is closed. With --welcome-bytes N every viewer gets a frame of N bytes behind its handshake. No
 * accounts, no log, no resume, no slow viewers: nothing that does more can be faster.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>

#include "accept_key.h"
#include "loopback.h"
#include "marks.h"
#include "measure.h"

#define COMMENTS_A_FRAME 4096
#define COMMENT_ROOM 1024
#define SEND_SECONDS 2 /* a socket that takes nothing for so long is given up */

static double comment_rate = 10, seconds = 10, tick_ms = 100, comment_bytes = 215,
              most_viewers = 19000, welcome_bytes = 0;

static int *sockets;
static unsigned socket_count, lost;
static uint8_t *frame, *welcome; /* a whole frame of welcome_bytes */
static uint64_t comments, passes, deliveries;

static int listen_loopback(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 4096) < 0)
        die("listen: %s", strerror(errno));
    getsockname(fd, (struct sockaddr *)&at, &size);
    printf("ready %d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

/* The clients here send their handshake in one segment, so one that is cut is refused. */
static bool shake_hands(int fd)
{
    static const char field[] = "\r\nSec-WebSocket-Key: ";
    char request[2048], response[256], accept[ACCEPT_LENGTH + 1];
    ssize_t n = recv(fd, request, sizeof request, 0);
    const char *key = n > 0 ? memmem(request, (size_t)n, field, sizeof field - 1) : NULL;
    if (!key || key + sizeof field - 1 + KEY_LENGTH > request + n)
        return false;
    accept_key(key + sizeof field - 1, accept);
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                          accept);
    return send(fd, response, (size_t)length, MSG_NOSIGNAL) == length;
}

static void keep(int fd)
{
    const int on = 1;
    const struct timeval patience = {.tv_sec = SEND_SECONDS};
    /* From here on sends block: the loop waits for a full socket, it never buffers for it. */
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (welcome)
        send(fd, welcome, (size_t)welcome_bytes, MSG_NOSIGNAL); /* who left shows at the next */
    sockets[socket_count++] = fd;
}

static void make_welcome(void)
{
    static const char begin[] = "{\"type\":\"welcome\",\"comments\":[\"", end[] = "\"]}";
    size_t size = (size_t)welcome_bytes, length = size - 4;
    welcome = malloc(size);
    memset(welcome, 'x', size);
    welcome[0] = 0x81;
    welcome[1] = 126; /* a length of 16 bits follows: RFC 6455 section 5.2 */
    welcome[2] = (uint8_t)(length >> 8);
    welcome[3] = (uint8_t)length;
    memcpy(welcome + 4, begin, sizeof begin - 1);
    memcpy(welcome + size - (sizeof end - 1), end, sizeof end - 1);
}

/* Accepts viewers until a line (true) or the end (false) comes on stdin. */
static bool gather(int listener)
{
    struct epoll_event events[256];
    char line[64];
    int epoll = epoll_create1(EPOLL_CLOEXEC), fd;
    watch(epoll, STDIN_FILENO, EPOLLIN, STDIN_FILENO);
    watch(epoll, listener, EPOLLIN, (uint64_t)listener);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int ready = (int)events[i].data.u64;
            if (ready == STDIN_FILENO) {
                close(epoll);
                return read(STDIN_FILENO, line, sizeof line) > 0;
            }
            if (ready == listener) {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
                    watch(epoll, fd, EPOLLIN, (uint64_t)fd);
                continue;
            }
            epoll_ctl(epoll, EPOLL_CTL_DEL, ready, NULL);
            if (socket_count < (unsigned)most_viewers && shake_hands(ready))
                keep(ready);
            else
                close(ready);
        }
    }
}

/* Writes one comment of comment_bytes, sent at `stamp`; returns its length. */
static size_t put_comment(char *out, int64_t stamp)
{
    int n = snprintf(out, COMMENT_ROOM,
                     "{\"commentID\":\"0192f0c1-2b3c-7d4e-8f50-%012llx\",\"userID\":\"u%05llu\","
                     "\"timestamp\":\"2024-09-26T12:34:56.789Z\",\"commentText\":\"",
                     (unsigned long long)comments, (unsigned long long)comments % 100000);
    n += put_mark(out + n, stamp, comments, comments);
    while (n < (int)comment_bytes - 2)
        out[n++] = 'x';
    out[n++] = '"';
    out[n++] = '}';
    return (size_t)n;
}

/* Builds the frame of `count` comments, the first one due at `stamp`; returns where it starts. */
static uint8_t *build_frame(unsigned count, int64_t stamp, double period, size_t *length)
{
    uint8_t *payload = frame + 10;
    size_t n = (size_t)sprintf((char *)payload,
                               "{\"type\":\"update\",\"position\":\"9f00000000000000:%llu\","
                               "\"comments\":[",
                               (unsigned long long)(comments + count));
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            payload[n++] = ',';
        n += put_comment((char *)payload + n, stamp + (int64_t)(i * period));
        comments++;
    }
    payload[n++] = ']';
    payload[n++] = '}';
    /* RFC 6455 section 5.2: the shortest of the three forms of a length must be used. */
    size_t head = n < 126 ? 2 : n < 65536 ? 4 : 10;
    uint8_t *start = payload - head;
    start[0] = 0x81;
    start[1] = (uint8_t)(head == 2 ? n : head == 4 ? 126 : 127);
    for (size_t i = 2; i < head; i++)
        start[i] = (uint8_t)(n >> 8 * (head - 1 - i));
    *length = head + n;
    return start;
}

static void send_to_all(const uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < socket_count; i++) {
        if (send(sockets[i], bytes, length, MSG_NOSIGNAL) == (ssize_t)length)
            continue;
        close(sockets[i]);
        sockets[i--] = sockets[--socket_count];
        lost++;
    }
    passes++;
}

static bool stdin_closed(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[64];
    return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, line, sizeof line) <= 0;
}

static void sleep_until(int64_t when)
{
    const struct timespec t = {.tv_sec = when / SECOND_NS, .tv_nsec = when % SECOND_NS};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void broadcast(void)
{
    const double period = 1e9 / comment_rate;
    const uint64_t wanted = (uint64_t)(comment_rate * seconds + 0.5);
    const int64_t start = monotonic_ns(), wall = wall_ns();
    int64_t earliest = start; /* of the next pass */
    while (comments < wanted && !stdin_closed()) {
        int64_t due = start + (int64_t)((double)comments * period);
        sleep_until(due > earliest ? due : earliest);
        int64_t now = monotonic_ns();
        uint64_t count = (uint64_t)((double)(now - start) / period) + 1 - comments;
        if (count > wanted - comments)
            count = wanted - comments;
        if (count > COMMENTS_A_FRAME)
            count = COMMENTS_A_FRAME;
        size_t length;
        const uint8_t *bytes = build_frame((unsigned)count, wall + (due - start), period, &length);
        send_to_all(bytes, length);
        deliveries += count * socket_count;
        earliest = now + (int64_t)(tick_ms * 1e6);
    }
}

int main(int argc, char **argv)
{
    const struct option options[] = {
        {"rate", NULL, &comment_rate}, {"seconds", NULL, &seconds},
        {"tick-ms", NULL, &tick_ms},   {"bytes", NULL, &comment_bytes},
        {"viewers", NULL, &most_viewers}, {"welcome-bytes", NULL, &welcome_bytes},
    };
    parse_options(argc, argv, options, sizeof options / sizeof *options);
    if (comment_rate <= 0 || comment_bytes > COMMENT_ROOM)
        die("--rate must be above 0 and --bytes at most %d", COMMENT_ROOM);
    if (welcome_bytes > 0 && (welcome_bytes < 256 || welcome_bytes > 65000))
        die("--welcome-bytes is 0 or 256 to 65000");
    if (welcome_bytes > 0)
        make_welcome();
    need_files(most_viewers);
    sockets = calloc((size_t)most_viewers, sizeof *sockets);
    frame = malloc(256 + COMMENTS_A_FRAME * (COMMENT_ROOM + 1));
    if (!gather(listen_loopback()))
        return 0;
    const double cpu = cpu_seconds();
    broadcast();
    printf("{\"comments\":%llu,\"passes\":%llu,\"deliveries\":%llu,\"lost\":%u,"
           "\"cpu_seconds\":%.3f}\n",
           (unsigned long long)comments, (unsigned long long)passes,
           (unsigned long long)deliveries, lost, cpu_seconds() - cpu);
    fflush(stdout);
    char line[64];
    while (read(STDIN_FILENO, line, sizeof line) > 0)
        ;
    return 0;
}
