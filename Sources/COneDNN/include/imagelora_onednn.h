// What this program asks of oneDNN, without a type of dnnl.h: imagelora_onednn.c is compiled against version 2 or 3, or
// against none, and nothing else knows which.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Capacity of a text that a function below writes, its closing 0 included.
#define IMAGELORA_ONEDNN_TEXT 128

// Numbers that are multiplied.
enum imagelora_onednn_type { IMAGELORA_ONEDNN_FP32, IMAGELORA_ONEDNN_BF16 };

// C = op(A) op(B), or C += op(A) op(B); C is fp32.   op(A) [m, k], op(B) [k, n], C [m, n]
struct imagelora_onednn_shape {
  // Of the numbers of A and B.
  enum imagelora_onednn_type type;
  int64_t m, n, k;
  // Distances between rows of A, B and C as they lie in memory.
  int64_t stride_a, stride_b, stride_c;
  bool transposes_a, transposes_b, accumulates;
};

// A multiplication of one shape as oneDNN has prepared it, to be run with any matrices of that shape by one thread at a
// time.
typedef struct imagelora_onednn_multiplication imagelora_onednn_multiplication;

// What failed, for a message: a constant text, and oneDNN's status.
struct imagelora_onednn_failure {
  const char *what;
  int status;
};

// NULL where oneDNN refuses the shape, has no memory, or is not there.
imagelora_onednn_multiplication *imagelora_onednn_prepare(const struct imagelora_onednn_shape *shape,
                                                          struct imagelora_onednn_failure *failure);
// Whether it was done. None of the matrices is kept.
bool imagelora_onednn_run(imagelora_onednn_multiplication *multiplication, const void *a, const void *b, void *c,
                          struct imagelora_onednn_failure *failure);
void imagelora_onednn_release(imagelora_onednn_multiplication *multiplication);

// Whether fp32 can be multiplied: the library is there and computes with this program's memory and threads.
bool imagelora_onednn_is_usable(void);
// Why bf16 is not fast here, as the end of "bf16: ..."; NULL where it is. The text is constant.
const char *imagelora_onednn_obstacle(void);
// The library's version and instructions, "oneDNN 2.6.3 with instructions 231"; "no oneDNN" without it.
void imagelora_onednn_describe(char text[IMAGELORA_ONEDNN_TEXT]);
// The threads of every multiplication from here on.
void imagelora_onednn_set_threads(int count);
