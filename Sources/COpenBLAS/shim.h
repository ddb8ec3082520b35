// OpenBLAS's C interface; nothing here needs a shim.
#include <cblas.h>
