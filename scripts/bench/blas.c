// GFLOP/s of one fp32 GEMM in one thread, by the BLAS that Sources/CBLAS is compiled against:
//   clang -O2 -I Sources/CBLAS/include $(pkg-config --cflags openblas) Sources/CBLAS/imagelora_blas.c scripts/bench/blas.c
//   $(pkg-config --libs openblas) -o blas && ./blas
// x [512, 4096] times the transpose of a weight [1024, 4096]; the best of ten, by the processor's time for this process,
// which other jobs disturb less.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "imagelora_blas.h"

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(void) {
  enum { rows = 512, out = 1024, in = 4096, repeats = 10 };
  float *x = aligned_alloc(64, sizeof(float) * rows * in), *weight = aligned_alloc(64, sizeof(float) * out * in);
  float *y = aligned_alloc(64, sizeof(float) * rows * out);
  if (x == NULL || weight == NULL || y == NULL) return 1;
  for (int i = 0; i < rows * in; i++) x[i] = (float)(i % 7) - 3;
  for (int i = 0; i < out * in; i++) weight[i] = (float)(i % 5) - 2;
  imagelora_blas_set_threads(1);
  double best = 1e9;
  for (int repeat = 0; repeat < repeats; repeat++) {
    double start = seconds();
    imagelora_blas_sgemm(false, true, rows, out, in, 1, x, in, weight, in, 0, y, out);
    double spent = seconds() - start;
    if (spent < best) best = spent;
  }
  char text[IMAGELORA_BLAS_TEXT];
  imagelora_blas_describe(text);
  printf("%.1f GFLOP/s  %s\n", 2.0 * rows * out * in / best / 1e9, text);
  free(x), free(weight), free(y);
  return 0;
}
