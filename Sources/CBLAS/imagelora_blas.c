// The functions of imagelora_blas.h, by the BLAS at hand.
#include "imagelora_blas.h"

#include <stdio.h>

#if defined(IMAGELORA_BLAS_MKL)
#define HEADER <mkl.h>
#else
#define HEADER <cblas.h>
#endif
#if defined(__has_include) && !__has_include(HEADER)
#error "the BLAS's header is not there: install one (Debian: libopenblas-dev), or name one: eval $(IMAGELORA_BLAS=blis scripts/build-flags.sh)"
#endif
#include HEADER
#if defined(IMAGELORA_BLAS_BLIS)
// Of blis.h, which would need gcc's omp.h.
void bli_thread_set_num_threads(dim_t count);
char *bli_info_get_version_str(void);
arch_t bli_arch_query_id(void);
char *bli_arch_string(arch_t architecture);
#endif

// Builds of OpenBLAS for Python have a prefix before each name, which their headers' flags state.
#if defined(BLAS_SYMBOL_PREFIX)
#define JOINED(prefix, name) prefix##name
#define PREFIXED(prefix, name) JOINED(prefix, name)
#define CBLAS(name) PREFIXED(BLAS_SYMBOL_PREFIX, cblas_##name)
#define OPENBLAS(name) PREFIXED(BLAS_SYMBOL_PREFIX, openblas_##name)
#else
#define CBLAS(name) cblas_##name
#define OPENBLAS(name) openblas_##name
#endif

#if defined(IMAGELORA_BLAS_MKL)
typedef MKL_INT integer;
#elif defined(IMAGELORA_BLAS_BLIS)
typedef f77_int integer;
#else
typedef blasint integer;
#endif

#define OP(transposes) ((transposes) ? CblasTrans : CblasNoTrans)

void imagelora_blas_sgemm(bool transposes_a, bool transposes_b, int64_t m, int64_t n, int64_t k, float alpha,
                          const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
                          int64_t ldc) {
  CBLAS(sgemm)(CblasRowMajor, OP(transposes_a), OP(transposes_b), (integer)m, (integer)n, (integer)k, alpha, a,
               (integer)lda, b, (integer)ldb, beta, c, (integer)ldc);
}

void imagelora_blas_dgemm(bool transposes_a, bool transposes_b, int64_t m, int64_t n, int64_t k, double alpha,
                          const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c,
                          int64_t ldc) {
  CBLAS(dgemm)(CblasRowMajor, OP(transposes_a), OP(transposes_b), (integer)m, (integer)n, (integer)k, alpha, a,
               (integer)lda, b, (integer)ldb, beta, c, (integer)ldc);
}

void imagelora_blas_strsm(bool transposes_a, int64_t m, int64_t n, const float *a, int64_t lda, float *b,
                          int64_t ldb) {
  CBLAS(strsm)(CblasRowMajor, CblasLeft, CblasLower, OP(transposes_a), CblasUnit, (integer)m, (integer)n, 1, a,
               (integer)lda, b, (integer)ldb);
}

void imagelora_blas_dtrsm(bool transposes_a, int64_t m, int64_t n, const double *a, int64_t lda, double *b,
                          int64_t ldb) {
  CBLAS(dtrsm)(CblasRowMajor, CblasLeft, CblasLower, OP(transposes_a), CblasUnit, (integer)m, (integer)n, 1, a,
               (integer)lda, b, (integer)ldb);
}

#if defined(IMAGELORA_BLAS_MKL)

// Before any other call of MKL: the code path is that of this processor, and the same wherever matrices lie in memory.
__attribute__((constructor)) static void repeat_bytes(void) { mkl_cbwr_set(MKL_CBWR_AUTO | MKL_CBWR_STRICT); }

void imagelora_blas_set_threads(int count) {
  mkl_set_dynamic(0);
  mkl_set_num_threads(count);
}

void imagelora_blas_describe(char text[IMAGELORA_BLAS_TEXT]) {
  MKLVersion version;
  mkl_get_version(&version);
  snprintf(text, IMAGELORA_BLAS_TEXT, "MKL %d.%d.%d, kernels %s", version.MajorVersion, version.MinorVersion,
           version.UpdateVersion, version.Processor);
}

#elif defined(IMAGELORA_BLAS_BLIS)

void imagelora_blas_set_threads(int count) { bli_thread_set_num_threads(count); }

void imagelora_blas_describe(char text[IMAGELORA_BLAS_TEXT]) {
  snprintf(text, IMAGELORA_BLAS_TEXT, "BLIS %s, kernels %s", bli_info_get_version_str(),
           bli_arch_string(bli_arch_query_id()));
}

#else

void imagelora_blas_set_threads(int count) { OPENBLAS(set_num_threads)(count); }

void imagelora_blas_describe(char text[IMAGELORA_BLAS_TEXT]) {
  snprintf(text, IMAGELORA_BLAS_TEXT, "%s, kernels %s", OPENBLAS(get_config)(), OPENBLAS(get_corename)());
}

#endif
