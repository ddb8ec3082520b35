// The choice of the program by the processor, and the check of the processor, before any other code.
#include "CProcessor.h"

const char *imagelora_march(void) { return IMAGELORA_MARCH; }

#if defined(__x86_64__)
#include <cpuid.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "CCommit.h"
#include "CInstructions.h"

static const int bad_usage = 64;

/// The registers that the operating system saves, as bits of XCR0; 0 if it cannot be asked.
static unsigned saved_registers(void) {
  unsigned a, b, c, d, low = 0, high;
  if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE)) __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static int has(const struct imagelora_instructions *set, unsigned registers) {
  unsigned answer[4];
  return __get_cpuid_count(set->leaf, set->subleaf, &answer[0], &answer[1], &answer[2], &answer[3]) &&
         (answer[set->output] >> set->bit & 1) && (registers & set->state) == set->state;
}

static void stop(const char *line) {
  ssize_t written = write(STDERR_FILENO, line, strlen(line));
  (void)written;
  _exit(bad_usage);
}

static void require_instructions(void) {
  char line[1024] = "imagelora: this processor lacks ";
  const unsigned registers = saved_registers();
  int missing = 0;
  for (const struct imagelora_instructions *set = imagelora_kernel_instructions; set->name; set++) {
    if (has(set, registers)) continue;
    if (missing++) strcat(line, ", ");
    strcat(line, set->name);
  }
  if (!missing) return;
  strcat(line, ", and the program was built for " IMAGELORA_MARCH);
  strcat(line, ": run it on another processor, or build it on this one with IMAGELORA_MARCH=native\n");
  stop(line);
}

#define LEVEL_3 "x86-64-v3"
#define LEVEL_4 "x86-64-v4"

/// Whether the processor and the operating system have what x86-64-v4 adds to x86-64-v3: AVX-512F, DQ, CD, BW, VL.
static int has_level_4(void) {
  static const unsigned bits[] = {16, 17, 28, 30, 31};
  const unsigned registers = saved_registers();
  for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++) {
    const struct imagelora_instructions set = {"", 7, 0, 1, bits[i], 0xe6};
    if (!has(&set, registers)) return 0;
  }
  return 1;
}

/// The value of a variable; null if it is not set. The C library has no environment yet.
static const char *variable(char **environment, const char *name) {
  const size_t length = strlen(name);
  for (; *environment; environment++)
    if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') return *environment + length + 1;
  return NULL;
}

/// Makes PREFIX/lib/imagelora/x86-64-v4/NAME of PREFIX/bin/NAME, which is this program.
static int find_level_4(char path[PATH_MAX]) {
  char own[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
  if (length < 0) return 0;
  own[length] = 0;
  char *name = strrchr(own, '/');
  if (!name) return 0;
  *name++ = 0;
  char *folder = strrchr(own, '/');
  if (!folder || strcmp(folder, "/bin")) return 0;
  *folder = 0;
  return snprintf(path, PATH_MAX, "%s/lib/imagelora/" LEVEL_4 "/%s", own, name) < PATH_MAX;
}

#define STARTED_BY "IMAGELORA_STARTED_BY="

/// Begins the program for x86-64-v4, if the processor can run it and it is there; the process stays the one that a
/// launcher knows. IMAGELORA_KERNELS names a level instead.
static void choose_program(char **arguments, char **environment) {
  static char path[PATH_MAX], mark[128], *changed[4096];
  const char *wanted = variable(environment, "IMAGELORA_KERNELS");
  if (wanted && !strcmp(wanted, LEVEL_3)) return;
  if (wanted && strcmp(wanted, LEVEL_4)) stop("imagelora: IMAGELORA_KERNELS: give " LEVEL_3 " or " LEVEL_4 "\n");
  const int can = has_level_4();
  if (wanted && !can) stop("imagelora: IMAGELORA_KERNELS: this processor has no AVX-512 for " LEVEL_4 "\n");
  size_t count = 0;
  for (char **entry = environment; *entry && count < sizeof changed / sizeof *changed; entry++)
    if (strncmp(*entry, STARTED_BY, strlen(STARTED_BY)) != 0) changed[count++] = *entry;
  if (can && count + 2 <= sizeof changed / sizeof *changed && find_level_4(path)) {
    snprintf(mark, sizeof mark, STARTED_BY "%s", imagelora_commit());
    changed[count] = mark;
    execve(path, arguments, changed);
  }
  if (wanted) stop("imagelora: IMAGELORA_KERNELS: there is no program for " LEVEL_4 " beside this one\n");
}

/// A program that another installation left behind would compute otherwise.
static void require_same_build(char **environment) {
  const char *starter = variable(environment, "IMAGELORA_STARTED_BY");
  char line[512];
  if (!starter || !strcmp(starter, imagelora_commit())) return;
  snprintf(line, sizeof line,
           "imagelora: the program for " LEVEL_4 " was built from commit %.100s, bin/imagelora from %.100s: "
           "install both again, or set IMAGELORA_KERNELS=" LEVEL_3 "\n",
           imagelora_commit(), starter);
  stop(line);
}

static void check(int count, char **arguments, char **environment) {
  (void)count;
  if (!strcmp(IMAGELORA_MARCH, LEVEL_3)) choose_program(arguments, environment);
  if (!strcmp(IMAGELORA_MARCH, LEVEL_4)) require_same_build(environment);
  require_instructions();
}

__attribute__((section(".preinit_array"), used, retain)) static void (*const first)(int, char **, char **) = check;
#endif
