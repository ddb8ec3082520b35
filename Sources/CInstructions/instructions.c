// This file is compiled with the kernels' -march and has no code, so that reading it runs none of their instructions.
#include "CInstructions.h"

enum { A, B, C, D };
enum { Y = 0x6, Z = 0xe6 };  // registers of 256 bits, and of 512 with their masks

const struct imagelora_instructions imagelora_kernel_instructions[] = {
#ifdef __SSE3__
    {"SSE3", 1, 0, C, 0, 0},
#endif
#ifdef __SSSE3__
    {"SSSE3", 1, 0, C, 9, 0},
#endif
#ifdef __SSE4_1__
    {"SSE4.1", 1, 0, C, 19, 0},
#endif
#ifdef __SSE4_2__
    {"SSE4.2", 1, 0, C, 20, 0},
#endif
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16
    {"CMPXCHG16B", 1, 0, C, 13, 0},
#endif
#ifdef __POPCNT__
    {"POPCNT", 1, 0, C, 23, 0},
#endif
#ifdef __AVX__
    {"AVX", 1, 0, C, 28, Y},
#endif
#ifdef __AVX2__
    {"AVX2", 7, 0, B, 5, Y},
#endif
#ifdef __FMA__
    {"FMA", 1, 0, C, 12, Y},
#endif
#ifdef __F16C__
    {"F16C", 1, 0, C, 29, Y},
#endif
#ifdef __MOVBE__
    {"MOVBE", 1, 0, C, 22, 0},
#endif
#ifdef __BMI__
    {"BMI1", 7, 0, B, 3, 0},
#endif
#ifdef __BMI2__
    {"BMI2", 7, 0, B, 8, 0},
#endif
#ifdef __LZCNT__
    {"LZCNT", 0x80000001, 0, C, 5, 0},
#endif
#ifdef __PCLMUL__
    {"PCLMUL", 1, 0, C, 1, 0},
#endif
#ifdef __AES__
    {"AES", 1, 0, C, 25, 0},
#endif
#ifdef __SHA__
    {"SHA", 7, 0, B, 29, 0},
#endif
#ifdef __ADX__
    {"ADX", 7, 0, B, 19, 0},
#endif
#ifdef __SSE4A__
    {"SSE4A", 0x80000001, 0, C, 6, 0},
#endif
#ifdef __GFNI__
    {"GFNI", 7, 0, C, 8, 0},
#endif
#ifdef __VAES__
    {"VAES", 7, 0, C, 9, Y},
#endif
#ifdef __VPCLMULQDQ__
    {"VPCLMULQDQ", 7, 0, C, 10, Y},
#endif
#ifdef __AVXVNNI__
    {"AVX-VNNI", 7, 1, A, 4, Y},
#endif
#ifdef __AVX512F__
    {"AVX-512F", 7, 0, B, 16, Z},
#endif
#ifdef __AVX512CD__
    {"AVX-512CD", 7, 0, B, 28, Z},
#endif
#ifdef __AVX512BW__
    {"AVX-512BW", 7, 0, B, 30, Z},
#endif
#ifdef __AVX512DQ__
    {"AVX-512DQ", 7, 0, B, 17, Z},
#endif
#ifdef __AVX512VL__
    {"AVX-512VL", 7, 0, B, 31, Z},
#endif
#ifdef __AVX512IFMA__
    {"AVX-512IFMA", 7, 0, B, 21, Z},
#endif
#ifdef __AVX512VBMI__
    {"AVX-512VBMI", 7, 0, C, 1, Z},
#endif
#ifdef __AVX512VBMI2__
    {"AVX-512VBMI2", 7, 0, C, 6, Z},
#endif
#ifdef __AVX512VNNI__
    {"AVX-512VNNI", 7, 0, C, 11, Z},
#endif
#ifdef __AVX512BITALG__
    {"AVX-512BITALG", 7, 0, C, 12, Z},
#endif
#ifdef __AVX512VPOPCNTDQ__
    {"AVX-512VPOPCNTDQ", 7, 0, C, 14, Z},
#endif
#ifdef __AVX512VP2INTERSECT__
    {"AVX-512VP2INTERSECT", 7, 0, D, 8, Z},
#endif
#ifdef __AVX512BF16__
    {"AVX-512BF16", 7, 1, A, 5, Z},
#endif
#ifdef __AVX512FP16__
    {"AVX-512FP16", 7, 0, D, 23, Z},
#endif
    {0},
};
