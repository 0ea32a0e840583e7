/* The timing wheel: every connection stands in one slot, that of its next deadline or earlier.
 *
 * A deadline that moves away leaves the connection where it is: it is looked at when its slot
 * comes, and put where it belongs. Only a deadline that comes nearer costs something.
 */
#include "internal.h"

void wheel_init(struct hub_thread *t)
{
    for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
        t->wheel[i] = NO_SLOT;
    t->wheel_at = t->now_ms >> WHEEL_SHIFT;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_deadline(const struct hub_thread *t, const struct connection *c)
{
    if (c->flags & CLOSING)
        return c->auth_due;
    int64_t due = least(least(c->auth_due, c->message_due), least(c->ping_due, c->pong_due));
    if (c->flags & BLOCKED)
        due = least(due, c->blocked_since + t->hub->config.stuck_ms);
    if (c->expires != HUB_NEVER)
        due = least(due, t->now_ms + (c->expires - t->wall_ms));
    return due;
}

void wheel_disarm(struct hub_thread *t, uint32_t slot)
{
    struct connection *c = &t->connections[slot];
    if (c->wheel_slot == NOT_ARMED)
        return;
    if (c->earlier == NO_SLOT)
        t->wheel[c->wheel_slot] = c->later;
    else
        t->connections[c->earlier].later = c->later;
    if (c->later != NO_SLOT)
        t->connections[c->later].earlier = c->earlier;
    c->wheel_slot = NOT_ARMED;
}

static int64_t place(const struct hub_thread *t, int64_t due)
{
    int64_t at = due >> WHEEL_SHIFT;
    if (at < t->wheel_at)
        return t->wheel_at;
    return least(at, t->wheel_at + WHEEL_SLOTS - 1);
}

void wheel_arm(struct hub_thread *t, uint32_t slot)
{
    struct connection *c = &t->connections[slot];
    int64_t at = place(t, next_deadline(t, c));
    if (c->wheel_slot != NOT_ARMED) {
        int64_t turns = (c->wheel_slot - t->wheel_at) & (WHEEL_SLOTS - 1);
        if (t->wheel_at + turns <= at)
            return;
        wheel_disarm(t, slot);
    }
    c->wheel_slot = (uint16_t)(at & (WHEEL_SLOTS - 1));
    c->earlier = NO_SLOT;
    c->later = t->wheel[c->wheel_slot];
    if (c->later != NO_SLOT)
        t->connections[c->later].earlier = slot;
    t->wheel[c->wheel_slot] = slot;
}

static void keep_deadline(struct hub_thread *t, struct connection *c)
{
    const struct hub_config *config = &t->hub->config;
    int64_t now = t->now_ms;
    if (c->flags & CLOSING) {
        if (now >= c->auth_due)
            abort_connection(t, c);
    } else if (now >= c->auth_due) {
        close_for(t, c, CAUSE_AUTH_TIMEOUT);
    } else if (t->wall_ms >= c->expires) {
        close_for(t, c, CAUSE_TOKEN_EXPIRED);
    } else if (c->flags & BLOCKED && now - c->blocked_since >= config->stuck_ms) {
        cut_slow(t, c);
    } else if (now >= c->pong_due || now >= c->message_due) {
        close_for(t, c, CAUSE_IDLE);
    } else if (now >= c->ping_due) {
        send_ping(t, c);
    }
}

/* Looks at all whose slot has come, once each: up to and with the slot of this moment, which
 * comes again with the next tick.
 */
void wheel_turn(struct hub_thread *t)
{
    int64_t last = t->now_ms >> WHEEL_SHIFT;
    int64_t from = t->wheel_at;
    if (last - from >= WHEEL_SLOTS)
        from = last - WHEEL_SLOTS + 1;
    t->wheel_at = last; /* whoever is armed from here on stands in this slot or later */
    uint32_t due = NO_SLOT;
    for (int64_t at = from; at <= last; at++) {
        uint32_t *head = &t->wheel[at & (WHEEL_SLOTS - 1)];
        while (*head != NO_SLOT) {
            uint32_t slot = *head;
            wheel_disarm(t, slot);
            t->connections[slot].later = due;
            due = slot;
        }
    }
    while (due != NO_SLOT) {
        struct connection *c = &t->connections[due];
        uint32_t slot = due;
        due = c->later;
        keep_deadline(t, c);
        if (c->flags & OPEN)
            wheel_arm(t, slot);
    }
}
