// The instructions that the kernels were compiled with, by where CPUID reports them.
#pragma once

/// One set of instructions.
struct imagelora_instructions {
  /// Its name, as vendors write it; null in the entry after the last.
  const char *name;
  /// CPUID's leaf and subleaf.
  unsigned leaf, subleaf;
  /// The register of its answer, 0 to 3 for EAX to EDX, and the bit there.
  unsigned output, bit;
  /// Registers that the operating system must save for it: bits of XCR0.
  unsigned state;
};

/// Every set that the kernels' compiler may use beyond those of all 64-bit processors.
extern const struct imagelora_instructions imagelora_kernel_instructions[];
