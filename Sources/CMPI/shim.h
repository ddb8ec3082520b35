// Open MPI's handles are macros over casts of external structs, which Swift cannot import: one inline function each.
#include <mpi.h>
