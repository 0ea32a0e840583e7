/* Frames: immutable bytes with counted references, from any thread; and what is alive. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define CONTROL_BYTES 125

static atomic_long live_frames, live_connections;

struct frame *frame_new(const struct bytes forms[FORMS])
{
    size_t total = 0;
    for (int form = 0; form < FORMS; form++) {
        if (forms[form].size > UINT32_MAX / 4)
            return NULL;
        total += forms[form].size;
    }
    struct frame *frame = malloc(sizeof *frame + total);
    if (!frame)
        return NULL;
    atomic_init(&frame->references, 1);
    uint32_t at = 0;
    for (int form = 0; form < FORMS; form++) {
        frame->size[form] = (uint32_t)forms[form].size;
        frame->at[form] = at;
        if (frame->size[form])
            memcpy(frame->bytes + at, forms[form].data, frame->size[form]);
        at += frame->size[form];
    }
    if (!frame->size[DEFLATED]) {
        frame->size[DEFLATED] = frame->size[WEBSOCKET];
        frame->at[DEFLATED] = frame->at[WEBSOCKET];
    }
    atomic_fetch_add_explicit(&live_frames, 1, memory_order_relaxed);
    return frame;
}

void frame_keep(struct frame *frame)
{
    atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
}

struct frame *frame_kept(struct frame *frame)
{
    frame_keep(frame);
    return frame;
}

void frame_drop(struct frame *frame)
{
    /* Release: what this thread did with the bytes is done; acquire: before anyone frees them. */
    if (frame && atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) == 1) {
        atomic_fetch_sub_explicit(&live_frames, 1, memory_order_relaxed);
        free(frame);
    }
}

/* RFC 6455 section 5.5: a control frame, unfragmented, with at most CONTROL_BYTES. */
static struct frame *control_frame(uint8_t opcode, const uint8_t *payload, size_t size)
{
    uint8_t octets[2 + CONTROL_BYTES] = {0x80 | opcode, (uint8_t)size};
    assert(size <= CONTROL_BYTES);
    if (size)
        memcpy(octets + 2, payload, size);
    const struct bytes forms[FORMS] = {[WEBSOCKET] = {octets, 2 + size}};
    return frame_new(forms);
}

struct frame *close_frame(uint16_t code)
{
    const uint8_t octets[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    return control_frame(0x8, octets, sizeof octets);
}

struct frame *pong_frame(const uint8_t *payload, size_t size)
{
    return control_frame(0xA, payload, size);
}

void count_connection(int by)
{
    atomic_fetch_add_explicit(&live_connections, by, memory_order_relaxed);
}

long hub_live_frames(void)
{
    return atomic_load(&live_frames);
}

long hub_live_connections(void)
{
    return atomic_load(&live_connections);
}
