// What this program asks of a BLAS, without a type of cblas.h: imagelora_blas.c is compiled against the library at hand,
// and nothing else knows which one it is. Matrices are row-major; n, m, k and distances between rows are of numbers.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Capacity of a text that a function below writes, its closing 0 included.
#define IMAGELORA_BLAS_TEXT 512

// C = alpha op(A) op(B) + beta C.   op(A) [m, k], op(B) [k, n], C [m, n]
void imagelora_blas_sgemm(bool transposes_a, bool transposes_b, int64_t m, int64_t n, int64_t k, float alpha,
                          const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
void imagelora_blas_dgemm(bool transposes_a, bool transposes_b, int64_t m, int64_t n, int64_t k, double alpha,
                          const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c,
                          int64_t ldc);
// Solves op(A) X = B in place of B for a lower triangular A with ones on its diagonal.   A [m, m], B [m, n]
void imagelora_blas_strsm(bool transposes_a, int64_t m, int64_t n, const float *a, int64_t lda, float *b, int64_t ldb);
void imagelora_blas_dtrsm(bool transposes_a, int64_t m, int64_t n, const double *a, int64_t lda, double *b,
                          int64_t ldb);

// The threads of every multiplication from here on.
void imagelora_blas_set_threads(int count);
// The library with its version, and the kernels that it chose for this processor. Not from two threads at once: the
// libraries compose their answers in buffers of their own.
void imagelora_blas_describe(char text[IMAGELORA_BLAS_TEXT]);
