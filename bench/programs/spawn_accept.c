/* "spawn_accept PATH PROGRAM": the least that an inetd-like server can do: accept, SO_PEERCRED, and
   a program with the connection as its standard input and output. */
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unix_socket.h"

extern char **environ;

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  /* The kernel reaps the children. */
  signal(SIGCHLD, SIG_IGN);
  int listener = unix_listener(argv[1], 0, 4096);
  if (listener < 0) return 1;
  puts("ready");
  fflush(stdout);
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) continue;
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == 0) {
      posix_spawn_file_actions_t actions;
      posix_spawn_file_actions_init(&actions);
      posix_spawn_file_actions_adddup2(&actions, fd, 0);
      posix_spawn_file_actions_adddup2(&actions, fd, 1);
      posix_spawn(NULL, argv[2], &actions, NULL, argv + 2, environ);
      posix_spawn_file_actions_destroy(&actions);
    }
    close(fd);
  }
}
