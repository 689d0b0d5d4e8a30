/** `run-as`: a program of another user cannot type at the terminal that it shares. */
import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { isRoot, Program } from "../support/program.ts";

const options = { ignore: !isRoot };
const TERMINAL = fromFileUrl(new URL("../support/terminal.py", import.meta.url));

/**
 * Tries every way to the two calls, from a child, and prints the error numbers: with more bits than
 * the kernel reads, and on x86-64 by the calls of x32 and of 32-bit programs. Then whether there is
 * a filter, and whether the process may gain rights.
 */
const ATTACK = `
import ctypes, mmap, os, platform
TIOCSTI, TIOCLINUX, TCGETS, HIGH = 0x5412, 0x541c, 0x5401, 1 << 32
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.argtypes = [ctypes.c_long] * 4
buffer = ctypes.create_string_buffer(b"x", 256)
def errno(number, command):
    ctypes.set_errno(0)
    libc.syscall(number, terminal, command, ctypes.addressof(buffer))
    return ctypes.get_errno()
def errno_of_32_bits(command):
    # push rbx; mov ebx, edi; mov ecx, esi; xor edx, edx
    # mov eax, 54 (ioctl); int 0x80; pop rbx; ret
    code = bytes.fromhex("5389fb89f131d2b836000000cd805bc3")
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int)
    return -call(ctypes.addressof(ctypes.c_char.from_buffer(page)))(terminal, command)
def attack():
    ioctl = {"x86_64": 16, "aarch64": 29}[platform.machine()]
    yield from (errno(ioctl, command) for command in (TIOCSTI, TIOCLINUX, HIGH | TIOCSTI))
    if platform.machine() == "x86_64":
        yield errno(0x40000000 | 514, TIOCSTI)
        yield errno_of_32_bits(TIOCSTI)
    yield errno(ioctl, TCGETS)
if os.fork() == 0:
    terminal = os.open("/dev/tty", os.O_RDWR)
    print("errors", *attack())
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print("filter", status["Seccomp"].strip(), status["NoNewPrivs"].strip(), flush=True)
    os._exit(0)
os.wait()
`;

/** What the attack prints at a terminal. */
async function attack(program: Program, prefix: string[]): Promise<string[]> {
  const argv = ["python3", TERMINAL, '[["expect", "filter"]]', ...prefix, "python3", "-c", ATTACK];
  const { stdout } = await program.execute(argv);
  return stdout.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

Deno.test(
  "a program of another user types nothing at the terminal (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    const EPERM = 1;
    const ways = Deno.build.arch === "x86_64" ? 5 : 3;
    const refused = `errors ${[...Array(ways).fill(EPERM), 0].join(" ")}`;
    const [errors, filter] = await attack(program, ["ipcauth", "run-as", "579", "--"]);
    assertEquals([errors, filter], [refused, "filter 2 0"]);
    // Without the right to set a filter for a program that may gain rights.
    const limited = ["setpriv", "--bounding-set=-sys_admin", "ipcauth", "run-as", "579", "--"];
    assertEquals(await attack(program, limited), [refused, "filter 2 1"]);
    // Where the terminal has no name and is none of the standard streams, but is open.
    const nameless = ["unshare", "--mount", "--propagation=private", "sh", "-ec", NAMELESS];
    const { stdout } = await program.execute(
      ["python3", TERMINAL, '[["expect", "Seccomp"]]', ...nameless],
    );
    assertEquals(/Seccomp:\s*([0-9])/.exec(stdout)?.[1], "2", stdout);
  },
);

/** Runs a program without `/dev/tty`, and the terminal as its descriptor 3. */
const NAMELESS = `
exec 3<>/dev/tty 4>&1
mount -t tmpfs none /dev
for one in null:3 zero:5 random:8 urandom:9; do
  mknod -m 666 "/dev/\${one%:*}" c 1 "\${one#*:}"
done
ipcauth run-as 579 -- grep ^Seccomp: /proc/self/status </dev/null 2>&1 | cat >&4
`;

Deno.test("run-as filters no call where the program may type (needs root)", options, async () => {
  await using program = await Program.install();
  for (const words of [["--allow-tty-input", "579"], ["0"]]) {
    const [, filter] = await attack(program, ["ipcauth", "run-as", ...words, "--"]);
    assertEquals(filter, "filter 0 0");
  }
  // Nor where there is no terminal: a filter would cost each of the program's calls.
  const without = ["setsid", "-w", "ipcauth", "run-as", "579", "--"];
  const { stdout } = await program.execute([...without, "grep", "^Seccomp:", "/proc/self/status"]);
  assertEquals(stdout, "Seccomp:\t0\n");
  // Without its name either: descriptor 3 is no terminal.
  const nameless = ["unshare", "--mount", "--propagation=private", "setsid", "-w", "sh", "-ec"];
  const other = NAMELESS.replace("3<>/dev/tty", "3</dev/null");
  assertMatch((await program.execute([...nameless, other])).stdout, /^Seccomp:\s*0$/m);
});
