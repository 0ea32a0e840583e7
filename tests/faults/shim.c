/* A preload shim that sees and spoils what a server does to the files of one folder.
 *
 * It records, in one order for all threads, which comment ids were written to which file, when
 * that file was synced and when bytes with an id left through a socket; and it makes writes and
 * syncs fail or stall while a test says so in a shared page. See shim.py for both formats.
 *
 * Every interposed call keeps the C library's contract: errno, return value, cancellation by
 * errors only. Files outside the folder and sockets are never disturbed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FD_MAX 65536
#define NAME_MAX_BYTES 32
#define ID_BYTES 36
#define LINE_BYTES (1 << 16) /* over 1,700 ids, more than any one write here holds */

struct control { /* the same layout as shim.py's CONTROL */
    uint64_t sequence;
    uint64_t syncs;
    uint64_t refused_writes;
    uint64_t failed_syncs;
    uint32_t write_errno;     /* 0: writes work */
    uint32_t sync_errno;      /* what the next `sync_failures` syncs fail with */
    int32_t sync_failures;
    uint32_t sync_stall_ms;
};

static struct control *control;
static int trace_fd = -1;
static char folder[PATH_MAX];
static size_t folder_bytes;
static char names[FD_MAX][NAME_MAX_BYTES]; /* base name of a file of the folder, else "" */
static char created_unsent[FD_MAX];        /* a "201" went out whose id is still to come */

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_posix_fallocate)(int, off_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_openat = dlsym(RTLD_NEXT, "openat64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_send = dlsym(RTLD_NEXT, "send");
    real_sendto = dlsym(RTLD_NEXT, "sendto");
    real_sendmsg = dlsym(RTLD_NEXT, "sendmsg");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fallocate = dlsym(RTLD_NEXT, "fallocate64");
    real_posix_fallocate = dlsym(RTLD_NEXT, "posix_fallocate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");

    const char *name = getenv("SHIM_FOLDER");
    if (name == NULL || realpath(name, folder) == NULL) return;
    folder_bytes = strlen(folder);
    if ((name = getenv("SHIM_CONTROL")) != NULL) {
        int fd = real_open(name, O_RDWR | O_CLOEXEC);
        if (fd >= 0) {
            void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (page != MAP_FAILED) control = page;
            real_close(fd);
        }
    }
    if ((name = getenv("SHIM_TRACE")) != NULL && control != NULL)
        trace_fd = real_open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

#define READY() pthread_once(&once, load)

static uint64_t next_sequence(void) {
    return __atomic_add_fetch(&control->sequence, 1, __ATOMIC_SEQ_CST);
}

static void count(uint64_t *counter) { __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST); }

static const char *name_of(int fd) { return fd >= 0 && fd < FD_MAX ? names[fd] : ""; }

static int is_ours(int fd) { return name_of(fd)[0] != 0; }

/* ---- the trace ---- */

static int is_id(const char *p) {
    for (int i = 0; i < ID_BYTES; i++) {
        int c = p[i];
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') return 0;
        } else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return 0;
        }
    }
    return p[14] == '7'; /* RFC 9562 section 5.7 */
}

/* Append the ids in `bytes` to a line; returns the line's new length. */
static size_t add_ids(char *line, size_t used, const char *bytes, size_t length) {
    const char *end = bytes + length;
    const char *p = bytes;
    while (end - p >= ID_BYTES) {
        const char *dash = memchr(p + 8, '-', (size_t)(end - p - 8));
        if (dash == NULL || end - (dash - 8) < ID_BYTES) break;
        p = dash - 8;
        if (!is_id(p)) {
            p++;
            continue;
        }
        if (used + ID_BYTES + 2 > LINE_BYTES) break;
        line[used++] = ' ';
        memcpy(line + used, p, ID_BYTES);
        used += ID_BYTES;
        p += ID_BYTES;
    }
    return used;
}

static void put_line(char *line, size_t used) {
    line[used++] = '\n';
    ssize_t ignored = real_write(trace_fd, line, used);
    (void)ignored;
}

static void trace_write(int fd, const void *bytes, size_t length) {
    static _Thread_local char line[LINE_BYTES + 1];
    if (trace_fd < 0) return;
    int kept = errno;
    size_t head = (size_t)snprintf(line, 96, "%llu W %s", (unsigned long long)next_sequence(),
                                   name_of(fd));
    put_line(line, add_ids(line, head, bytes, length));
    errno = kept;
}

static void trace_sync(const char *name, uint64_t began) {
    char line[128];
    if (trace_fd < 0) return;
    int kept = errno;
    int used = snprintf(line, 96, "%llu S %s %llu", (unsigned long long)next_sequence(), name,
                        (unsigned long long)began);
    put_line(line, (size_t)used);
    errno = kept;
}

static void trace_send(int fd, const struct iovec *parts, int n) {
    static _Thread_local char line[LINE_BYTES + 1];
    if (trace_fd < 0 || fd <= 2 || fd == trace_fd || fd >= FD_MAX || n <= 0) return;
    int kept = errno;
    int created = created_unsent[fd], ack = 0;
    for (int i = 0; i < n; i++) {
        created |= memmem(parts[i].iov_base, parts[i].iov_len, "HTTP/1.1 201", 12) != NULL;
        ack |= memmem(parts[i].iov_base, parts[i].iov_len, "\"type\":\"ack\"", 12) != NULL;
    }
    size_t head = (size_t)snprintf(line, 96, "%llu A %s", (unsigned long long)next_sequence(),
                                   created ? "201" : ack ? "ack" : "other");
    size_t used = head;
    for (int i = 0; i < n; i++) used = add_ids(line, used, parts[i].iov_base, parts[i].iov_len);
    created_unsent[fd] = (char)(created && used == head);
    if (used > head) put_line(line, used);
    errno = kept;
}

/* ---- the faults ---- */

/* Whether this write must fail; errno is set then. */
static int refuse_write(int fd) {
    if (control == NULL || !is_ours(fd)) return 0;
    uint32_t error = __atomic_load_n(&control->write_errno, __ATOMIC_SEQ_CST);
    if (error == 0) return 0;
    count(&control->refused_writes);
    errno = (int)error;
    return 1;
}

static int refuse_sync(void) {
    uint32_t stall_ms = __atomic_load_n(&control->sync_stall_ms, __ATOMIC_SEQ_CST);
    if (stall_ms > 0) {
        struct timespec left = {stall_ms / 1000, (long)(stall_ms % 1000) * 1000000L};
        while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
    }
    int32_t failures = __atomic_load_n(&control->sync_failures, __ATOMIC_SEQ_CST);
    while (failures > 0) {
        if (__atomic_compare_exchange_n(&control->sync_failures, &failures, failures - 1, 0,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            count(&control->failed_syncs);
            errno = (int)control->sync_errno;
            return 1;
        }
    }
    return 0;
}

static int sync_file(int fd, int (*real)(int)) {
    if (control == NULL || !is_ours(fd)) return real(fd);
    uint64_t began = next_sequence();
    if (refuse_sync()) return -1;
    int result = real(fd);
    if (result == 0) {
        count(&control->syncs);
        trace_sync(name_of(fd), began);
    }
    return result;
}

/* ---- interposed calls ---- */

static int opened(int fd, const char *path) {
    char full[PATH_MAX];
    if (fd < 0 || fd >= FD_MAX) return fd;
    names[fd][0] = 0;
    created_unsent[fd] = 0;
    if (folder_bytes == 0 || control == NULL) return fd;
    int kept = errno;
    if (realpath(path, full) != NULL && strncmp(full, folder, folder_bytes) == 0 &&
        full[folder_bytes] == '/')
        snprintf(names[fd], NAME_MAX_BYTES, "%.31s", strrchr(full, '/') + 1);
    errno = kept;
    return fd;
}

static int refuse_open(const char *path, int flags) {
    if (control == NULL || (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) == 0) return 0;
    if (__atomic_load_n(&control->write_errno, __ATOMIC_SEQ_CST) != EROFS) return 0;
    if (strncmp(path, folder, folder_bytes) != 0) return 0; /* SQLite opens by absolute path */
    count(&control->refused_writes);
    errno = EROFS;
    return 1;
}

static int open_file(const char *path, int flags, mode_t mode) {
    READY();
    if (refuse_open(path, flags)) return -1;
    return opened(real_open(path, flags, mode), path);
}

static int open_file_at(int at, const char *path, int flags, mode_t mode) {
    READY();
    if (refuse_open(path, flags)) return -1;
    int fd = real_openat(at, path, flags, mode);
    return path[0] == '/' || at == AT_FDCWD ? opened(fd, path) : fd;
}

#define MODE_ARGUMENT(flags, mode)                     \
    mode_t mode = 0;                                   \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {           \
        va_list rest;                                  \
        va_start(rest, flags);                         \
        mode = (mode_t)va_arg(rest, int);              \
        va_end(rest);                                  \
    }

int open(const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_file(path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_file_at(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_file_at(at, path, flags, mode);
}

int close(int fd) {
    READY();
    if (fd >= 0 && fd < FD_MAX) {
        names[fd][0] = 0;
        created_unsent[fd] = 0;
    }
    return real_close(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
    READY();
    if (refuse_write(fd)) return -1;
    ssize_t result = real_pwrite(fd, bytes, length, at);
    if (result > 0 && is_ours(fd)) trace_write(fd, bytes, (size_t)result);
    return result;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return pwrite64(fd, bytes, length, at);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    READY();
    if (refuse_write(fd)) return -1;
    if (!is_ours(fd)) {
        struct iovec part = {(void *)bytes, length};
        trace_send(fd, &part, 1);
        return real_write(fd, bytes, length);
    }
    ssize_t result = real_write(fd, bytes, length);
    if (result > 0) trace_write(fd, bytes, (size_t)result);
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    READY();
    if (refuse_write(fd)) return -1;
    if (!is_ours(fd)) trace_send(fd, parts, n);
    return real_writev(fd, parts, n);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    READY();
    struct iovec part = {(void *)bytes, length};
    trace_send(fd, &part, 1);
    return real_send(fd, bytes, length, flags);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to,
               socklen_t to_length) {
    READY();
    struct iovec part = {(void *)bytes, length};
    trace_send(fd, &part, 1);
    return real_sendto(fd, bytes, length, flags, to, to_length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    READY();
    trace_send(fd, message->msg_iov, (int)message->msg_iovlen);
    return real_sendmsg(fd, message, flags);
}

int ftruncate64(int fd, off_t length) {
    READY();
    /* A full disk refuses to grow a file, never to shrink it. */
    if (control != NULL && is_ours(fd) && length == 0 && control->write_errno == ENOSPC)
        return real_ftruncate(fd, length);
    return refuse_write(fd) ? -1 : real_ftruncate(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off_t at, off_t length) {
    READY();
    return refuse_write(fd) ? -1 : real_fallocate(fd, mode, at, length);
}

int fallocate(int fd, int mode, off_t at, off_t length) {
    return fallocate64(fd, mode, at, length);
}

int posix_fallocate64(int fd, off_t at, off_t length) {
    READY();
    return refuse_write(fd) ? errno : real_posix_fallocate(fd, at, length);
}

int posix_fallocate(int fd, off_t at, off_t length) { return posix_fallocate64(fd, at, length); }

int fsync(int fd) {
    READY();
    return sync_file(fd, real_fsync);
}

int fdatasync(int fd) {
    READY();
    return sync_file(fd, real_fdatasync);
}
