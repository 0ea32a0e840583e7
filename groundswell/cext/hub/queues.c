/* The two queues between the owner and a thread: commands in, events out.
 *
 * Both are arrays that are swapped whole under a mutex, which nobody holds for longer than a copy
 * of what is handed over. A side that sleeps is woken once, by an eventfd.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define EVENTS_BYTES (256 * 1024) /* untaken: some thousand messages, tens of ms for the owner */

static size_t padded(uint32_t size)
{
    return ((size_t)size + 7) & ~(size_t)7;
}

int queues_init(struct hub_thread *t)
{
    pthread_mutex_init(&t->commands.lock, NULL);
    pthread_mutex_init(&t->events.lock, NULL);
    return 0;
}

/* Sockets in events that nobody took. */
static void close_arrived(const struct event_queue *queue)
{
    struct event event;
    for (size_t at = 0; at < queue->size; at += sizeof event + padded(event.size)) {
        memcpy(&event, queue->bytes + at, sizeof event);
        if (event.kind == EVENT_ARRIVED)
            close((int)event.value);
    }
}

void queues_free(struct hub_thread *t)
{
    for (size_t i = 0; i < t->commands.count; i++) {
        if (t->commands.items[i].kind == COMMAND_ADOPT ||
            t->commands.items[i].kind == COMMAND_LISTEN)
            close((int)t->commands.items[i].a);
        frame_drop(t->commands.items[i].frame);
    }
    close_arrived(&t->events);
    free(t->commands.items);
    free(t->events.bytes);
    free(t->out);
    pthread_mutex_destroy(&t->commands.lock);
    pthread_mutex_destroy(&t->events.lock);
}

void wake(int fd)
{
    const uint64_t one = 1;
    /* It fails only where the counter is full, and then the other side is awake. */
    ssize_t n = write(fd, &one, sizeof one);
    (void)n;
}

static bool reserve(void **items, size_t *capacity, size_t needed, size_t item_size)
{
    if (needed <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 64;
    while (wanted < needed)
        wanted *= 2;
    void *grown = realloc(*items, wanted * item_size);
    if (!grown)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

int hub_push(struct hub *hub, uint32_t thread, const struct command *commands, size_t count)
{
    struct hub_thread *t = &hub->threads[thread];
    struct command_queue *queue = &t->commands;
    bool asleep = false;
    pthread_mutex_lock(&queue->lock);
    bool room = reserve((void **)&queue->items, &queue->capacity, queue->count + count,
                        sizeof *queue->items);
    if (room) {
        memcpy(queue->items + queue->count, commands, count * sizeof *commands);
        queue->count += count;
        asleep = queue->sleeping;
        queue->sleeping = false;
    }
    pthread_mutex_unlock(&queue->lock);
    if (asleep)
        wake(t->wake_fd);
    return room ? 0 : ENOMEM;
}

/* Returns the commands that came; the caller gives their array back. With `may_sleep` and none
 * there, the thread counts as asleep until the next one comes.
 */
struct command *take_commands(struct hub_thread *t, bool may_sleep, size_t *count)
{
    struct command_queue *queue = &t->commands;
    pthread_mutex_lock(&queue->lock);
    struct command *items = queue->items;
    *count = queue->count;
    if (*count) {
        queue->items = NULL;
        queue->count = queue->capacity = 0;
    } else {
        items = NULL;
    }
    queue->sleeping = may_sleep && *count == 0;
    pthread_mutex_unlock(&queue->lock);
    return items;
}

uint8_t *hub_take(struct hub *hub, uint32_t thread, size_t *size)
{
    struct hub_thread *t = &hub->threads[thread];
    struct event_queue *queue = &t->events;
    pthread_mutex_lock(&queue->lock);
    uint8_t *bytes = queue->size ? queue->bytes : NULL;
    bool piled_up = queue->size >= EVENTS_BYTES;
    *size = queue->size;
    if (bytes) {
        queue->bytes = NULL;
        queue->size = queue->capacity = 0;
    }
    pthread_mutex_unlock(&queue->lock);
    if (piled_up)
        wake(t->wake_fd); /* it reads clients again */
    return bytes;
}

void put_event(struct hub_thread *t, const struct event *event, const uint8_t *payload)
{
    size_t size = sizeof *event + padded(event->size);
    if (!reserve((void **)&t->out, &t->out_capacity, t->out_size + size, 1))
        abort(); /* the owner would keep a connection for ever that is gone */
    memcpy(t->out + t->out_size, event, sizeof *event);
    if (event->size)
        memcpy(t->out + t->out_size + sizeof *event, payload, event->size);
    t->out_size += size;
}

void hand_events_over(struct hub_thread *t)
{
    if (!t->out_size)
        return;
    struct event_queue *queue = &t->events;
    pthread_mutex_lock(&queue->lock);
    bool first = queue->size == 0;
    if (first) {
        /* The usual case: the array itself changes hands. */
        uint8_t *bytes = queue->bytes;
        size_t capacity = queue->capacity;
        queue->bytes = t->out;
        queue->capacity = t->out_capacity;
        queue->size = t->out_size;
        t->out = bytes;
        t->out_capacity = capacity;
    } else {
        if (!reserve((void **)&queue->bytes, &queue->capacity, queue->size + t->out_size, 1))
            abort();
        memcpy(queue->bytes + queue->size, t->out, t->out_size);
        queue->size += t->out_size;
    }
    t->out_size = 0;
    pthread_mutex_unlock(&queue->lock);
    if (first)
        wake(t->hub->event_fd);
}

bool events_pile_up(struct hub_thread *t)
{
    pthread_mutex_lock(&t->events.lock);
    bool much = t->events.size >= EVENTS_BYTES;
    pthread_mutex_unlock(&t->events.lock);
    return much;
}
