/* Frames: immutable bytes with counted references, from any thread; and what is alive. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static atomic_long live_frames, live_connections;

static struct frame *frame_alloc(size_t websocket_size, size_t sse_size)
{
    if (websocket_size > UINT32_MAX / 4 || sse_size > UINT32_MAX / 4)
        return NULL;
    struct frame *frame = malloc(sizeof *frame + websocket_size + sse_size);
    if (!frame)
        return NULL;
    atomic_init(&frame->references, 1);
    frame->size[0] = (uint32_t)websocket_size;
    frame->size[1] = (uint32_t)sse_size;
    atomic_fetch_add_explicit(&live_frames, 1, memory_order_relaxed);
    return frame;
}

struct frame *frame_new(const uint8_t *websocket, size_t websocket_size, const uint8_t *sse,
                        size_t sse_size)
{
    struct frame *frame = frame_alloc(websocket_size, sse_size);
    if (frame && websocket_size)
        memcpy(frame->bytes, websocket, websocket_size);
    if (frame && sse_size)
        memcpy(frame->bytes + websocket_size, sse, sse_size);
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

/* RFC 6455 section 5.5: a control frame, unfragmented, with at most 125 bytes. */
static struct frame *control_frame(uint8_t opcode, const uint8_t *payload, size_t size)
{
    struct frame *frame = frame_alloc(2 + size, 0);
    if (frame) {
        frame->bytes[0] = 0x80 | opcode;
        frame->bytes[1] = (uint8_t)size;
        if (size)
            memcpy(frame->bytes + 2, payload, size);
    }
    return frame;
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
