/*
 * The first code of an ipcauth executable. The kernel and ld.so(8) have loaded the JavaScript
 * runtime and its libraries; then ld.so jumps here instead of to the runtime. The stub gives the
 * runtime its arguments and an environment in which no variable of the caller configures it, and
 * jumps to the runtime's own entry. It uses no library, writes no file, and has no state.
 *
 *   before   argv  ipcauth ARG...
 *            envp  caller's variables
 *   after    argv  ipcauth run FLAG... data:... SCRIPT... ARG...
 *            envp  caller's variables, those that the runtime obeys with a prefix; settings
 *
 * docs/executable.md explains each step. The layout of `struct config` is written by
 * stub_config.ts.
 */

typedef unsigned long u64;
typedef long i64;

/* All fields but `needs_…` and `count` are offsets from the address of `config`. A list is a
 * sequence of strings, each ended by a zero byte, and ends with an empty string. */
struct payload {
  i64 word;          /* string: the first argument that selects it; empty for the first payload */
  i64 needs_operand; /* 1: only where the second argument does not begin with "-" */
  i64 needs_proc;    /* 1: the runtime would panic without /proc */
  i64 argv;          /* list: the runtime's arguments before the scripts */
  i64 scripts;       /* array: offsets of strings, and zero; the arguments before the caller's */
};
struct config {
  i64 entry;   /* the runtime's own entry point */
  i64 environ; /* the slot of the global offset table that holds the address of `environ` */
  i64 hidden;  /* list: names of the variables that get the prefix */
  i64 settings; /* list: NAME=VALUE, added to the environment */
  i64 valued; /* list: the flags before a command that take a value as an argument of its own */
  i64 count;   /* number of payloads */
  struct payload payloads[]; /* the first one is for all other arguments */
};
extern const struct config config __attribute__((visibility("hidden")));

#define TEXT(offset) ((const char *)&config + (offset))
#define OFFSETS(offset) ((const i64 *)TEXT(offset))
#define PREFIX "IPCAUTH_KEEP_"
#define LIST "IPCAUTH_KEEP"
#define FILE_LIMIT "IPCAUTH_FILE_LIMIT"

/*
 * The entry. The stack pointer is the address of argc (System V ABI, "Process Initialization"). It
 * moves down by what measure() returns, prepare() fills the memory in between, and the runtime
 * starts with it. The register with a function of ld.so (x64: rdx, arm64: x0) keeps its value.
 */
#if defined(__x86_64__)

__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rdx, %r12\n"
        "  mov %rsp, %rbx\n"
        "  mov %rsp, %rdi\n"
        "  call measure\n"
        "  sub %rax, %rsp\n"
        "  mov %rbx, %rdi\n"
        "  mov %rsp, %rsi\n"
        "  call prepare\n"
        "  mov %r12, %rdx\n"
        "  lea config(%rip), %rax\n"
        "  add (%rax), %rax\n"
        "  jmp *%rax\n"
        ".text\n");

enum { SYS_WRITE = 1, SYS_MMAP = 9, SYS_RT_SIGPROCMASK = 14, SYS_CLONE = 56, SYS_WAIT4 = 61,
       SYS_GETCWD = 79, SYS_EXIT_GROUP = 231, SYS_FACCESSAT = 269, SYS_PRLIMIT64 = 302 };

/* Inline, because a process that shares its stack with another must not return (start_process). */
__attribute__((always_inline)) static inline i64 call(i64 number, i64 a, i64 b, i64 c, i64 d,
                                                      i64 e, i64 f) {
  register i64 r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  i64 result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

__asm__(".section .text.start,\"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        "  mov x29, #0\n"
        "  mov x30, #0\n"
        "  mov x20, x0\n"
        "  mov x19, sp\n"
        "  mov x0, sp\n"
        "  bl measure\n"
        "  sub sp, x19, x0\n"
        "  mov x0, x19\n"
        "  mov x1, sp\n"
        "  bl prepare\n"
        "  mov x0, x20\n"
        "  adrp x1, config\n"
        "  add x1, x1, :lo12:config\n"
        "  ldr x2, [x1]\n"
        "  add x1, x1, x2\n"
        "  br x1\n"
        ".text\n");

enum { SYS_GETCWD = 17, SYS_FACCESSAT = 48, SYS_WRITE = 64, SYS_EXIT_GROUP = 94,
       SYS_RT_SIGPROCMASK = 135, SYS_CLONE = 220, SYS_MMAP = 222, SYS_WAIT4 = 260,
       SYS_PRLIMIT64 = 261 };

/* Inline, because a process that shares its stack with another must not return (start_process). */
__attribute__((always_inline)) static inline i64 call(i64 number, i64 a, i64 b, i64 c, i64 d,
                                                      i64 e, i64 f) {
  register i64 x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
               x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e,
               x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

#else
#error "there are builds for x64 and arm64"
#endif

/* Exit codes of ipcauth: an error of the system, and the same where `run-as` was asked for. */
enum { EXIT_SYSTEM = 71, EXIT_RUN_AS = 125 };
enum { ENOENT = 2, EINTR = 4, EAGAIN = 11, AT_FDCWD = -100 };
enum { RLIMIT_STACK = 3, RLIMIT_NOFILE = 7, RLIMIT_AS = 9 };
enum { SIGHUP = 1, SIGUSR1 = 10, SIG_BLOCK = 0, SIG_SETMASK = 2 };
/* The fewest files that a server opens, rounded up (launcher.ts). */
enum { MIN_DESCRIPTORS = 64 };
/* Bytes. V8 takes 984 KiB of the stack before it reports an overflow; the runtime's own code takes
 * 450. V8 reserves 32 GiB of addresses at a multiple of 32 GiB, for which it takes twice as
 * much where the first place does not fit; the threads and libraries need some more. */
#define MIN_STACK (2048UL << 10)
#define MIN_ADDRESSES (66UL << 30)
/* The most threads that the runtime and a server start before the first event: four of V8's, where
 * there are as many processors, two for calls that block, one for signals, the data plane. */
enum { THREADS = 8 };
/* Flags of clone(2) and wait4(2). */
enum { CLONE_VM = 0x100, CLONE_VFORK = 0x4000, WAIT_ALL = 0x40000000 };
/* Keys of the auxiliary vector: getauxval(3). */
enum { AT_UID = 11, AT_EUID = 12, AT_GID = 13, AT_EGID = 14 };
enum { PROT_READ = 1, PROT_WRITE = 2, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, PATH_MAX = 4096 };

static u64 length(const char *text) {
  u64 count = 0;
  while (text[count]) count++;
  return count;
}

static int equal(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* Whether an environment string has this name. */
static int is_named(const char *variable, const char *name) {
  while (*name && *name == *variable) name++, variable++;
  return !*name && *variable == '=';
}

static int begins_with(const char *text, const char *prefix) {
  while (*prefix)
    if (*prefix++ != *text++) return 0;
  return 1;
}

static int is_in(const char *list, const char *variable) {
  for (; *list; list += length(list) + 1)
    if (is_named(variable, list)) return 1;
  return 0;
}

/* The number of strings in a list. */
static u64 count_of(const char *list) {
  u64 count = 0;
  for (; *list; list += length(list) + 1) count++;
  return count;
}

static char *append(char *end, const char *text) {
  while (*text) *end++ = *text++;
  return end;
}

/* Appends the strings of a list to an array of pointers. @returns The end of the array. */
static u64 *append_list(u64 *end, const char *list) {
  for (; *list; list += length(list) + 1) *end++ = (u64)list;
  return end;
}

/* Whether the arguments are those of a command, after the flags that every command has. */
static int is_command(u64 argc, char **argv, const char *command) {
  for (u64 i = 1; i < argc; i++) {
    if (argv[i][0] != '-') return equal(argv[i], command);
    const char *flag = TEXT(config.valued);
    while (*flag && !equal(argv[i], flag)) flag += length(flag) + 1;
    if (*flag) i++;
  }
  return 0;
}

/* Ends the process with two lines on standard error. */
static void fail(u64 argc, char **argv, const char *message) {
  call(SYS_WRITE, 2, (i64)message, (i64)length(message), 0, 0, 0);
  call(SYS_EXIT_GROUP, is_command(argc, argv, "run-as") ? EXIT_RUN_AS : EXIT_SYSTEM, 0, 0, 0, 0, 0);
}

/* The runtime would end with a stack trace where the current directory was removed (ENOENT), or is
 * outside the root of the process ("(unreachable)..."; getcwd(2)). */
static void check_directory(u64 argc, char **argv) {
  char path[PATH_MAX];
  const i64 result = call(SYS_GETCWD, (i64)path, PATH_MAX, 0, 0, 0, 0);
  if (result == -ENOENT || (result > 0 && path[0] != '/'))
    fail(argc, argv, "ipcauth: error: The current directory is gone\nhint: cd /\n");
}

/* What the kernel put on the stack. */
struct start {
  u64 argc;
  char **argv;
  char **envp;
  u64 variables;       /* number of strings in envp */
  const u64 *auxiliary; /* getauxval(3), which is behind envp */
};

static struct start read_start(const u64 *stack) {
  struct start start = {.argc = stack[0], .argv = (char **)(stack + 1)};
  start.envp = start.argv + start.argc + 1;
  while (start.envp[start.variables]) start.variables++;
  start.auxiliary = (const u64 *)(start.envp + start.variables + 1);
  return start;
}

/* Appends a number in decimal, of at most 20 digits. */
static char *append_number(char *end, u64 number) {
  char digits[20];
  u64 count = 0;
  do digits[count++] = '0' + number % 10;
  while (number /= 10);
  while (count) *end++ = digits[--count];
  return end;
}

/* A limit of the process, the least that the runtime needs, and the error for less. */
struct limit {
  i64 resource;       /* getrlimit(2) */
  int is_hard;        /* 1: the hard limit counts, because the runtime raises the soft one to it */
  u64 least;
  u64 unit;           /* what the error counts in */
  const char *before; /* of the error, before the number and behind it */
  const char *behind;
};

static void check_limit(u64 argc, char **argv, struct limit limit) {
  u64 limits[2]; /* soft, hard */
  if (call(SYS_PRLIMIT64, 0, limit.resource, 0, (i64)limits, 0, 0) < 0 ||
      limits[limit.is_hard] >= limit.least)
    return;
  char message[200];
  char *end = append(message, limit.before);
  *append(append_number(end, limits[limit.is_hard] / limit.unit), limit.behind) = 0;
  fail(argc, argv, message);
}

/* The runtime would panic, abort, or end without a word. */
static void check_system(u64 argc, char **argv, const struct payload *payload) {
  if (payload->needs_proc && call(SYS_FACCESSAT, AT_FDCWD, (i64) "/proc/self/fd", 0, 0, 0, 0) < 0)
    fail(argc, argv,
         "ipcauth: error: There is no /proc, and the program cannot run without it\n"
         "hint: mount -t proc proc /proc\n");
  check_limit(argc, argv,
              (struct limit){RLIMIT_NOFILE, 1, MIN_DESCRIPTORS, 1,
                             "ipcauth: error: A process may open too few files here: ",
                             ", and 64 are needed\nhint: ulimit -n 1024\n"});
  check_limit(argc, argv,
              (struct limit){RLIMIT_STACK, 0, MIN_STACK, 1024,
                             "ipcauth: error: The stack of a process is too small here: ",
                             " KiB, and 2048 are needed\nhint: ulimit -s 8192\n"});
  check_limit(argc, argv,
              (struct limit){RLIMIT_AS, 0, MIN_ADDRESSES, 1024,
                             "ipcauth: error: A process may have too few addresses here: ",
                             " KiB, and 69206016 are needed\nhint: ulimit -v unlimited\n"});
}

static i64 start_process(u64 more);

/* Is the process that start_process() has started, and ends it. */
__attribute__((noinline, noreturn)) static void nested_process(u64 more) {
  const i64 code = more ? start_process(more - 1) : 0;
  for (;;) call(SYS_EXIT_GROUP, code, 0, 0, 0, 0, 0);
}

/*
 * Starts a process, which starts a process, and so on, and waits for its end. Like that of vfork(2)
 * it uses this stack, while its parent waits. It sends no signal at its end, so that it can be
 * waited for also where SIGCHLD is ignored.
 *
 * @param more The number of the others.
 * @returns 1 where one could not be started because of a limit, otherwise 0.
 */
__attribute__((noinline)) static i64 start_process(u64 more) {
  const i64 pid = call(SYS_CLONE, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0, 0);
  if (pid == 0) nested_process(more);
  if (pid < 0) return pid == -EAGAIN; /* for another error, the runtime may find another way */
  int status = 0;
  while (call(SYS_WAIT4, pid, (i64)&status, WAIT_ALL, 0, 0, 0) == -EINTR) {}
  return status >> 8 & 0xff;
}

/* Changes which signals are blocked. @returns Those that were blocked before. */
static u64 change_blocked(i64 how, u64 signals) {
  u64 before = 0;
  call(SYS_RT_SIGPROCMASK, how, (i64)&signals, (i64)&before, sizeof signals, 0, 0);
  return before;
}

/* The limit of processes (ulimit -u) counts all threads of a user, that of a cgroup (pids.max) all
 * of a container. How many there are is not said by any call, so they are started.
 *
 * No signal reaches them: one that the suspend key of a terminal stopped would never let its parent
 * go on, which waits in clone(2) and does not stop there, so that a shell would wait for ever. */
static void check_threads(u64 argc, char **argv) {
  const u64 blocked = change_blocked(SIG_SETMASK, ~0UL);
  const i64 is_limited = start_process(THREADS - 1);
  change_blocked(SIG_SETMASK, blocked);
  if (is_limited)
    fail(argc, argv,
         "ipcauth: error: Too few threads may be started here, and 8 are needed\n"
         "hint: ulimit -u unlimited, or a higher limit of processes for the container\n");
}

/* Looks a key up in the auxiliary vector. @returns 0 where it is missing. */
static u64 auxiliary(const struct start *start, u64 key) {
  const u64 *entry = start->auxiliary;
  while (*entry && *entry != key) entry += 2;
  return *entry ? entry[1] : 0;
}

/* With the rights of another user, which its file gives, it would obey its caller. */
static void check_user(const struct start *start) {
  if (auxiliary(start, AT_UID) != auxiliary(start, AT_EUID) ||
      auxiliary(start, AT_GID) != auxiliary(start, AT_EGID))
    fail(start->argc, start->argv,
         "ipcauth: error: The program must not be set-user-ID or set-group-ID\n"
         "hint: chmod ug-s FILE\n");
}

static const struct payload *select_payload(u64 argc, char **argv) {
  for (i64 i = 1; i < config.count && argc > 1; i++) {
    const struct payload *one = config.payloads + i;
    if (!equal(argv[1], TEXT(one->word))) continue;
    if (!one->needs_operand || (argc > 2 && argv[2][0] != '-')) return one;
  }
  return config.payloads;
}

/* Whether the caller set a variable that only this stub may set. */
static int is_own(const char *variable) {
  return begins_with(variable, PREFIX) || is_named(variable, LIST) ||
         is_named(variable, FILE_LIMIT);
}

static void block(int signal) { change_blocked(SIG_BLOCK, 1UL << (signal - 1)); }

/* Blocks signals in every thread that the runtime will start, before any process is started: what
 * is blocked once stays so. SIGUSR1 would open a debugger: that it is ignored does not keep the
 * runtime from catching it, half a second after its start. SIGHUP would end the start of a server,
 * until the program has its own handler and unblocks it: the runtime catches it some time before,
 * and then ends the process. */
static void block_signals(const struct start *start) {
  if (is_command(start->argc, start->argv, "serve")) block(SIGHUP);
  /* A program inherits the signals that are blocked. run-as refuses the debugger itself. */
  if (!is_command(start->argc, start->argv, "run-as")) block(SIGUSR1);
}

/* Writes the variable with the soft limit of open files, which the runtime raises. */
static void append_limit(char *end) {
  u64 limits[2] = {0};
  end = append(end, FILE_LIMIT "=");
  if (call(SYS_PRLIMIT64, 0, RLIMIT_NOFILE, 0, (i64)limits, 0, 0) < 0) return;
  if (limits[0] == ~0UL) append(end, "unlimited");
  else append_number(end, limits[0]);
}

/*
 * Checks what can fail, and measures how much longer prepare() makes the arguments and variables.
 *
 * @param stack The address of argc.
 * @returns Bytes, a multiple of 16, as the ABI wants the stack pointer to be.
 */
__attribute__((used, visibility("hidden"))) u64 measure(const u64 *stack) {
  const struct start start = read_start(stack);
  check_user(&start);
  block_signals(&start);
  check_directory(start.argc, start.argv);
  const struct payload *payload = select_payload(start.argc, start.argv);
  check_system(start.argc, start.argv, payload);
  check_threads(start.argc, start.argv);
  u64 scripts = 0;
  while (OFFSETS(payload->scripts)[scripts]) scripts++;
  /* The arguments; the two variables of the stub, and the settings. */
  const u64 words = count_of(TEXT(payload->argv)) + scripts + 2 +
                    count_of(TEXT(config.settings)) +
                    (start.argc == 0); /* it gets a name nevertheless */
  return (8 * words + 15) & ~15UL;
}

/*
 * Moves the arguments and the environment down and completes them. They are not copied to a place
 * of their own, because V8 takes the stack below their old place for its stack, and its first
 * 984 KiB alone: that many arguments would make it fail. The auxiliary vector stays where it is,
 * and so do the strings: ps(1) shows the caller's arguments.
 *
 * What is written is always below what is still to be read: the growth is that of measure(), and a
 * variable that is left out is replaced with a setting, which is there twice then.
 *
 * @param stack The address of argc; behind it argv, envp and the auxiliary vector.
 * @param new The address of the new argc: `stack` less the bytes that measure() returned.
 */
__attribute__((used, visibility("hidden"))) void prepare(const u64 *stack, u64 *new) {
  const struct start start = read_start(stack);
  const struct payload *payload = select_payload(start.argc, start.argv);
  const char *hidden = TEXT(config.hidden);

  /* The names of the variables that the runtime obeys, and these variables with the prefix. */
  u64 names = sizeof LIST "=";
  u64 bytes = sizeof FILE_LIMIT "=" + 20; /* and the digits of a number of 64 bits */
  for (u64 i = 0; i < start.variables; i++) {
    if (!is_in(hidden, start.envp[i])) continue;
    const u64 size = length(start.envp[i]) + 1;
    names += size; /* at least the name and a blank */
    bytes += size + sizeof PREFIX;
  }
  char *list = (char *)call(SYS_MMAP, 0, (i64)(names + bytes), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if ((u64)list > -4096UL)
    fail(start.argc, start.argv, "ipcauth: error: There is no memory\nhint: ulimit -v unlimited\n");
  char *list_end = append(list, LIST "=");
  char *limit = list + names;
  append_limit(limit);
  char *renamed = limit + sizeof FILE_LIMIT "=" + 20;

  u64 *end = new + 1;
  *end++ = (u64) "ipcauth"; /* the runtime would behave as another program for some names */
  end = append_list(end, TEXT(payload->argv));
  for (const i64 *one = OFFSETS(payload->scripts); *one; one++) *end++ = (u64)TEXT(*one);
  for (u64 i = 1; i < start.argc; i++) *end++ = (u64)start.argv[i];
  new[0] = (u64)(end - new - 1);
  *end++ = 0;

  u64 *environment = end;
  for (u64 i = 0; i < start.variables; i++) {
    char *variable = start.envp[i];
    if (is_own(variable)) {
      *end++ = (u64)TEXT(config.settings);
      continue;
    }
    if (!is_in(hidden, variable)) {
      *end++ = (u64)variable;
      continue;
    }
    *end++ = (u64)renamed;
    renamed = append(append(renamed, PREFIX), variable) + 1;
    if (list_end[-1] != '=') *list_end++ = ' ';
    for (const char *c = variable; *c != '='; c++) *list_end++ = *c;
  }
  *end++ = (u64)list;
  *end++ = (u64)limit;
  end = append_list(end, TEXT(config.settings));
  /* The growth was rounded up to an even number of words. */
  if (end + 1 != start.auxiliary) *end++ = (u64)TEXT(config.settings);
  *end = 0;

  /* The C library has stored the address of the old environment already. */
  **(u64 ***)TEXT(config.environ) = environment;
}
