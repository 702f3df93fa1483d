// How many multiplications a convolution takes: by its definition, and by the algorithm that its shape gets.
#include "conv_layout.h"
#include "quintet_bench.h"

static double voxels(quintet_layout layout) { return (double)layout.depth * layout.height * layout.width; }

static double taps(const quintet_convolution *convolution) {
    return quintet_taps(convolution);
}

double quintet_direct_multiplications(const quintet_convolution *convolution) {
    return voxels(convolution->coarse) * taps(convolution) * convolution->fine.channels * convolution->coarse.channels;
}

double quintet_multiplications(const quintet_convolution *convolution, int direction) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    int winograd = direction == QUINTET_WEIGHT_GRADIENT ? quintet_uses_winograd_gradient(convolution)
                                                        : quintet_uses_winograd(convolution);
    switch (quintet_plan_of(convolution)) {
    case PLAN_BLOCKED: {
        double pairs = 256.0 * quintet_blocks(fine) * quintet_blocks(coarse);
        // A tile's products: conv_winograd.h and, at stride 2, conv_parity.h; of flat tensors flat_winograd.h.
        double products = convolution->stride.height == 2 ? 405 : 144;
        if (quintet_uses_flat_winograd(convolution)) return FLAT_POINTS * (double)quintet_flat_tiles(coarse) * pairs;
        if (winograd) return products * quintet_winograd_tiles(coarse) * pairs;
        return voxels(coarse) * taps(convolution) * pairs;
    }
    case PLAN_PLANAR_TO_BLOCKED:
        return voxels(coarse) * taps(convolution) * fine.channels * 16 * quintet_blocks(coarse);
    case PLAN_BLOCKED_TO_PLANAR:
        return voxels(coarse) * taps(convolution) * coarse.channels * 16 * quintet_blocks(fine);
    case PLAN_PLANAR: case PLAN_NAIVE: break;
    }
    return quintet_direct_multiplications(convolution);
}
