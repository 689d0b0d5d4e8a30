/* The smallest service of an inetd-like server: one byte to standard output. */
#include <unistd.h>

int main(void) { return write(1, "x", 1) != 1; }
