// A kernel that is less obliging, for programs started with this preloaded. What it does is set by the environment:
//
//   SHIM_SPLICE=refuse      splice(2) is EINVAL
//   SHIM_SPLICE=late        splice(2) is EINVAL now and then, also for pipes that hold bytes
//   SHIM_SPLICE=short       splice(2) moves fewer bytes than asked for, often one
//   SHIM_SPLICE=interrupt   splice(2), recv(2) and send(2) are EINTR now and then, and a splice into a pipe that holds
//                           bytes is EAGAIN
//   SHIM_PIPES=eperm|small  pipes keep 8 KiB: F_SETPIPE_SZ is EPERM, or says 8192
//   SHIM_PIPES=none         pipe2(2) is EMFILE
//   SHIM_CONNECT=ERRNO      connect(2) fails so, for ports that SHIM_PORT names
//   SHIM_ACCEPT=FILE        accept4(2) is ENFILE while FILE exists
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static int splice_is(const char *mode) {
    static const char *chosen;
    if (!chosen) chosen = setting("SHIM_SPLICE");
    return strcmp(chosen, mode) == 0;
}

// xorshift, one walk per thread: the same calls meet the same fate.
static uint32_t random_number(void) {
    static __thread uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static size_t shortened(size_t count) {
    if (!splice_is("short") || count < 2) return count;
    uint32_t number = random_number();
    // One byte, a few, or anything; always one would take for ever.
    size_t most = number % 4 == 0 ? 1 : number % 4 == 1 ? 7 + number % 1000 : 4096 + number % 100000;
    return count < most ? count : most;
}

static int interrupted(void) { return splice_is("interrupt") && random_number() % 3 == 0; }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(code) return errno = (code), -1

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t count, unsigned flags) {
    static __typeof__(&splice) real;
    if (!real) real = REAL(splice);
    if (splice_is("refuse")) FAIL(EINVAL);
    if (splice_is("late") && random_number() % 4 == 0) FAIL(EINVAL);
    if (interrupted()) FAIL(EINTR);
    int held = 0;
    if (interrupted() && ioctl(to, FIONREAD, &held) == 0 && held > 0 && fcntl(to, F_GETPIPE_SZ) > 0) FAIL(EAGAIN);
    return real(from, from_offset, to, to_offset, shortened(count), flags);
}

// The router receives and sends by this.
long syscall(long number, ...) {
    static __typeof__(&syscall) real;
    if (!real) real = REAL(syscall);
    if ((number == SYS_recvfrom || number == SYS_sendto) && interrupted()) FAIL(EINTR);
    va_list list;
    va_start(list, number);
    long a[6];
    for (int index = 0; index < 6; index++) a[index] = va_arg(list, long);
    va_end(list);
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    static __typeof__(&sendmsg) real;
    if (!real) real = REAL(sendmsg);
    if (interrupted()) FAIL(EINTR);
    return real(fd, message, flags);
}

int pipe2(int ends[2], int flags) {
    static __typeof__(&pipe2) real;
    if (!real) real = REAL(pipe2);
    if (strcmp(setting("SHIM_PIPES"), "none") == 0 && flags & O_NONBLOCK) FAIL(EMFILE);
    return real(ends, flags);
}

static int control(int fd, int command, long argument) {
    static __typeof__(&fcntl) real;
    if (!real) real = REAL(fcntl);
    if (command == F_SETPIPE_SZ) {
        if (strcmp(setting("SHIM_PIPES"), "eperm") == 0) FAIL(EPERM);
        if (strcmp(setting("SHIM_PIPES"), "small") == 0) return real(fd, command, 8192L);
    }
    return real(fd, command, argument);
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    return control(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    return control(fd, command, argument);
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    static __typeof__(&connect) real;
    if (!real) real = REAL(connect);
    int port = address->sa_family == AF_INET    ? ntohs(((const struct sockaddr_in *)address)->sin_port)
               : address->sa_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)address)->sin6_port)
                                                : 0;
    int code = atoi(setting("SHIM_CONNECT"));
    if (code && port == atoi(setting("SHIM_PORT"))) FAIL(code);
    return real(fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    static __typeof__(&accept4) real;
    if (!real) real = REAL(accept4);
    const char *file = setting("SHIM_ACCEPT");
    if (*file && access(file, F_OK) == 0) FAIL(ENFILE);
    return real(fd, address, length, flags);
}
