// A tensor's halo, written: mirrored values for the convolutions that want them, zeros for all others.
#include <string.h>
#include "conv_layout.h"

typedef struct {
    quintet_layout layout;
    float *x;
    int mirrored;
} halo_job;

// One plane of one block or planar channel: the columns left and right of each row, then the rows above and below with
// their corners.
static void halo_task(void *context, int index) {
    const halo_job *job = context;
    quintet_layout layout = job->layout;
    const int block = index / layout.depth, d = index % layout.depth, height = layout.height, width = layout.width;
    const long step = layout.planar ? 1 : 16, row = quintet_steps_of(layout).row;
    const size_t voxel = sizeof(float) * step;
    for (int h = 0; h < height; h++) {
        float *x = job->x + quintet_row(layout, block, d, h), *left = x - step, *right = x + width * step;
        if (job->mirrored) memcpy(left, x + step, voxel), memcpy(right, right - 2 * step, voxel);
        else memset(left, 0, voxel), memset(right, 0, voxel);
    }
    float *top = job->x + quintet_row(layout, block, d, -1) - step, *bottom = top + (height + 1) * row;
    if (job->mirrored) {
        memcpy(top, top + 2 * row, sizeof(float) * row);
        memcpy(bottom, bottom - 2 * row, sizeof(float) * row);
    } else {
        memset(top, 0, sizeof(float) * row);
        memset(bottom, 0, sizeof(float) * row);
    }
}

static void write_halo(quintet_pool *pool, quintet_layout layout, float *x, int mirrored) {
    halo_job job = {layout, x, mirrored};
    int blocks = layout.planar ? layout.channels : quintet_blocks(layout);
    quintet_pool_run(pool, blocks * layout.depth, halo_task, &job);
}

void quintet_mirror(quintet_pool *pool, quintet_layout layout, float *x) { write_halo(pool, layout, x, 1); }
void quintet_clear_halo(quintet_pool *pool, quintet_layout layout, float *x) { write_halo(pool, layout, x, 0); }
