// The few Linux calls that `import Glibc` does not show. A function here decides nothing and retries nothing: it
// returns the call's result, or -errno.
#ifndef CLINUXIO_H
#define CLINUXIO_H

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

// epoll
int clinuxio_epoll_create(void);
int clinuxio_epoll_add(int epoll, int fd, uint32_t events, uint64_t token);
int clinuxio_epoll_modify(int epoll, int fd, uint32_t events, uint64_t token);
int clinuxio_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_milliseconds);
static inline uint64_t clinuxio_epoll_token(const struct epoll_event *event) { return event->data.u64; }
static inline uint32_t clinuxio_epoll_events(const struct epoll_event *event) { return event->events; }

// eventfd
int clinuxio_eventfd(void);
int clinuxio_eventfd_signal(int fd);
int clinuxio_eventfd_clear(int fd);

// sockets; every descriptor is made non-blocking and close-on-exec
int clinuxio_socket(int family, int type);
int clinuxio_accept(int fd, struct sockaddr_storage *address, socklen_t *length);
ssize_t clinuxio_receive(int fd, void *bytes, size_t count);
ssize_t clinuxio_send(int fd, const void *bytes, size_t count, int more);
ssize_t clinuxio_writev(int fd, const struct iovec *vectors, int count, int more);
int clinuxio_set_option(int fd, int level, int name, int value);
/// Names the congestion control of a connection to be, or of those that a listener will accept (tcp(7)).
int clinuxio_set_congestion_control(int fd, const char *name);
/// New connections of the SO_REUSEPORT group go to its listener with this index; to all, if there is none.
int clinuxio_steer(int fd, uint32_t index);
int clinuxio_unsteer(int fd);

// pipes and splice
int clinuxio_pipe(int descriptors[2]);
int clinuxio_set_pipe_size(int fd, int bytes);
ssize_t clinuxio_splice(int from, int to, size_t count, int more);
ssize_t clinuxio_sendfile(int to, int from, int64_t *offset, size_t count);

// threads and processes
/// Names a thread for `ps -L`; longer than 15 bytes fails.
int clinuxio_name_thread(pthread_t thread, const char *name);
/// Starts `path` with a new session and a new pseudo-terminal as its controlling terminal; stores the master's
/// descriptor (non-blocking, close-on-exec). Returns the child's pid.
int clinuxio_spawn_terminal(const char *path, char *const arguments[], char *const environment[],
                            const char *directory, unsigned short rows, unsigned short columns, int *master);
int clinuxio_resize_terminal(int master, unsigned short rows, unsigned short columns);

#endif
