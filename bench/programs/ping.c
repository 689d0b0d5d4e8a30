/* "ping PATH": opens one connection to an echo server that begins with a byte, prints "ready", and
   sends a byte and waits for it again and again, 200 microseconds apart. Each line on standard
   input is answered with the longest wait since the last one, in seconds. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "unix_socket.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 2) return 64;
  struct sockaddr_un address = unix_address(argv[1]);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  char byte, line[64];
  if (connect(fd, (struct sockaddr *)&address, sizeof address) || read(fd, &byte, 1) != 1) {
    perror(argv[1]);
    return 1;
  }
  puts("ready");
  fflush(stdout);
  double longest = 0;
  for (;;) {
    double start = now();
    if (write(fd, "x", 1) != 1 || read(fd, &byte, 1) != 1) return 1;
    double wait = now() - start;
    if (wait > longest) longest = wait;
    struct pollfd input = {.fd = 0, .events = POLLIN};
    if (poll(&input, 1, 0) > 0) {
      if (read(0, line, sizeof line) <= 0) return 0;
      printf("%f\n", longest);
      fflush(stdout);
      longest = 0;
    }
    usleep(200);
  }
}
