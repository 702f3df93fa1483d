// What group and batch norms have in common in all variants: the size of their statistics, and the running ones.
#include <string.h>
#include "layer_cut.h"

static int samples_apart(const quintet_affine_norm *norm) { return norm->batch ? 1 : layer_samples(norm->layout); }

size_t quintet_affine_norm_floats(const quintet_affine_norm *norm) {
    return ((size_t)samples_apart(norm) * 2 * layer_places(norm->layout) + 15) / 16 * 16;
}

// The variance is what 1/sqrt(variance + 1e-5) says: the error of that float is a float's error of the variance.
void quintet_affine_norm_running(const quintet_affine_norm *norm, const float *statistics, double momentum,
                                 float *running_mean, float *running_variance) {
    int places = layer_places(norm->layout);
    double voxels = layer_voxels(norm->layout), unbiased = voxels > 1 ? voxels / (voxels - 1) : 1;
    for (int c = 0; c < norm->layout.channels; c++) {
        int place = layer_place(norm->layout, c);
        double inverse = statistics[places + place], variance = 1 / (inverse * inverse) - 1e-5;
        if (variance < 0) variance = 0;
        running_mean[c] = (float)(running_mean[c] + momentum * (statistics[place] - running_mean[c]));
        running_variance[c] =
            (float)(running_variance[c] + momentum * (variance * unbiased - running_variance[c]));
    }
}

void quintet_affine_norm_frozen(const quintet_affine_norm *norm, const float *running_mean,
                                const float *running_variance, float *statistics) {
    int places = layer_places(norm->layout);
    memset(statistics, 0, sizeof(float) * quintet_affine_norm_floats(norm));
    for (int c = 0; c < norm->layout.channels; c++) {
        int place = layer_place(norm->layout, c);
        statistics[place] = running_mean[c];
        statistics[places + place] = (float)(1 / __builtin_sqrt(running_variance[c] + 1e-5));
    }
}
