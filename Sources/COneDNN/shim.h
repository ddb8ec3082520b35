// oneDNN's C interface, and the one call that says how many threads its OpenMP runtime may use: oneDNN has none of its
// own, and gcc's omp.h is not on every compiler's path.
#include <oneapi/dnnl/dnnl.h>
void omp_set_num_threads(int count);
