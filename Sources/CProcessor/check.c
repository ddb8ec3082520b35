// The check of the processor, before any other code of this program.
#include "CProcessor.h"

const char *imagelora_march(void) { return IMAGELORA_MARCH; }

#if defined(__x86_64__)
#include <cpuid.h>
#include <string.h>
#include <unistd.h>

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
  ssize_t written = write(STDERR_FILENO, line, strlen(line));
  (void)written;
  _exit(bad_usage);
}

__attribute__((section(".preinit_array"), used, retain)) static void (*const check)(void) = require_instructions;
#endif
