/* What clients send: RFC 6455 frames to messages, control frames answered here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

enum opcode { TEXT = 0x1, CLOSE = 0x8, PING = 0x9, DEFLATED_TEXT = 0x41 };

enum { NORMAL = 1000 };

static void pass_message_on(struct hub_thread *t, const struct connection *c,
                            const struct parsed *event)
{
    const struct event message = {.kind = EVENT_MESSAGE,
                                  .size = (uint32_t)event->size,
                                  .slot = slot_of(t, c),
                                  .generation = c->generation,
                                  .value = event->opcode == DEFLATED_TEXT};
    count_up(&t->counters.client_messages, 1);
    put_event(t, &message, event->payload);
}

/* RFC 6455 section 5.5.1: answer with the same code. */
static void answer_close(struct hub_thread *t, struct connection *c, const struct parsed *event)
{
    uint16_t code = NORMAL;
    if (event->size)
        code = (uint16_t)(event->payload[0] << 8 | event->payload[1]);
    struct frame *words = close_frame(code);
    begin_close(t, c, code, words);
    frame_drop(words);
}

static void fail(struct hub_thread *t, struct connection *c, int code)
{
    for (int cause = CAUSE_PROTOCOL_ERROR; cause < CAUSES; cause++)
        if (t->hub->config.codes[cause] == code) {
            close_for(t, c, (enum cause)cause);
            return;
        }
    abort_connection(t, c); /* the fault is ours: no memory for its message */
}

static bool floods(struct hub_thread *t, struct connection *c)
{
    uint32_t second = (uint32_t)(t->now_ms / 1000);
    if (second != c->events_second) {
        c->events_second = second;
        c->events = 0;
    }
    return ++c->events > t->hub->config.flood_events;
}

static void take_event(struct hub_thread *t, struct connection *c, const struct parsed *event)
{
    if (floods(t, c))
        close_for(t, c, CAUSE_FLOOD);
    else if (event->opcode == TEXT || event->opcode == DEFLATED_TEXT)
        pass_message_on(t, c, event);
    else if (event->opcode == CLOSE)
        answer_close(t, c, event);
    else if (event->opcode == PING)
        send_private(t, c, pong_frame(event->payload, event->size));
}

static bool listens(const struct connection *c)
{
    return c->flags & OPEN && !(c->flags & CLOSING);
}

/* A message that goes on has the deadline that it had, however many reads it comes in. */
static void mind_message(struct hub_thread *t, struct connection *c, uint64_t before,
                         uint64_t under_way)
{
    if (under_way == before)
        return;
    c->message_due = under_way ? t->now_ms + t->hub->config.message_ms : HUB_NEVER;
    if (under_way)
        wheel_arm(t, slot_of(t, c));
}

/* Keeps a parser that is in the middle of something, and no other. `parser` is the connection's
 * own or the thread's; `before` is what it was in the middle of when this read began.
 */
static void put_parser_back(struct hub_thread *t, struct connection *c, void *parser,
                            uint64_t before)
{
    const struct parser_api *api = &t->hub->config.parser;
    bool own = parser != t->parser;
    uint64_t under_way = listens(c) ? api->under_way(parser) : 0;
    if (listens(c))
        mind_message(t, c, before, under_way);
    if (under_way) {
        void *kept = own ? parser : malloc(api->size);
        if (kept && !own)
            memcpy(kept, parser, api->size); /* with its buffer, which is the copy's now */
        if (kept) {
            c->parser = kept;
            return;
        }
        abort_connection(t, c);
    }
    api->clear(parser);
    if (own)
        free(parser);
}

/* Reads bytes of a client, which are unmasked in place. SSE has no uplink, and a viewer that is
 * closing is not listened to.
 */
void feed_client(struct hub_thread *t, struct connection *c, uint8_t *data, size_t size)
{
    const struct parser_api *api = &t->hub->config.parser;
    struct parsed event;
    enum parser_status status = PARSER_MORE;
    uint8_t *at = data;
    if (form_of(c) == SSE || !listens(c))
        return;
    c->pong_due = HUB_NEVER; /* a sign of life */
    void *parser = c->parser;
    c->parser = NULL; /* so that nobody frees it meanwhile */
    uint64_t before = parser ? api->under_way(parser) : 0;
    if (!parser) {
        parser = t->parser;
        api->init(parser, t->hub->config.message_bytes, form_of(c) == DEFLATED);
    }
    while (listens(c)) {
        status = api->next(parser, &at, data + size, &event);
        if (status != PARSER_EVENT)
            break;
        take_event(t, c, &event);
    }
    if (status == PARSER_FAILED && listens(c))
        fail(t, c, api->failed(parser));
    put_parser_back(t, c, parser, before);
}

void read_client(struct hub_thread *t, struct connection *c)
{
    ssize_t n = recv(c->fd, t->scratch, READ_BYTES, MSG_DONTWAIT);
    if (n > 0)
        feed_client(t, c, t->scratch, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        cut(t, c);
}

int reading_init(struct hub_thread *t)
{
    t->scratch = malloc(READ_BYTES);
    t->parser = malloc(t->hub->config.parser.size);
    return t->scratch && t->parser ? 0 : ENOMEM;
}
