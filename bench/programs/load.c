/* "load PATH SECONDS IN_FLIGHT": a client that connects to a Unix socket, reads at least one byte
   and closes, for that time, with IN_FLIGHT connections open at once.
   Prints "connections seconds failures p50_us p99_us". */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "unix_socket.h"

/* More connections than one measurement has. */
#define MAX_COUNT 4000000

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static struct sockaddr_un address;

static int connect_unix(void) {
  for (;;) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) { perror("socket"); exit(1); }
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    /* EAGAIN: the backlog is full. Retry after 50 microseconds. */
    if (errno != EAGAIN) { perror("connect"); exit(1); }
    close(fd);
    usleep(50);
  }
}

static int compare(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  address = unix_address(argv[1]);
  double limit = atof(argv[2]);
  int in_flight = atoi(argv[3]), started = 0, done = 0, failures = 0;
  /* The kernel provides the pages that are used. */
  float *times = malloc(sizeof *times * MAX_COUNT);
  double *begun = calloc(65536, sizeof *begun);
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  char buffer[4096];
  double start = now(), at = start;
  while (at - start < limit || done < started) {
    while (at - start < limit && started - done < in_flight && started < MAX_COUNT) {
      at = now();
      int fd = connect_unix();
      begun[fd] = at;
      struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
      started++;
    }
    if (started == MAX_COUNT) limit = 0;
    struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, 10000);
    if (ready <= 0) { fprintf(stderr, "stalled\n"); return 1; }
    at = now();
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (read(fd, buffer, sizeof buffer) <= 0) failures++;
      times[done++] = (now() - begun[fd]) * 1e6;
      close(fd);
    }
  }
  double seconds = now() - start;
  qsort(times, done, sizeof *times, compare);
  printf("%d %f %d %.1f %.1f\n", done, seconds, failures, times[done / 2], times[done * 99L / 100]);
  return 0;
}
