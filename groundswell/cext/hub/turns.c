/* Turns: rooms that have something to do for all their members do it for some at a time, one room
 * after the other, so that a huge room holds nobody else up.
 */
#include "internal.h"

/* Again: nothing. */
void start_turns(struct hub_thread *t, struct room *room)
{
    if (room->running)
        return;
    room->running = true;
    room->next_running = t->running;
    t->running = room;
}

/* Not from within a turn. */
void stop_turns(struct hub_thread *t, struct room *room)
{
    struct room **at = &t->running;
    while (*at && *at != room)
        at = &(*at)->next_running;
    if (*at)
        *at = room->next_running;
    room->running = false;
}

/* Who is dismissed need not be passed anything first. Returns whether there is more to do. */
static bool take_turn(struct hub_thread *t, struct room *room)
{
    if (room->words)
        return dismiss_slice(t, room) || room->passing;
    return pass_slice(t, room);
}

void take_turns(struct hub_thread *t)
{
    struct room **at = &t->running;
    while (*at) {
        struct room *room = *at;
        if (take_turn(t, room)) {
            at = &room->next_running;
            continue;
        }
        *at = room->next_running;
        room->running = false;
        if (room->dissolved)
            free_room(room);
    }
}
