/* Dismissals: every member of a room is closed with the same words, some viewers a turn.
 *
 * Who waits for its turn is a member like any other: it may go, or join another room and stay. Who
 * joins meanwhile is dismissed too.
 */
#include "internal.h"

void begin_dismissal(struct hub_thread *t, const struct command *command)
{
    struct room *room = find_room(t, command->room);
    if (!room || room->words || !room->count) {
        frame_drop(command->frame);
        return;
    }
    room->words = command->frame;
    room->code = (uint16_t)command->a;
    start_turns(t, room);
}

bool dismiss_slice(struct hub_thread *t, struct room *room)
{
    for (uint32_t left = SLICE_VIEWERS; room->count && left; left--) /* who closes leaves */
        begin_close(t, &t->connections[room->members[room->count - 1]], room->code, room->words);
    if (room->count)
        return true;
    frame_drop(room->words);
    room->words = NULL;
    return false;
}
