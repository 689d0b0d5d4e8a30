/* "spawn_accept PATH PROGRAM": the least that an inetd-like server can do: accept, SO_PEERCRED, and
   a program with the connection as its standard input and output. */
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  /* The kernel reaps the children. */
  signal(SIGCHLD, SIG_IGN);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address)) return 1;
  if (listen(listener, 4096)) return 1;
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
