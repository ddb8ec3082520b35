// What this program asks of MPI, without a type of mpi.h: imagelora_mpi.c is compiled against the implementation at
// hand, and nothing else knows how it represents its handles. All ranks are those of MPI_COMM_WORLD.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Capacity of a text that a function below writes, its closing 0 included.
#define IMAGELORA_MPI_TEXT 8193

// Implementations with launchers of their own.
enum imagelora_mpi_family {
  IMAGELORA_MPI_OPEN_MPI,
  IMAGELORA_MPI_MPICH,
  IMAGELORA_MPI_INTEL,
  IMAGELORA_MPI_MVAPICH,
  IMAGELORA_MPI_OTHER,
};

// Which threads may call MPI, in the standard's order.
enum imagelora_mpi_threads {
  IMAGELORA_MPI_SINGLE,
  IMAGELORA_MPI_FUNNELED,
  IMAGELORA_MPI_SERIALIZED,
  IMAGELORA_MPI_MULTIPLE,
};

// What mpi.h was compiled against: the implementation, and its name and version, "Open MPI 4.1.4".
enum imagelora_mpi_family imagelora_mpi_family(void);
const char *imagelora_mpi_built_against(void);

// Every function that returns int returns 0, or the code of the MPI function of its name, which imagelora_mpi_error
// spells. Counts are of elements.

// MPI_Get_library_version of the library that was loaded; before the start of MPI too.
int imagelora_mpi_library_version(char text[IMAGELORA_MPI_TEXT]);
// MPI_Error_string; an empty text for a code that has none.
void imagelora_mpi_error(int code, char text[IMAGELORA_MPI_TEXT]);

// MPI_Initialized.
int imagelora_mpi_initialized(bool *started);
// MPI_Init_thread: asks for a level and says which one was given, which may be a lower or a higher one.
int imagelora_mpi_init(enum imagelora_mpi_threads wanted, enum imagelora_mpi_threads *given);
// MPI_Comm_set_errhandler: errors are returned from here on, and end the job no more.
int imagelora_mpi_return_errors(void);
int imagelora_mpi_finalize(void);
// MPI_Abort. It may return where MPI is too broken to end anything.
void imagelora_mpi_abort(int status);

int imagelora_mpi_rank(int *rank);
int imagelora_mpi_size(int *size);
// MPI_Allreduce, MPI_SUM, in place.
int imagelora_mpi_sum_int64(int64_t *words, int count);
int imagelora_mpi_sum_float(float *numbers, int count);
// MPI_Bcast.
int imagelora_mpi_broadcast(void *bytes, int count, int root);
// MPI_Allgather of one word of each rank: `words` has room for all.
int imagelora_mpi_allgather_int64(int64_t own, int64_t *words);
// MPI_Allgatherv of bytes: `counts` and `starts` have a number for each rank.
int imagelora_mpi_allgatherv(const void *own, int count, void *all, const int *counts, const int *starts);
