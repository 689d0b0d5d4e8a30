/* "sessions PATH COUNT UID": opens COUNT connections to a Unix socket as that uid, reads a byte on
   each, and prints "open". When the other side has closed the last one, it prints "closed". Where
   its standard input ends first, it ends too. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_socket.h"

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  struct sockaddr_un address = unix_address(argv[1]);
  int count = atoi(argv[2]), uid = atoi(argv[3]);
  if (uid != (int)getuid() && (setgroups(0, NULL) || setgid(uid) || setuid(uid))) {
    perror("setuid");
    return 1;
  }
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN | EPOLLHUP, .data.fd = 0};
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
  char byte;
  for (int i = 0; i < count; i++) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) {
      perror(argv[1]);
      return 1;
    }
    if (read(fd, &byte, 1) != 1) { fprintf(stderr, "connection %d was refused\n", i); return 1; }
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  puts("open");
  fflush(stdout);
  while (count > 0) {
    struct epoll_event events[256];
    int ready = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd == 0) return 0;
      if (read(events[i].data.fd, &byte, 1) <= 0) {
        close(events[i].data.fd);
        count--;
      }
    }
  }
  puts("closed");
  return 0;
}
