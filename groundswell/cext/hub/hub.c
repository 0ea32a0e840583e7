/* A hub: its threads, started and stopped together. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

struct hub *hub_new(const struct hub_config *config)
{
    struct hub *hub = calloc(1, sizeof *hub + config->threads * sizeof *hub->threads);
    if (!hub)
        return NULL;
    hub->config = *config;
    for (int cause = 0; cause < CAUSES; cause++)
        frame_keep(config->closes[cause]);
    for (uint32_t i = 0; i < config->threads; i++) {
        struct hub_thread *t = &hub->threads[i];
        t->poll_fd = t->reader_fd = t->writer_fd = t->wake_fd = t->door_fd = -1;
    }
    hub->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = hub->event_fd < 0 ? errno : 0;
    for (uint32_t i = 0; i < config->threads; i++) {
        int failed = thread_init(hub, &hub->threads[i]);
        error = error ? error : failed;
    }
    if (error) {
        hub_free(hub);
        errno = error;
        return NULL;
    }
    return hub;
}

int hub_start(struct hub *hub, int64_t monotonic_ms, int64_t wall_ms)
{
    sigset_t all, before;
    int error = 0;
    /* Signals are the business of the thread that Python runs on. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!error && hub->started < hub->config.threads) {
        struct hub_thread *t = &hub->threads[hub->started];
        t->now_ms = monotonic_ms;
        t->wall_ms = wall_ms;
        error = pthread_create(&t->pthread, NULL, thread_main, t);
        hub->started += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        hub_stop(hub);
    return error;
}

void hub_stop(struct hub *hub)
{
    const struct command stop = {.kind = COMMAND_STOP};
    for (uint32_t i = 0; i < hub->started; i++)
        while (hub_push(hub, i, &stop, 1) != 0)
            usleep(1000); /* memory must come back for the process to end in order */
    for (uint32_t i = 0; i < hub->started; i++)
        pthread_join(hub->threads[i].pthread, NULL);
    hub->started = 0;
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    for (uint32_t i = 0; i < hub->config.threads; i++)
        thread_free(&hub->threads[i]);
    for (int cause = 0; cause < CAUSES; cause++)
        frame_drop(hub->config.closes[cause]);
    if (hub->event_fd >= 0)
        close(hub->event_fd);
    free(hub);
}

int hub_event_fd(const struct hub *hub)
{
    return hub->event_fd;
}

void hub_counters(const struct hub *hub, struct hub_counters *sum)
{
    *sum = (struct hub_counters){0};
    const size_t fields = sizeof *sum / sizeof(uint64_t);
    uint64_t *to = (uint64_t *)sum, largest_lag = 0;
    for (uint32_t i = 0; i < hub->config.threads; i++) {
        const struct hub_counters *counters = &hub->threads[i].counters;
        const uint64_t *from = (const uint64_t *)counters;
        uint64_t lag = __atomic_load_n(&counters->lag_frames, __ATOMIC_RELAXED);
        for (size_t field = 0; field < fields; field++)
            to[field] += __atomic_load_n(&from[field], __ATOMIC_RELAXED);
        largest_lag = lag > largest_lag ? lag : largest_lag;
    }
    sum->lag_frames = largest_lag;
}
