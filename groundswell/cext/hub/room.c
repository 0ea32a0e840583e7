/* Rooms: the ring as this thread sees it, and who is a member. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define RING_MIN 16
#define MEMBERS_MIN 16

static bool reserve_index(struct hub_thread *t, uint32_t index)
{
    if (index < t->room_count)
        return true;
    uint32_t count = 2 * (index + 1);
    struct room **rooms = realloc(t->rooms, count * sizeof *rooms);
    if (!rooms)
        return false;
    t->rooms = rooms;
    memset(rooms + t->room_count, 0, (count - t->room_count) * sizeof *rooms);
    t->room_count = count;
    return true;
}

void open_room(struct hub_thread *t, const struct command *command)
{
    struct room *room = calloc(1, sizeof *room);
    if (!room || !reserve_index(t, command->room)) {
        free(room); /* who joins it is not found to be in one, and hears nothing but pings */
        return;
    }
    room->name = (uint32_t)command->b;
    room->first = room->end = command->a;
    room->ping_cursor = NO_CURSOR;
    t->rooms[command->room] = room;
}

static void drop_frames(struct room *room, int64_t first)
{
    for (; room->first < first && room->first < room->end; room->first++)
        frame_drop(ring_frame(room, room->first));
}

static bool grow_ring(struct room *room)
{
    uint32_t capacity = room->ring ? room->ring_mask + 1 : 0;
    if (room->end - room->first < capacity)
        return true;
    uint32_t grown = capacity ? 2 * capacity : RING_MIN;
    struct frame **ring = malloc(grown * sizeof *ring);
    if (!ring)
        return false;
    for (int64_t number = room->first; number < room->end; number++)
        ring[(uint64_t)number & (grown - 1)] = ring_frame(room, number);
    free(room->ring);
    room->ring = ring;
    room->ring_mask = grown - 1;
    return true;
}

/* Adds the ring's next frame. One that does not follow the last leaves a gap, which viewers
 * before it are told of like those that fell off.
 */
void add_frame(struct hub_thread *t, const struct command *command)
{
    struct room *room = find_room(t, command->room);
    if (!room) {
        frame_drop(command->frame);
        return;
    }
    drop_frames(room, command->b);
    if (command->a != room->end) {
        drop_frames(room, room->end);
        room->first = room->end = command->a;
    }
    if (!grow_ring(room)) {
        frame_drop(command->frame);
        return;
    }
    room->ring[(uint64_t)room->end & room->ring_mask] = command->frame;
    room->end++;
}

/* Cursors that have begun the old frame finish it; all others get the new one. */
void swap_frame(struct hub_thread *t, const struct command *command)
{
    struct room *room = find_room(t, command->room);
    if (!room || command->a < room->first || command->a >= room->end) {
        frame_drop(command->frame);
        return;
    }
    frame_drop(ring_frame(room, command->a));
    room->ring[(uint64_t)command->a & room->ring_mask] = command->frame;
}

void set_ping(struct hub_thread *t, const struct command *command)
{
    struct room *room = find_room(t, command->room);
    if (!room) {
        frame_drop(command->frame);
        return;
    }
    frame_drop(room->ping);
    room->ping = command->frame;
    room->ping_cursor = command->a;
}

void join_room(struct hub_thread *t, struct connection *c, uint32_t index, int64_t cursor)
{
    struct room *room = find_room(t, index);
    leave_room(t, c);
    if (!room)
        return;
    if (room->count == room->capacity) {
        uint32_t capacity = room->capacity ? 2 * room->capacity : MEMBERS_MIN;
        uint32_t *members = realloc(room->members, capacity * sizeof *members);
        if (!members) {
            abort_connection(t, c);
            return;
        }
        room->members = members;
        room->capacity = capacity;
    }
    c->room = room;
    c->cursor = cursor;
    c->seat = room->count;
    room->members[room->count++] = slot_of(t, c);
    if (!(c->flags & BLOCKED))
        write_on(t, c);
}

static void sit(struct hub_thread *t, struct room *room, uint32_t seat, uint32_t slot)
{
    room->members[seat] = slot;
    t->connections[slot].seat = seat;
}

/* The last member takes the empty seat; while a pass runs, in a way that nobody whose turn is
 * still to come stands before the turn.
 */
void leave_room(struct hub_thread *t, struct connection *c)
{
    struct room *room = c->room;
    if (room) {
        uint32_t seat = c->seat;
        if (room->passing && seat < room->turn) {
            sit(t, room, seat, room->members[--room->turn]);
            seat = room->turn;
        }
        sit(t, room, seat, room->members[--room->count]);
    }
    c->room = NULL;
    c->cursor = NO_CURSOR;
}

void free_room(struct room *room)
{
    drop_frames(room, room->end);
    frame_drop(room->ping);
    frame_drop(room->words);
    free(room->ring);
    free(room->members);
    free(room);
}

/* Members that are being dismissed keep the room; all others leave it. */
void dissolve_room(struct hub_thread *t, uint32_t index)
{
    struct room *room = find_room(t, index);
    if (!room)
        return;
    t->rooms[index] = NULL;
    room->passing = false;
    if (room->words) {
        room->dissolved = true;
        return;
    }
    while (room->count)
        leave_room(t, &t->connections[room->members[room->count - 1]]);
    stop_turns(t, room);
    free_room(room);
}
