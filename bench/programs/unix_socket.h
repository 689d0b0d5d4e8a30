/* Sockets of the programs here. */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static inline struct sockaddr_un unix_address(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  return address;
}

/* A listening socket with a backlog, or -1. flags: as SOCK_NONBLOCK. */
static inline int unix_listener(const char *path, int flags, int backlog) {
  struct sockaddr_un address = unix_address(path);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address)) return -1;
  return listen(listener, backlog) ? -1 : listener;
}
