/*
 * Starts a program many times, with the arguments and the environments that standard input holds:
 * launch PROGRAM. A start is 4 bytes with the number of arguments, 4 with that of the variables,
 * both little-endian, and then the strings, each ended by a zero byte. Between two starts, and at
 * the end, it prints "status N".
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char *read_string(void) {
  char *text = NULL;
  size_t size = 0;
  if (getdelim(&text, &size, 0, stdin) < 0) exit(2);
  return text;
}

static char **read_strings(uint32_t count) {
  char **strings = calloc(count + 1, sizeof *strings);
  for (uint32_t i = 0; i < count; i++) strings[i] = read_string();
  return strings;
}

int main(int argc, char **argv) {
  uint32_t counts[2];
  if (argc != 2) return 2;
  while (fread(counts, sizeof counts, 1, stdin) == 1) {
    char **arguments = read_strings(counts[0]);
    char **variables = read_strings(counts[1]);
    pid_t child = fork();
    if (child == 0) {
      execve(argv[1], arguments, variables);
      _exit(errno == E2BIG ? 3 : 4);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    printf("status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    fflush(stdout);
    for (uint32_t i = 0; i < counts[0]; i++) free(arguments[i]);
    for (uint32_t i = 0; i < counts[1]; i++) free(variables[i]);
    free(arguments);
    free(variables);
  }
  return 0;
}
