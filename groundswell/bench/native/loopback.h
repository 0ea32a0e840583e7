/* Connections to a server on this machine, from as many source addresses as are needed. */
#ifndef GROUNDSWELL_LOOPBACK_H
#define GROUNDSWELL_LOOPBACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "options.h"

/* A source address has about 28,000 ports, and those just used rest in TIME_WAIT for a minute. */
#define FIRST_SOURCE 0x7f000002u /* 127.0.0.2 */

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* Starts a non-blocking connection to 127.0.0.1:port from 127.0.0.(2 + source). Its receive buffer
 * has `receive_bytes`, before the kernel bounds it; 0: the kernel's own, which grows. */
static inline int connect_loopback(int port, unsigned source, int receive_bytes)
{
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(FIRST_SOURCE + source)};
    /* The port is chosen at connect, where it must be free for this destination only. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
        die("bind: %s", strerror(errno));
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    return fd;
}

static inline void watch(int epoll, int fd, uint32_t events, uint64_t name)
{
    struct epoll_event event = {.events = events, .data.u64 = name};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

/* Raises the soft limit of open files to the hard one, and says whether `count` fit. */
static inline void need_files(double count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (count + 16 > (double)limit.rlim_max)
        die("%.0f connections need more open files than the limit of %lu", count,
            (unsigned long)limit.rlim_max);
}

#endif
