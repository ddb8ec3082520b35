// The functions of imagelora_onednn.h, by the oneDNN at hand.
#define _GNU_SOURCE
#include "imagelora_onednn.h"

#include <stddef.h>
#include <stdio.h>

#if defined(IMAGELORA_NO_ONEDNN)

imagelora_onednn_multiplication *imagelora_onednn_prepare(const struct imagelora_onednn_shape *shape,
                                                          struct imagelora_onednn_failure *failure) {
  (void)shape;
  *failure = (struct imagelora_onednn_failure){"this build has no oneDNN", 0};
  return NULL;
}

bool imagelora_onednn_run(imagelora_onednn_multiplication *multiplication, const void *a, const void *b, void *c,
                          struct imagelora_onednn_failure *failure) {
  (void)multiplication, (void)a, (void)b, (void)c;
  *failure = (struct imagelora_onednn_failure){"this build has no oneDNN", 0};
  return false;
}

void imagelora_onednn_release(imagelora_onednn_multiplication *multiplication) { (void)multiplication; }

bool imagelora_onednn_is_usable(void) { return false; }

const char *imagelora_onednn_obstacle(void) { return "the program was built without oneDNN"; }

void imagelora_onednn_describe(char text[IMAGELORA_ONEDNN_TEXT]) { snprintf(text, IMAGELORA_ONEDNN_TEXT, "no oneDNN"); }

void imagelora_onednn_set_threads(int count) { (void)count; }

#else

#if defined(__has_include) && !__has_include(<oneapi/dnnl/dnnl.h>)
#error "oneDNN's header is not there: install it (Debian: libdnnl-dev), or build without bf16: IMAGELORA_ONEDNN=none"
#endif
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR < 2 || DNNL_VERSION_MAJOR > 3
#error "oneDNN 2 or 3 is needed"
#endif

// Version 2 describes a matrix by a struct, version 3 by an object that is released.
#if DNNL_VERSION_MAJOR == 2
#define POINTER(matrix) (&(matrix))
#else
#define POINTER(matrix) (matrix)
#endif

enum { A, B, C, MATRICES };

struct imagelora_onednn_multiplication {
  dnnl_primitive_t primitive;
  dnnl_exec_arg_t arguments[MATRICES];
};

// The engine and the stream of the CPU, made once.
static dnnl_engine_t engine;
static dnnl_stream_t stream;
static struct imagelora_onednn_failure start_failure;
static pthread_once_t start_once = PTHREAD_ONCE_INIT;

// Whether `call` succeeded; its name is kept.
#define TRY(call, name) \
  ((failure->status = (int)(call)) == (int)dnnl_success ? true : (failure->what = (name), false))

static void start(void) {
  struct imagelora_onednn_failure *failure = &start_failure;
  (void)(TRY(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine") &&
         TRY(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream"));
}

static bool started(struct imagelora_onednn_failure *failure) {
  pthread_once(&start_once, start);
  *failure = start_failure;
  return failure->what == NULL;
}

static bool describe(dnnl_memory_desc_t *matrix, int64_t rows, int64_t columns, int64_t stride, bool is_transposed,
                     dnnl_data_type_t type, struct imagelora_onednn_failure *failure) {
  const dnnl_dims_t dimensions = {rows, columns};
  const dnnl_dims_t strides = {is_transposed ? 1 : stride, is_transposed ? stride : 1};
#if DNNL_VERSION_MAJOR == 2
  return TRY(dnnl_memory_desc_init_by_strides(matrix, 2, dimensions, type, strides), "matrix");
#else
  return TRY(dnnl_memory_desc_create_with_strides(matrix, 2, dimensions, type, strides), "matrix");
#endif
}

static bool add_to_target(dnnl_primitive_attr_t attributes, struct imagelora_onednn_failure *failure) {
  dnnl_post_ops_t additions = NULL;
  if (!TRY(dnnl_post_ops_create(&additions), "post-operations")) return false;
  bool is_done =
#if DNNL_VERSION_MAJOR == 2
      TRY(dnnl_post_ops_append_sum(additions, 1), "sum") &&
#else
      TRY(dnnl_post_ops_append_sum(additions, 1, 0, dnnl_data_type_undef), "sum") &&
#endif
      TRY(dnnl_primitive_attr_set_post_ops(attributes, additions), "post-operations");
  dnnl_post_ops_destroy(additions);
  return is_done;
}

// What is made on the way to a multiplication and released in any case.
struct parts {
  dnnl_memory_desc_t matrices[MATRICES];
  dnnl_primitive_attr_t attributes;
  dnnl_primitive_desc_t operation;
};

static void release_parts(struct parts *parts) {
  if (parts->operation != NULL) dnnl_primitive_desc_destroy(parts->operation);
  if (parts->attributes != NULL) dnnl_primitive_attr_destroy(parts->attributes);
#if DNNL_VERSION_MAJOR > 2
  for (int i = 0; i < MATRICES; i++)
    if (parts->matrices[i] != NULL) dnnl_memory_desc_destroy(parts->matrices[i]);
#endif
}

#if DNNL_VERSION_MAJOR == 2
// Where rows have no gaps, oneDNN 2 takes its batch-reduce GEMM (`brg`) before its older one (`gemm`). For wide results
// the latter is faster, by up to a half where the number of rows has no divisor that suits `brg` (301 rows: 314 GFLOP/s
// and 465); for few rows of a transposed B, and for narrow results, `brg` is, by 5 to 20%. Measured with oneDNN 2.6.3
// on AMD Zen 5 for sums of 128 to 11,008 terms, not with AMX; `benchmarks gemm` shows the rates.
static bool prefers_gemm(const struct imagelora_onednn_shape *shape) {
  if (shape->n >= 512) return shape->k >= 128 && (!shape->transposes_b || shape->m > 256);
  return shape->k >= 256 && shape->n >= 128 && shape->m > 512;
}

static bool name_has(const_dnnl_primitive_desc_t operation, const char *part) {
  const char *name = NULL;
  return dnnl_primitive_desc_query(operation, dnnl_query_impl_info_str, 0, (void *)&name) == dnnl_success &&
         name != NULL && strstr(name, part) != NULL;
}

// Goes on to that implementation; stays with the first one where there is none.
static void take_gemm(struct parts *parts, const dnnl_matmul_desc_t *operation) {
  dnnl_primitive_desc_iterator_t iterator = NULL;
  if (name_has(parts->operation, "amx") ||
      dnnl_primitive_desc_iterator_create(&iterator, operation, parts->attributes, engine, NULL) != dnnl_success)
    return;
  do {
    dnnl_primitive_desc_t found = dnnl_primitive_desc_iterator_fetch(iterator);
    bool is_wanted = found != NULL && name_has(found, "gemm:");
    dnnl_primitive_desc_t dropped = is_wanted ? parts->operation : found;
    if (is_wanted) parts->operation = found;
    if (dropped != NULL) dnnl_primitive_desc_destroy(dropped);
    if (is_wanted) break;
  } while (dnnl_primitive_desc_iterator_next(iterator) == dnnl_success);
  dnnl_primitive_desc_iterator_destroy(iterator);
}
#endif

static bool describe_all(struct parts *parts, const struct imagelora_onednn_shape *shape,
                         struct imagelora_onednn_failure *failure) {
  dnnl_data_type_t type = shape->type == IMAGELORA_ONEDNN_BF16 ? dnnl_bf16 : dnnl_f32;
  dnnl_memory_desc_t *matrices = parts->matrices;
  if (!describe(&matrices[A], shape->m, shape->k, shape->stride_a, shape->transposes_a, type, failure) ||
      !describe(&matrices[B], shape->k, shape->n, shape->stride_b, shape->transposes_b, type, failure) ||
      !describe(&matrices[C], shape->m, shape->n, shape->stride_c, false, dnnl_f32, failure) ||
      !TRY(dnnl_primitive_attr_create(&parts->attributes), "attributes"))
    return false;
  if (shape->accumulates && !add_to_target(parts->attributes, failure)) return false;
#if DNNL_VERSION_MAJOR == 2
  dnnl_matmul_desc_t operation;
  if (!TRY(dnnl_matmul_desc_init(&operation, &matrices[A], &matrices[B], NULL, &matrices[C]), "GEMM") ||
      !TRY(dnnl_primitive_desc_create(&parts->operation, &operation, parts->attributes, engine, NULL), "GEMM"))
    return false;
  if (prefers_gemm(shape)) take_gemm(parts, &operation);
  return true;
#else
  return TRY(dnnl_matmul_primitive_desc_create(&parts->operation, engine, matrices[A], matrices[B], NULL, matrices[C],
                                               parts->attributes),
             "GEMM");
#endif
}

imagelora_onednn_multiplication *imagelora_onednn_prepare(const struct imagelora_onednn_shape *shape,
                                                          struct imagelora_onednn_failure *failure) {
  static const int names[MATRICES] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
  struct parts parts;
  memset(&parts, 0, sizeof parts);
  if (!started(failure)) return NULL;
  imagelora_onednn_multiplication *result = calloc(1, sizeof *result);
  if (result == NULL) {
    *failure = (struct imagelora_onednn_failure){"memory", (int)dnnl_out_of_memory};
    return NULL;
  }
  bool is_done = describe_all(&parts, shape, failure) &&
                 TRY(dnnl_primitive_create(&result->primitive, parts.operation), "GEMM");
  for (int i = 0; is_done && i < MATRICES; i++) {
    result->arguments[i].arg = names[i];
    // Without numbers yet.
    is_done = TRY(dnnl_memory_create(&result->arguments[i].memory, POINTER(parts.matrices[i]), engine, DNNL_MEMORY_NONE),
                  "memory");
  }
  release_parts(&parts);
  if (is_done) return result;
  imagelora_onednn_release(result);
  return NULL;
}

bool imagelora_onednn_run(imagelora_onednn_multiplication *multiplication, const void *a, const void *b, void *c,
                          struct imagelora_onednn_failure *failure) {
  const dnnl_exec_arg_t *arguments = multiplication->arguments;
  return TRY(dnnl_memory_set_data_handle(arguments[A].memory, (void *)a), "A") &&
         TRY(dnnl_memory_set_data_handle(arguments[B].memory, (void *)b), "B") &&
         TRY(dnnl_memory_set_data_handle(arguments[C].memory, c), "C") &&
         TRY(dnnl_primitive_execute(multiplication->primitive, stream, MATRICES, arguments), "GEMM") &&
         TRY(dnnl_stream_wait(stream), "GEMM");
}

void imagelora_onednn_release(imagelora_onednn_multiplication *multiplication) {
  for (int i = 0; i < MATRICES; i++)
    if (multiplication->arguments[i].memory != NULL) dnnl_memory_destroy(multiplication->arguments[i].memory);
  if (multiplication->primitive != NULL) dnnl_primitive_destroy(multiplication->primitive);
  free(multiplication);
}

// The name of the implementation that oneDNN would multiply bf16 numbers with; whether it has any.
static bool find_bf16_implementation(char name[IMAGELORA_ONEDNN_TEXT]) {
  struct imagelora_onednn_failure found, *failure = &found;
  if (!started(failure)) return false;
  // Of a shape that every implementation takes.
  const struct imagelora_onednn_shape shape = {IMAGELORA_ONEDNN_BF16, 64, 64, 64, 64, 64, 64, false, false, false};
  struct parts parts;
  memset(&parts, 0, sizeof parts);
  const char *text = NULL;
  bool is_found = describe_all(&parts, &shape, failure) &&
                  TRY(dnnl_primitive_desc_query(parts.operation, dnnl_query_impl_info_str, 0, (void *)&text), "query");
  snprintf(name, IMAGELORA_ONEDNN_TEXT, "%s", is_found && text != NULL ? text : "");
  release_parts(&parts);
  return is_found;
}

bool imagelora_onednn_is_usable(void) {
  unsigned runtime = dnnl_version()->cpu_runtime;
  return runtime == DNNL_RUNTIME_OMP || runtime == DNNL_RUNTIME_SEQ;
}

const char *imagelora_onednn_obstacle(void) {
  if (!imagelora_onednn_is_usable()) return "this oneDNN computes neither with OpenMP nor in the calling thread";
  char name[IMAGELORA_ONEDNN_TEXT];
  if (!find_bf16_implementation(name)) return "oneDNN multiplies no bf16 numbers on this processor";
  if (strstr(name, "ref") != NULL) return "oneDNN has only its reference code for bf16 on this processor";
#if defined(__x86_64__)
  // With AVX-512 alone it multiplies bf16 numbers by fp32's instructions.
  unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
  if ((isa & dnnl_cpu_isa_avx512_core_bf16) != dnnl_cpu_isa_avx512_core_bf16)
    return "oneDNN has no bf16 instructions of this processor to use (AVX-512 BF16 or AMX)";
#endif
  return NULL;
}

void imagelora_onednn_describe(char text[IMAGELORA_ONEDNN_TEXT]) {
  const dnnl_version_t *version = dnnl_version();
  snprintf(text, IMAGELORA_ONEDNN_TEXT, "oneDNN %d.%d.%d with instructions %u", version->major, version->minor,
           version->patch, (unsigned)dnnl_get_effective_cpu_isa());
}

// Of the OpenMP that oneDNN was built with, be it GCC's, LLVM's or Intel's: the one that is loaded has this function.
void imagelora_onednn_set_threads(int count) {
  void (*set)(int) = NULL;
  *(void **)&set = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
  if (set != NULL) set(count);
}

#endif
