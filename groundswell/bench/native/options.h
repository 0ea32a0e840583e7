/* `--name value` options with defaults, and the one way to give up. */
#ifndef GROUNDSWELL_OPTIONS_H
#define GROUNDSWELL_OPTIONS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Say why on stderr and exit 1: a tool that cannot do its job must never print a result. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

struct option {
    const char *name;
    const char **text; /* exactly one of text and number is set */
    double *number;
};

/* Fills in the options of argv; an unknown name or a value that is no number ends the process. */
static inline void parse_options(int argc, char **argv, const struct option *options, int count)
{
    for (int i = 1; i < argc; i += 2) {
        const struct option *found = NULL;
        for (int j = 0; j < count && !found; j++)
            if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, options[j].name) == 0)
                found = &options[j];
        if (!found || i + 1 == argc)
            die("%s: unknown option or no value", argv[i]);
        if (found->text) {
            *found->text = argv[i + 1];
            continue;
        }
        char *end;
        *found->number = strtod(argv[i + 1], &end);
        if (*end != '\0' || end == argv[i + 1] || *found->number < 0)
            die("%s: not a number of at least 0: %s", argv[i], argv[i + 1]);
    }
}

#endif
