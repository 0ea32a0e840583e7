/* The hub: threads that move frames to sockets and client messages back, without Python.
 *
 * What the extension module `_hub` calls. Every function here is called on the one thread that
 * owns the hub (Python's event loop); none blocks, except `hub_stop`. Who owns what stands in
 * docs/decisions/0010-native-plane.md.
 */
#ifndef GROUNDSWELL_HUB_H
#define GROUNDSWELL_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_THREADS_MAX 255
#define HUB_SLOTS_MAX (1u << 18) /* connections of one thread: 32 MB of address space */
#define HUB_NEVER INT64_MAX      /* a deadline that never comes */

/* How a connection reads, and what it is sent of a frame. */
enum form {
    WEBSOCKET,
    SSE,
    DEFLATED, /* a WebSocket that negotiated RFC 7692 */
    FORMS
};

struct bytes {
    const uint8_t *data;
    size_t size;
};

/* Immutable bytes to send, one form for each way to read; counted references. */
struct frame;

/* Returns a frame with one reference, NULL without memory. Without a deflated form (size 0) who
 * reads that is sent the one for WebSockets.
 */
struct frame *frame_new(const struct bytes forms[FORMS]);
void frame_keep(struct frame *frame);
void frame_drop(struct frame *frame); /* NULL is allowed */

/* What is alive in this process, for tests: both return to zero. */
long hub_live_frames(void);
long hub_live_connections(void);

/* An event of the WebSocket parser; the payload is lent until the next call. */
struct parsed {
    int opcode; /* with RSV1, 0x40, of a message that is deflated */
    const uint8_t *payload;
    size_t size;
};

enum parser_status { PARSER_MORE, PARSER_EVENT, PARSER_FAILED };

/* The parser of `_parser.pyx`, whose type is not known here. */
struct parser_api {
    size_t size;
    void (*init)(void *parser, uint32_t message_bytes, int deflate);
    enum parser_status (*next)(void *parser, uint8_t **at, uint8_t *end, struct parsed *event);
    /* Which message or frame is incomplete, by a number of its own; 0: nothing is to remember. */
    uint64_t (*under_way)(const void *parser);
    int (*failed)(const void *parser);
    void (*clear)(void *parser);
};

/* Why the hub itself closes; the owner says with which code and words. */
enum cause {
    CAUSE_AUTH_TIMEOUT,
    CAUSE_TOKEN_EXPIRED,
    CAUSE_SLOW,
    CAUSE_IDLE,
    CAUSE_FLOOD,
    CAUSE_PROTOCOL_ERROR,
    CAUSE_UNSUPPORTED_DATA,
    CAUSE_INVALID_UTF8,
    CAUSE_TOO_BIG,
    CAUSES
};

struct hub_config {
    uint32_t threads;
    uint32_t message_bytes;
    uint32_t flood_events; /* of one client in one second, at most */
    uint32_t send_buffer;  /* SO_SNDBUF; the kernel doubles it */
    uint32_t private_bytes;
    int64_t ping_interval_ms;
    int64_t pong_timeout_ms;
    int64_t message_ms; /* for a message to be whole, with all its fragments */
    int64_t closing_ms; /* for the peer's half of the closing handshake */
    int64_t stuck_ms;   /* taking no byte for so long is too slow: it is cut */
    uint16_t codes[CAUSES];
    struct frame *closes[CAUSES]; /* kept by the hub */
    struct parser_api parser;
};

enum command_kind {
    COMMAND_TICK,     /* a: monotonic, b: wall milliseconds */
    COMMAND_STOP,     /* cut everything and end */
    COMMAND_LISTEN,   /* a: listening fd, b: patience in ms, frame: last words to the silent */
    COMMAND_UNLISTEN, /* nobody is accepted any more */
    COMMAND_ADOPT,    /* a: fd, b: due of the first ping, room: form, frame: the head */
    COMMAND_FEED,     /* frame: bytes that were read already, unmasked in place */
    COMMAND_AUTH_DUE, /* a: monotonic milliseconds */
    COMMAND_EXPIRES,  /* a: wall milliseconds; lifts the auth deadline */
    COMMAND_QUEUE,    /* frame for this viewer alone, sent with what follows */
    COMMAND_FLUSH,    /* nothing follows: what is queued is sent */
    COMMAND_SEND,     /* the same, sent now and within the bound of the private slot */
    COMMAND_JOIN,     /* room, a: cursor */
    COMMAND_CLOSE,    /* a: code, frame: the words */
    COMMAND_OPEN,     /* room, a: number of its next frame, b: its name in events */
    COMMAND_FRAME,    /* room, a: number, b: first number that is kept, frame */
    COMMAND_SWAP,     /* room, a: number, frame: rewritten */
    COMMAND_PASS,     /* room, a: number of the pass */
    COMMAND_PING,     /* room, a: cursor that it is for, frame */
    COMMAND_DISMISS,  /* room, a: code, frame: the words; done in slices, as passes are */
    COMMAND_DISSOLVE, /* room */
};

/* The reference to `frame` goes along. */
struct command {
    uint32_t kind;
    uint32_t room;
    uint32_t slot;
    uint32_t generation;
    int64_t a;
    int64_t b;
    struct frame *frame;
};

enum event_kind {
    EVENT_MESSAGE, /* size bytes follow; value: whether they are deflated */
    EVENT_CLOSED,  /* value: close code */
    EVENT_BEHIND,
    EVENT_PASSED,  /* slot: low half of the room's name, value: number of the pass, nanoseconds */
    EVENT_ARRIVED, /* value: fd, the owner's; its address, a zero and its first bytes follow */
};

/* Head of a record in the byte buffer of events; records start at multiples of 8 bytes. */
struct event {
    uint32_t kind;
    uint32_t size;
    uint32_t slot;
    uint32_t generation;
    int64_t value;
    int64_t nanoseconds;
};

struct hub_counters {
    uint64_t frames_written;
    uint64_t bytes_written;
    uint64_t sends; /* system calls */
    uint64_t partial_writes;
    uint64_t private_messages;
    uint64_t client_messages;
    uint64_t skips;
    uint64_t refused_slow;
    uint64_t accepted;
    uint64_t accept_failures; /* no file or memory was left */
    uint64_t behind;     /* viewers whose socket takes no more, now */
    uint64_t lag_frames; /* the largest that passes met before the last tick; not a sum */
};

struct hub;

/* Returns a hub without threads, NULL with `errno` set. Keeps the frames of `config`. */
struct hub *hub_new(const struct hub_config *config);
/* Starts the threads; returns 0 or an errno, and none of them then. */
int hub_start(struct hub *hub, int64_t monotonic_ms, int64_t wall_ms);
/* Cuts all connections, ends all threads and waits for them; again: nothing. */
void hub_stop(struct hub *hub);
/* Frees a hub that is stopped or was never started; NULL is allowed. */
void hub_free(struct hub *hub);

/* Readable once there are events. */
int hub_event_fd(const struct hub *hub);
/* Hands commands over, in order; returns 0, or ENOMEM and has handed over and kept none. */
int hub_push(struct hub *hub, uint32_t thread, const struct command *commands, size_t count);
/* Takes the events of a thread; returns their bytes, which `free` frees, or NULL. */
uint8_t *hub_take(struct hub *hub, uint32_t thread, size_t *size);
void hub_counters(const struct hub *hub, struct hub_counters *sum);

#endif
