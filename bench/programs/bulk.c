/* Bytes through a Unix socket.
   "bulk sink PATH" reads each connection to its end and answers with the number of bytes.
   "bulk send PATH BYTES STREAMS" opens STREAMS connections at once, sends BYTES bytes on each,
   half-closes, waits for the answers, and prints "bytes seconds". */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unix_socket.h"

static char buffer[256 * 1024];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void serve(int fd) {
  unsigned long long total = 0;
  ssize_t count;
  while ((count = read(fd, buffer, sizeof buffer)) > 0) total += count;
  char answer[32];
  int length = snprintf(answer, sizeof answer, "%llu", total);
  if (write(fd, answer, length) != length) exit(1);
}

static int send_all(const char *path, struct sockaddr_un *address, unsigned long long bytes) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)address, sizeof *address)) { perror(path); return 1; }
  unsigned long long left = bytes;
  while (left > 0) {
    ssize_t count = write(fd, buffer, left < sizeof buffer ? left : sizeof buffer);
    if (count <= 0) { perror("write"); return 1; }
    left -= count;
  }
  shutdown(fd, SHUT_WR);
  char answer[32] = "";
  ssize_t have = 0, count;
  while ((count = read(fd, answer + have, sizeof answer - 1 - have)) > 0) have += count;
  return strtoull(answer, NULL, 10) == bytes ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  if (!strcmp(argv[1], "sink")) {
    int listener = unix_listener(argv[2], 0, 64);
    if (listener < 0) return 1;
    puts("ready");
    fflush(stdout);
    for (;;) {
      int fd = accept(listener, NULL, NULL);
      while (waitpid(-1, NULL, WNOHANG) > 0) {}
      if (fork() == 0) { serve(fd); _exit(0); }
      close(fd);
    }
  }
  if (argc != 5) return 64;
  struct sockaddr_un address = unix_address(argv[2]);
  unsigned long long bytes = strtoull(argv[3], NULL, 10);
  int streams = atoi(argv[4]), failures = 0;
  double start = now();
  for (int i = 0; i < streams; i++)
    if (fork() == 0) _exit(send_all(argv[2], &address, bytes));
  for (int i = 0; i < streams; i++) {
    int status;
    wait(&status);
    failures += status != 0;
  }
  if (failures) { fprintf(stderr, "%d streams failed\n", failures); return 1; }
  printf("%llu %f\n", bytes * streams, now() - start);
  return 0;
}
