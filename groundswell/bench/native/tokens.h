/* The tokens of made-up users. */
#ifndef GROUNDSWELL_TOKENS_H
#define GROUNDSWELL_TOKENS_H

#include <errno.h>

#include "options.h"

/* Reads a file of `user token` lines; `count` is at least 1 after it. */
static inline char **read_tokens(const char *path, size_t *count)
{
    char *line = NULL, **bearers = NULL;
    size_t size = 0;
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file)
        die("--tokens: %s", path ? strerror(errno) : "is needed");
    for (*count = 0; getline(&line, &size, file) > 0; ++*count) {
        char *token = strchr(line, ' ');
        if (!token)
            die("--tokens: a line without a user and a token");
        token[strcspn(token, "\n")] = '\0';
        bearers = realloc(bearers, (*count + 1) * sizeof *bearers);
        bearers[*count] = strdup(token + 1);
    }
    free(line);
    fclose(file);
    if (*count == 0)
        die("--tokens: no line in %s", path);
    return bearers;
}

#endif
