/* The client's half of the WebSocket handshake (RFC 6455 section 4.1), and its frames. */
#ifndef GROUNDSWELL_HANDSHAKE_H
#define GROUNDSWELL_HANDSHAKE_H

#include <stdbool.h>

#include "frames.h"
#include "loopback.h"

#define UPGRADE                                                                                    \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"                                                \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
#define EVENTS "Accept: text/event-stream\r\n"

/* Sends a GET with these header lines once the connection stands; `token` NULL: nobody in
 * particular. */
static inline void send_get(int fd, int port, const char *path, const char *lines,
                            const char *token)
{
    char request[4096];
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
        die("connect: %s", strerror(error));
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s%s\r\n",
                     path, port, lines, token ? "Authorization: Bearer " : "", token ? token : "",
                     token ? "\r\n" : "");
    if (n >= (int)sizeof request || send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        die("the handshake cannot be sent");
}

static inline void send_handshake(int fd, int port, const char *path, const char *token)
{
    send_get(fd, port, path, UPGRADE, token);
}

/* Takes exactly the response's head off the socket, so that the next byte is a frame's, or an
 * event's. Returns whether it was all there. */
static inline bool receive_head(int fd, const char *status)
{
    char head[4096];
    ssize_t n = recv(fd, head, sizeof head, MSG_PEEK);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        die("closed during the handshake");
    const char *end = memmem(head, (size_t)n, "\r\n\r\n", 4);
    if (n > 12 && (memcmp(head, "HTTP/1.1 ", 9) != 0 || memcmp(head + 9, status, 3) != 0))
        die("refused: %.*s", (int)strcspn(head, "\r\n"), head);
    if (!end) {
        if (n == sizeof head)
            die("the response's head is too long");
        return false;
    }
    if (recv(fd, head, (size_t)(end + 4 - head), 0) != end + 4 - head)
        die("a peeked head is gone");
    return true;
}

static inline bool receive_handshake(int fd) { return receive_head(fd, "101"); }

/* A masked control frame without payload. The mask has nothing to hide, so any four bytes do. */
static inline void send_control(int fd, enum opcode opcode)
{
    const uint8_t frame[6] = {(uint8_t)(0x80 | opcode), 0x80, 1, 2, 3, 4};
    send(fd, frame, sizeof frame, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Writes a masked text frame of at most 65535 bytes into `out` (8 bytes more); returns its size. */
static inline size_t put_text(uint8_t *out, const char *text, size_t length)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t head = 2;
    out[0] = 0x80 | OP_TEXT;
    if (length < 126) {
        out[1] = (uint8_t)(0x80 | length);
    } else {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(length >> 8);
        out[3] = (uint8_t)length;
        head = 4;
    }
    memcpy(out + head, mask, sizeof mask);
    for (size_t i = 0; i < length; i++)
        out[head + 4 + i] = (uint8_t)text[i] ^ mask[i % 4];
    return head + 4 + length;
}

#endif
