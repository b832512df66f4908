#include "CLinuxIO.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <termios.h>

#define RESULT(call)                \
    __auto_type result = (call);    \
    return result < 0 ? -errno : result

int clinuxio_epoll_create(void) { RESULT(epoll_create1(EPOLL_CLOEXEC)); }

int clinuxio_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    RESULT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

int clinuxio_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    RESULT(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event));
}

int clinuxio_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_milliseconds) {
    RESULT(epoll_wait(epoll, events, count, timeout_milliseconds));
}

int clinuxio_eventfd(void) { RESULT(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
int clinuxio_eventfd_signal(int fd) { RESULT(eventfd_write(fd, 1)); }
int clinuxio_eventfd_clear(int fd) {
    eventfd_t value;
    RESULT(eventfd_read(fd, &value));
}

int clinuxio_socket(int family, int type) { RESULT(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }
int clinuxio_accept(int fd, struct sockaddr_storage *address, socklen_t *length) {
    RESULT(accept4(fd, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}
// Not by recv(3) and send(3): those are cancellation points, which costs two locked instructions a call in a process with
// threads, and nobody cancels a thread here.
ssize_t clinuxio_receive(int fd, void *bytes, size_t count) {
    RESULT(syscall(SYS_recvfrom, fd, bytes, count, 0, NULL, NULL));
}
ssize_t clinuxio_send(int fd, const void *bytes, size_t count, int more) {
    RESULT(syscall(SYS_sendto, fd, bytes, count, MSG_NOSIGNAL | (more ? MSG_MORE : 0), NULL, 0));
}
ssize_t clinuxio_writev(int fd, const struct iovec *vectors, int count, int more) {
    struct msghdr message = {.msg_iov = (struct iovec *)vectors, .msg_iovlen = (size_t)count};
    RESULT(sendmsg(fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
}
int clinuxio_set_option(int fd, int level, int name, int value) {
    RESULT(setsockopt(fd, level, name, &value, sizeof value));
}

int clinuxio_set_congestion_control(int fd, const char *name) {
    RESULT(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)));
}

int clinuxio_steer(int fd, uint32_t index) {
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, index)};
    struct sock_fprog program = {.len = 1, .filter = code};
    RESULT(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program));
}
int clinuxio_unsteer(int fd) {
    int unused = 0;
    RESULT(setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &unused, sizeof unused));
}

int clinuxio_pipe(int descriptors[2]) { RESULT(pipe2(descriptors, O_NONBLOCK | O_CLOEXEC)); }
int clinuxio_set_pipe_size(int fd, int bytes) { RESULT(fcntl(fd, F_SETPIPE_SZ, bytes)); }
ssize_t clinuxio_splice(int from, int to, size_t count, int more) {
    RESULT(splice(from, NULL, to, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0)));
}
ssize_t clinuxio_sendfile(int to, int from, int64_t *offset, size_t count) {
    off_t position = (off_t)*offset;
    ssize_t moved = sendfile(to, from, &position, count);
    *offset = position;
    return moved < 0 ? -errno : moved;
}

int clinuxio_name_thread(pthread_t thread, const char *name) { return -pthread_setname_np(thread, name); }

int clinuxio_spawn_terminal(const char *path, char *const arguments[], char *const environment[],
                            const char *directory, unsigned short rows, unsigned short columns, int *master) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    pid_t child = forkpty(master, NULL, NULL, &size);
    if (child < 0) return -errno;
    if (child == 0) {
        // Only async-signal-safe calls from here on: another thread may hold any lock.
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (directory && chdir(directory) != 0) _exit(126);
        close_range(3, ~0U, 0);
        execve(path, arguments, environment);
        _exit(127);
    }
    fcntl(*master, F_SETFL, fcntl(*master, F_GETFL) | O_NONBLOCK);
    fcntl(*master, F_SETFD, FD_CLOEXEC);
    return child;
}

int clinuxio_resize_terminal(int master, unsigned short rows, unsigned short columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    RESULT(ioctl(master, TIOCSWINSZ, &size));
}
