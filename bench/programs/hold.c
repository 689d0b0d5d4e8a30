/* "hold PATH": a backend that writes one byte to each connection, sends back what it gets, and
   closes where the client does. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_socket.h"

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  signal(SIGPIPE, SIG_IGN);
  int listener = unix_listener(argv[1], 0, 4096);
  if (listener < 0) return 1;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      char buffer[4096] = "x";
      ssize_t count = 1;
      if (fd == listener) {
        event.data.fd = fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
      } else count = read(fd, buffer, sizeof buffer);
      if (count <= 0 || write(fd, buffer, count) != count) close(fd);
    }
  }
}
