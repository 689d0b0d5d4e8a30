/* The smallest program for an inetd-like server: writes one byte to standard output. */
#include <unistd.h>

int main(void) { return write(1, "x", 1) != 1; }
