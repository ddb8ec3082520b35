// MPI's C interface and, as inline functions, those of its macros that Swift cannot import.
#pragma once
#include <mpi.h>

// Predefined handles are casts of the addresses of structs that only Open MPI's own code knows.
static inline MPI_Comm CMPI_COMM_WORLD(void) { return MPI_COMM_WORLD; }
static inline MPI_Datatype CMPI_BYTE(void) { return MPI_BYTE; }
static inline MPI_Datatype CMPI_INT64_T(void) { return MPI_INT64_T; }
static inline MPI_Datatype CMPI_FLOAT(void) { return MPI_FLOAT; }
static inline MPI_Op CMPI_SUM(void) { return MPI_SUM; }
static inline MPI_Errhandler CMPI_ERRORS_RETURN(void) { return MPI_ERRORS_RETURN; }

// So is the mark of a reduction in place.
static inline void *CMPI_IN_PLACE(void) { return MPI_IN_PLACE; }
