// HDF5's native types are macros that first initialise the library, which Swift cannot import: one inline function each.
#include <hdf5.h>
