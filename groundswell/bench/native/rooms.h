/* Several rooms behind one address: `{room}` in a text stands for the number of a room. */
#ifndef GROUNDSWELL_ROOMS_H
#define GROUNDSWELL_ROOMS_H

#include "options.h"

/* Writes `text`, with every `{room}` replaced, into `out`; returns its length. */
static inline size_t put_in_room(char *out, size_t size, const char *text, unsigned room)
{
    static const char name[] = "{room}";
    const char *found;
    size_t n = 0;
    *out = '\0';
    while ((found = strstr(text, name)) != NULL && n < size) {
        n += (size_t)snprintf(out + n, size - n, "%.*s%u", (int)(found - text), text, room);
        text = found + sizeof name - 1;
    }
    if (n < size)
        n += (size_t)snprintf(out + n, size - n, "%s", text);
    if (n >= size)
        die("too long for this tool: %s", text);
    return n;
}

#endif
