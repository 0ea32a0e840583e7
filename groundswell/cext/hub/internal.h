/* Types that the hub's own files share. Everything in `hub_thread` but the two queues belongs to
 * that thread alone.
 */
#ifndef GROUNDSWELL_HUB_INTERNAL_H
#define GROUNDSWELL_HUB_INTERNAL_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "hub.h"

#define NO_SLOT UINT32_MAX
#define NOT_ARMED UINT16_MAX
#define NO_CURSOR INT64_MIN /* gets nothing of its room */

#define READ_BYTES (16 * 1024) /* of one client before the next has its turn */
#define ADDRESS_BYTES 64         /* an address as text, IPv6 too */

#define WHEEL_SLOTS 1024
#define WHEEL_SHIFT 8 /* a slot is 256 ms, the wheel some four minutes: later deadlines go round */

struct frame {
    atomic_uint references;
    uint32_t size[FORMS]; /* 0: this form was not asked for */
    uint32_t at[FORMS];   /* where it begins */
    uint8_t bytes[];
};

enum connection_flag {
    FORM = 3, /* these bits are an `enum form` */
    OPEN = 4,
    BLOCKED = 8,  /* the socket takes no more: has `current`, perhaps `private`, and EPOLLOUT */
    CLOSING = 16, /* our close is written or waits to be */
    SHUT = 32,    /* it is written, and the socket half-closed */
};

/* What one viewer alone gets, in order; exists only while something is unsent. */
struct private_slot {
    uint32_t at, count, capacity;
    size_t bytes; /* unsent, the frame under way not counted */
    struct frame *frames[];
};

/* One viewer. A row of a table: found by its slot, never moved. */
struct connection {
    int32_t fd;
    uint32_t generation;
    struct room *room;     /* NULL: none */
    int64_t cursor;        /* number of the ring's frame that comes next */
    struct frame *current; /* begun and not all sent */
    uint32_t offset;       /* bytes of it that are sent */
    uint32_t seat;         /* index among the room's members */
    struct private_slot *private;
    void *parser;            /* only while a frame or message is incomplete */
    uint32_t earlier, later; /* neighbours in the wheel's slot */
    uint16_t wheel_slot;
    uint16_t close_code;
    uint8_t flags;
    uint32_t events; /* from the client in `events_second` */
    uint32_t events_second;
    int64_t ping_due;
    int64_t pong_due;
    int64_t auth_due;    /* while closing: when it is cut */
    int64_t message_due; /* while a frame or message is incomplete */
    int64_t expires;     /* wall time */
    int64_t blocked_since;
};

_Static_assert(sizeof(struct connection) <= 128, "a viewer is at most two cache lines");

/* The members of this thread and its view of the ring. Commands find it by its index; a room that
 * is dissolved while its members are being dismissed has none any more, and goes with the last.
 */
struct room {
    uint32_t name; /* in events */
    uint32_t count, capacity;
    uint32_t *members; /* slots */
    struct frame **ring;
    uint32_t ring_mask; /* its capacity is a power of two */
    int64_t first, end; /* frames first <= number < end are kept */
    struct frame *ping;
    int64_t ping_cursor; /* the ping is true for those whose cursor is here */
    uint32_t turn;       /* of the pass that runs: who is next */
    bool passing;
    bool again; /* a frame came meanwhile: everybody gets another turn */
    int64_t pass_number;
    int64_t began_ns;
    struct frame *words; /* of the dismissal that runs: members get them one after the other */
    uint16_t code;
    bool dissolved;
    bool running; /* there is a turn to take */
    struct room *next_running;
};

struct command_queue {
    pthread_mutex_t lock;
    struct command *items;
    size_t count, capacity;
    bool sleeping; /* the thread must be woken by its eventfd */
};

struct event_queue {
    pthread_mutex_t lock;
    uint8_t *bytes;
    size_t size, capacity;
};

struct hub_thread {
    struct hub *hub;
    pthread_t pthread;
    int wake_fd;
    int poll_fd;   /* of the others */
    int reader_fd; /* epoll of all sockets, for reading */
    int writer_fd; /* epoll of those behind, for writing */
    int door_fd;   /* epoll of the door, -1 without one */
    bool stopping;
    bool paused; /* the owner does not take events fast enough: nobody is read or accepted */
    int64_t now_ms, wall_ms;

    struct connection *connections; /* HUB_SLOTS_MAX rows of address space, paged in when used */
    uint32_t used;                  /* rows below this one have been used */
    struct room **rooms;
    uint32_t room_count;
    struct room *running; /* rooms that take turns: a pass or a dismissal is under way */
    uint32_t wheel[WHEEL_SLOTS];
    int64_t wheel_at; /* absolute number of the slot that comes next */
    uint64_t lag;     /* the largest that passes have met since the last tick, in frames */

    struct door *door; /* of the thread that accepts */
    void *parser; /* for clients that have nothing incomplete */
    uint8_t *scratch;
    uint8_t *out; /* events not handed over yet */
    size_t out_size, out_capacity;

    struct command_queue commands;
    struct event_queue events;
    struct hub_counters counters; /* written by this thread, read by the owner */
};

struct hub {
    struct hub_config config;
    int event_fd;
    uint32_t started; /* threads that run */
    struct hub_thread threads[];
};

/* Counters have one writer, so that a plain load and store is enough; `by` may be "minus" one. */
static inline void count_up(uint64_t *counter, uint64_t by)
{
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

static inline uint32_t form_of(const struct connection *c)
{
    return c->flags & FORM;
}

/* frame.c */
static inline uint32_t frame_size(const struct frame *frame, uint32_t form)
{
    return frame->size[form];
}
static inline const uint8_t *frame_bytes(const struct frame *frame, uint32_t form)
{
    return frame->bytes + frame->at[form];
}
struct frame *frame_kept(struct frame *frame);
struct frame *close_frame(uint16_t code);
struct frame *pong_frame(const uint8_t *payload, size_t size);
void count_connection(int by);

/* queues.c */
int queues_init(struct hub_thread *t);
void queues_free(struct hub_thread *t);
void wake(int fd);
struct command *take_commands(struct hub_thread *t, bool may_sleep, size_t *count);
void put_event(struct hub_thread *t, const struct event *event, const uint8_t *payload);
void hand_events_over(struct hub_thread *t);
bool events_pile_up(struct hub_thread *t);

/* wheel.c */
void wheel_init(struct hub_thread *t);
void wheel_arm(struct hub_thread *t, uint32_t slot);
void wheel_disarm(struct hub_thread *t, uint32_t slot);
void wheel_turn(struct hub_thread *t);

/* connection.c */
struct connection *find_connection(struct hub_thread *t, uint32_t slot, uint32_t generation);
static inline uint32_t slot_of(const struct hub_thread *t, const struct connection *c)
{
    return (uint32_t)(c - t->connections);
}
void adopt(struct hub_thread *t, const struct command *command);
void begin_close(struct hub_thread *t, struct connection *c, uint16_t code, struct frame *words);
void close_for(struct hub_thread *t, struct connection *c, enum cause cause);
void cut(struct hub_thread *t, struct connection *c);
void abort_connection(struct hub_thread *t, struct connection *c);
void cut_slow(struct hub_thread *t, struct connection *c);
void send_ping(struct hub_thread *t, struct connection *c);

/* private.c */
bool queue_private(struct connection *c, struct frame *frame); /* takes the reference */
void drop_private(struct connection *c);
void send_private(struct hub_thread *t, struct connection *c, struct frame *frame);

/* write.c: may cut the connection; look at OPEN before it is used again */
void write_on(struct hub_thread *t, struct connection *c);
void begin_blocked(struct hub_thread *t, struct connection *c);
void end_blocked(struct hub_thread *t, struct connection *c);

/* door.c */
void open_door(struct hub_thread *t, const struct command *command);
void close_door(struct hub_thread *t);
void answer_door(struct hub_thread *t);
void mind_door(struct hub_thread *t);
void take_door_down(struct hub_thread *t);

/* read.c */
void read_client(struct hub_thread *t, struct connection *c);
void feed_client(struct hub_thread *t, struct connection *c, uint8_t *data, size_t size);
int reading_init(struct hub_thread *t);

/* room.c */
void open_room(struct hub_thread *t, const struct command *command);
void join_room(struct hub_thread *t, struct connection *c, uint32_t room, int64_t cursor);
void leave_room(struct hub_thread *t, struct connection *c);
void add_frame(struct hub_thread *t, const struct command *command);
void swap_frame(struct hub_thread *t, const struct command *command);
void set_ping(struct hub_thread *t, const struct command *command);
void dissolve_room(struct hub_thread *t, uint32_t index);
static inline struct room *find_room(struct hub_thread *t, uint32_t index)
{
    return index < t->room_count ? t->rooms[index] : NULL;
}
static inline struct frame *ring_frame(const struct room *room, int64_t number)
{
    assert(room->first <= number && number < room->end);
    return room->ring[(uint64_t)number & room->ring_mask];
}

void free_room(struct room *room);

/* turns.c */
#define SLICE_VIEWERS 128 /* of a turn: less than a ms of writes */
void start_turns(struct hub_thread *t, struct room *room);
void stop_turns(struct hub_thread *t, struct room *room);
void take_turns(struct hub_thread *t);

/* pass.c */
void begin_pass(struct hub_thread *t, uint32_t index, int64_t number);
bool pass_slice(struct hub_thread *t, struct room *room); /* false: the pass is over */
void tell_lag(struct hub_thread *t);

/* dismissal.c */
void begin_dismissal(struct hub_thread *t, const struct command *command);
bool dismiss_slice(struct hub_thread *t, struct room *room); /* false: nobody is left */

/* thread.c */
int thread_init(struct hub *hub, struct hub_thread *t);
void thread_free(struct hub_thread *t);
void *thread_main(void *thread);

#endif
