/* Prints what a process was started with: each string as LENGTH:BYTES, one a line. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

extern char **environ;

static void print(const char *text) {
  printf("%zu:", strlen(text));
  fwrite(text, 1, strlen(text), stdout);
  putchar('\n');
}

int main(int argc, char **argv, char **envp) {
  printf("arguments %d\n", argc);
  for (int i = 0; i < argc; i++) print(argv[i]);
  int count = 0;
  while (envp[count]) count++;
  printf("variables %d\n", count);
  for (int i = 0; i < count; i++) print(envp[i]);
  /* The C library's own view, the end of argv, and the auxiliary vector (getauxval(3)). */
  int library = environ == envp && argv[argc] == NULL;
  int auxiliary = getauxval(AT_PAGESZ) >= 4096 && getauxval(AT_RANDOM) != 0 &&
                  getauxval(AT_PHNUM) > 0;
  printf("library %d auxiliary %d aligned %d\n", library, auxiliary,
         (uintptr_t)__builtin_frame_address(0) % 16 == 0);
  return 0;
}
