"""The hub's C interface; what it means stands in `hub/hub.h`."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "hub.h" nogil:
    enum:
        HUB_THREADS_MAX
        HUB_SLOTS_MAX
        CAUSES
    int64_t HUB_NEVER

    enum form:
        WEBSOCKET
        SSE
        DEFLATED
        FORMS

    struct bytes_t "bytes":
        const uint8_t* data
        size_t size

    struct frame:
        pass

    frame* frame_new(const bytes_t* forms)
    void frame_keep(frame* frame)
    void frame_drop(frame* frame)
    long hub_live_frames()
    long hub_live_connections()

    struct parsed:
        int opcode
        const uint8_t* payload
        size_t size

    enum parser_status:
        PARSER_MORE
        PARSER_EVENT
        PARSER_FAILED

    struct parser_api:
        size_t size
        void (*init)(void* parser, uint32_t message_bytes, int deflate) noexcept nogil
        parser_status (*next)(
            void* parser, uint8_t** at, uint8_t* end, parsed* event
        ) noexcept nogil
        uint64_t (*under_way)(const void* parser) noexcept nogil
        int (*failed)(const void* parser) noexcept nogil
        void (*clear)(void* parser) noexcept nogil

    struct hub_config:
        uint32_t threads
        uint32_t message_bytes
        uint32_t flood_events
        uint32_t send_buffer
        uint32_t private_bytes
        int64_t ping_interval_ms
        int64_t pong_timeout_ms
        int64_t message_ms
        int64_t closing_ms
        int64_t stuck_ms
        uint16_t* codes
        frame** closes
        parser_api parser

    enum command_kind:
        COMMAND_TICK
        COMMAND_STOP
        COMMAND_LISTEN
        COMMAND_UNLISTEN
        COMMAND_ADOPT
        COMMAND_FEED
        COMMAND_AUTH_DUE
        COMMAND_EXPIRES
        COMMAND_QUEUE
        COMMAND_FLUSH
        COMMAND_SEND
        COMMAND_JOIN
        COMMAND_CLOSE
        COMMAND_OPEN
        COMMAND_FRAME
        COMMAND_SWAP
        COMMAND_PASS
        COMMAND_PING
        COMMAND_DISMISS
        COMMAND_DISSOLVE

    struct command:
        uint32_t kind
        uint32_t room
        uint32_t slot
        uint32_t generation
        int64_t a
        int64_t b
        frame* frame

    enum event_kind:
        EVENT_MESSAGE
        EVENT_CLOSED
        EVENT_BEHIND
        EVENT_PASSED
        EVENT_ARRIVED

    struct event:
        uint32_t kind
        uint32_t size
        uint32_t slot
        uint32_t generation
        int64_t value
        int64_t nanoseconds

    struct hub_counters_t "hub_counters":
        uint64_t frames_written
        uint64_t bytes_written
        uint64_t sends
        uint64_t partial_writes
        uint64_t private_messages
        uint64_t client_messages
        uint64_t skips
        uint64_t refused_slow
        uint64_t accepted
        uint64_t accept_failures
        uint64_t behind
        uint64_t lag_frames

    struct hub:
        pass

    hub* hub_new(const hub_config* config)
    int hub_start(hub* hub, int64_t monotonic_ms, int64_t wall_ms)
    void hub_stop(hub* hub)
    void hub_free(hub* hub)
    int hub_event_fd(const hub* hub)
    int hub_push(hub* hub, uint32_t thread, const command* commands, size_t count)
    uint8_t* hub_take(hub* hub, uint32_t thread, size_t* size)
    void hub_counters(const hub* hub, hub_counters_t* sum)
