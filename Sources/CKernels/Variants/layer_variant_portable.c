// The layers' kernels for any processor: the same bits, from the same source, as the variants with vectors.
#include "conv_vector.h"
#include "layer_cut.h"
#include "layer_kernels.h"
#include "layer_fast.h"

const quintet_layer_kernels quintet_layer_kernels_portable = {
#include "layer_table.h"
};
