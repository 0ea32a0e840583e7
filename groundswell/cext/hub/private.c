/* The private slot: what one viewer alone gets. It exists only while something of it is unsent. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define CAPACITY_MIN 4

/* Takes the reference, and drops it where memory ran out: returns whether it is queued. */
bool queue_private(struct connection *c, struct frame *frame)
{
    struct private_slot *slot = c->private;
    if (!frame)
        return false;
    if (slot && slot->at && slot->at + slot->count == slot->capacity) {
        memmove(slot->frames, slot->frames + slot->at, slot->count * sizeof *slot->frames);
        slot->at = 0;
    }
    if (!slot || slot->at + slot->count == slot->capacity) {
        uint32_t capacity = slot ? 2 * slot->capacity : CAPACITY_MIN;
        struct private_slot *grown = realloc(slot, sizeof *grown + capacity * sizeof(void *));
        if (!grown) {
            frame_drop(frame);
            return false;
        }
        if (!slot)
            memset(grown, 0, sizeof *grown);
        grown->capacity = capacity;
        c->private = slot = grown;
    }
    slot->frames[slot->at + slot->count++] = frame;
    slot->bytes += frame_size(frame, form_of(c));
    return true;
}

void drop_private(struct connection *c)
{
    struct private_slot *slot = c->private;
    if (!slot)
        return;
    for (uint32_t i = 0; i < slot->count; i++)
        frame_drop(slot->frames[slot->at + i]);
    free(slot);
    c->private = NULL;
}

/* Sends something of its own to a viewer; who does not read that is closed as slow. Takes the
 * reference.
 */
void send_private(struct hub_thread *t, struct connection *c, struct frame *frame)
{
    if (c->private && c->private->bytes > t->hub->config.private_bytes) {
        frame_drop(frame);
        close_for(t, c, CAUSE_SLOW);
        return;
    }
    if (!queue_private(c, frame)) {
        abort_connection(t, c);
        return;
    }
    count_up(&t->counters.private_messages, 1);
    if (!(c->flags & BLOCKED))
        write_on(t, c);
}
