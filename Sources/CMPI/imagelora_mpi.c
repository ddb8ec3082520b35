// The functions of imagelora_mpi.h, by the MPI at hand.
#include "imagelora_mpi.h"

#if defined(__has_include) && !__has_include(<mpi.h>)
#error "mpi.h is not there: install an MPI (Debian: libopenmpi-dev), or name one: eval $(MPICC=mpicc scripts/mpi-flags.sh)"
#endif
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#if MPI_VERSION < 3
#error "MPI 3.0 or newer is needed"
#endif
_Static_assert(MPI_SUCCESS == 0, "codes of errors are passed on as they are");
_Static_assert(MPI_MAX_LIBRARY_VERSION_STRING < IMAGELORA_MPI_TEXT, "room for the version of the library");
_Static_assert(MPI_MAX_ERROR_STRING < IMAGELORA_MPI_TEXT, "room for the text of an error");

#define TEXT_OF(value) #value
#define TEXT(value) TEXT_OF(value)

enum imagelora_mpi_family imagelora_mpi_family(void) {
// Intel MPI and MVAPICH are made from MPICH, and may define its macros as well.
#if defined(OPEN_MPI)
  return IMAGELORA_MPI_OPEN_MPI;
#elif defined(I_MPI_VERSION)
  return IMAGELORA_MPI_INTEL;
#elif defined(MVAPICH_VERSION) || defined(MVAPICH2_VERSION)
  return IMAGELORA_MPI_MVAPICH;
#elif defined(MPICH_VERSION)
  return IMAGELORA_MPI_MPICH;
#else
  return IMAGELORA_MPI_OTHER;
#endif
}

const char *imagelora_mpi_built_against(void) {
#if defined(OPEN_MPI)
  return "Open MPI " TEXT(OMPI_MAJOR_VERSION) "." TEXT(OMPI_MINOR_VERSION) "." TEXT(OMPI_RELEASE_VERSION);
#elif defined(I_MPI_VERSION)
  return "Intel MPI " I_MPI_VERSION;
#elif defined(MVAPICH_VERSION)
  return "MVAPICH " MVAPICH_VERSION;
#elif defined(MVAPICH2_VERSION)
  return "MVAPICH2 " MVAPICH2_VERSION;
#elif defined(MPICH_VERSION)
  return "MPICH " MPICH_VERSION;
#else
  return "an MPI of version " TEXT(MPI_VERSION) "." TEXT(MPI_SUBVERSION) " of the standard";
#endif
}

int imagelora_mpi_library_version(char text[IMAGELORA_MPI_TEXT]) {
  int length = 0;
  memset(text, 0, IMAGELORA_MPI_TEXT);
  return MPI_Get_library_version(text, &length);
}

void imagelora_mpi_error(int code, char text[IMAGELORA_MPI_TEXT]) {
  int length = 0;
  memset(text, 0, IMAGELORA_MPI_TEXT);
  if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) text[0] = 0;
}

int imagelora_mpi_initialized(bool *started) {
  int flag = 0;
  int code = MPI_Initialized(&flag);
  *started = flag != 0;
  return code;
}

int imagelora_mpi_init(enum imagelora_mpi_threads wanted, enum imagelora_mpi_threads *given) {
#ifdef OPEN_MPI
  // Alone, Open MPI would start a daemon to be ready for ranks that join later.
  setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
#endif
  // The standard gives the levels an order, and no values.
  static const int levels[] = {MPI_THREAD_SINGLE, MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED, MPI_THREAD_MULTIPLE};
  int provided = MPI_THREAD_SINGLE;
  int code = MPI_Init_thread(NULL, NULL, levels[wanted], &provided);
  *given = IMAGELORA_MPI_SINGLE;
  for (int level = IMAGELORA_MPI_SINGLE; level <= IMAGELORA_MPI_MULTIPLE; level++)
    if (provided >= levels[level]) *given = (enum imagelora_mpi_threads)level;
  return code;
}

int imagelora_mpi_return_errors(void) { return MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN); }

int imagelora_mpi_finalize(void) { return MPI_Finalize(); }

void imagelora_mpi_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

int imagelora_mpi_rank(int *rank) { return MPI_Comm_rank(MPI_COMM_WORLD, rank); }

int imagelora_mpi_size(int *size) { return MPI_Comm_size(MPI_COMM_WORLD, size); }

int imagelora_mpi_sum_int64(int64_t *words, int count) {
  return MPI_Allreduce(MPI_IN_PLACE, words, count, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
}

int imagelora_mpi_sum_float(float *numbers, int count) {
  return MPI_Allreduce(MPI_IN_PLACE, numbers, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

int imagelora_mpi_broadcast(void *bytes, int count, int root) {
  return MPI_Bcast(bytes, count, MPI_BYTE, root, MPI_COMM_WORLD);
}

int imagelora_mpi_allgather_int64(int64_t own, int64_t *words) {
  return MPI_Allgather(&own, 1, MPI_INT64_T, words, 1, MPI_INT64_T, MPI_COMM_WORLD);
}

int imagelora_mpi_allgatherv(const void *own, int count, void *all, const int *counts, const int *starts) {
  return MPI_Allgatherv(own, count, MPI_BYTE, all, counts, starts, MPI_BYTE, MPI_COMM_WORLD);
}
