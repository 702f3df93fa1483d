// The yardsticks for any processor.
#include "conv_vector.h"
#include "peak_shared.h"
#define CHAINS 6
#include "peak_fast.h"

const quintet_peak_loops quintet_peak_portable = {peak_compute, peak_copy, peak_triad};
