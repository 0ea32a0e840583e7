/* Clocks, CPU time and a latency histogram: what every tool here measures with. */
#ifndef GROUNDSWELL_MEASURE_H
#define GROUNDSWELL_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND_NS 1000000000LL

static inline int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * SECOND_NS + t.tv_nsec;
}

static inline int64_t wall_ns(void) { return clock_ns(CLOCK_REALTIME); }
static inline int64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
static inline double cpu_seconds(void) { return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9; }

/* Log-linear buckets, 64 to a power of two: a quantile is at most 1/64 (1.6 %) above the truth. */
#define STEP_BITS 6
#define STEPS (1 << STEP_BITS)
#define BUCKETS (STEPS * (64 - STEP_BITS + 1))

struct histogram {
    uint64_t count[BUCKETS];
    uint64_t total;
    int64_t max; /* ns */
};

/* Latencies below zero (the wall clock was stepped) count as zero. */
static inline void histogram_add(struct histogram *h, int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    int shift = v < STEPS ? 0 : 63 - __builtin_clzll(v) - STEP_BITS;
    h->count[shift * STEPS + (int)(v >> shift)]++;
    h->total++;
    if ((int64_t)v > h->max)
        h->max = (int64_t)v;
}

/* The upper edge of the bucket that holds the q-quantile, in milliseconds. */
static inline double histogram_ms(const struct histogram *h, double q)
{
    uint64_t rank = (uint64_t)(q * (double)h->total), seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += h->count[i];
        if (seen > rank) {
            int shift = i < 2 * STEPS ? 0 : i / STEPS - 1;
            int64_t edge = ((int64_t)(i - shift * STEPS + 1) << shift) - 1;
            return (double)(edge < h->max ? edge : h->max) / 1e6;
        }
    }
    return (double)h->max / 1e6;
}

/* Prints `"name":{...}` in milliseconds, or null where nothing was measured. */
static inline void histogram_print(const char *name, const struct histogram *h)
{
    if (h->total == 0)
        printf("\"%s\":null", name);
    else
        printf("\"%s\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name,
               histogram_ms(h, 0.50), histogram_ms(h, 0.90), histogram_ms(h, 0.99),
               (double)h->max / 1e6);
}

#endif
