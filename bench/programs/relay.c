/* "relay PATH BACKEND": the least that a forward can do. One thread accepts on a Unix socket,
   connects to another one, and copies bytes in both directions; it authorizes and logs nothing.
   Writes block: the backends and clients of the benchmark always read. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_socket.h"

/* One direction's source. The other one is its destination. */
struct end {
  int fd, ended;
  struct end *other;
};

struct pair {
  struct end ends[2];
  struct pair *next;
};

static char buffer[256 * 1024];
/* Pairs that were closed in this batch of events. They are freed behind it. */
static struct pair *closed;

static void close_pair(struct end *end) {
  struct pair *pair = (struct pair *)(end < end->other ? end : end->other);
  for (int i = 0; i < 2; i++) {
    close(pair->ends[i].fd);
    pair->ends[i].fd = -1;
  }
  pair->next = closed;
  closed = pair;
}

/* Returns 0 where the pair is to be closed. */
static int copy(struct end *from, int *is_empty) {
  ssize_t count = recv(from->fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (count < 0) return *is_empty = errno == EAGAIN;
  if (count == 0) {
    from->ended = 1;
    shutdown(from->other->fd, SHUT_WR);
    return !from->other->ended;
  }
  for (ssize_t at = 0, sent; at < count; at += sent)
    if ((sent = send(from->other->fd, buffer + at, count - at, MSG_NOSIGNAL)) <= 0) return 0;
  return 1;
}

static void accept_pair(int epoll, int listener, struct sockaddr_un *backend) {
  int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (client < 0) return;
  int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(server, (struct sockaddr *)backend, sizeof *backend)) { perror("connect"); exit(1); }
  struct pair *pair = calloc(1, sizeof *pair);
  for (int i = 0; i < 2; i++) {
    pair->ends[i].fd = i ? server : client;
    pair->ends[i].other = &pair->ends[!i];
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &pair->ends[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, pair->ends[i].fd, &event);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_un backend = unix_address(argv[2]);
  int listener = unix_listener(argv[1], SOCK_NONBLOCK, 4096);
  if (listener < 0) return 1;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      struct end *end = events[i].data.ptr;
      if (end == NULL) {
        accept_pair(epoll, listener, &backend);
        continue;
      }
      /* An edge is reported once: read until nothing is left. */
      for (int is_empty = 0; end->fd >= 0 && !end->ended && !is_empty;)
        if (!copy(end, &is_empty)) close_pair(end);
    }
    while (closed) {
      struct pair *pair = closed;
      closed = pair->next;
      free(pair);
    }
  }
}
