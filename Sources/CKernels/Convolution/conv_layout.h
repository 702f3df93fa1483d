// Where a voxel lies. Internal to the network's kernels.
#ifndef QUINTET_CONV_LAYOUT_H
#define QUINTET_CONV_LAYOUT_H
#include "quintet_network.h"

static inline int quintet_blocks(quintet_layout layout) {
    return (layout.split + 15) / 16 + (layout.channels - layout.split + 15) / 16;
}

/// Distances in floats; `block` lies between blocks, or between the channels of a planar tensor.
typedef struct { long row, plane, block; } quintet_steps;

static inline quintet_steps quintet_steps_of(quintet_layout layout) {
    quintet_steps steps;
    steps.row = (long)(layout.width + 2) * (layout.planar ? 1 : 16);
    steps.plane = (layout.height + 2) * steps.row;
    steps.block = (layout.depth + (layout.flat ? 0 : 2)) * steps.plane;
    return steps;
}

/// First float of a block or planar channel, in its halo.
static inline long quintet_block(quintet_layout layout, int block) {
    int second = layout.split > 0 && block >= (layout.split + 15) / 16;
    return (block + (second ? layout.gap : 0)) * quintet_steps_of(layout).block;
}

/// First float of the row (d, h) of a block or planar channel, interior coordinates.
static inline long quintet_row(quintet_layout layout, int block, int d, int h) {
    quintet_steps steps = quintet_steps_of(layout);
    int plane = layout.flat ? d : d + 1;
    return quintet_block(layout, block) + plane * steps.plane + (h + 1) * steps.row + (layout.planar ? 1 : 16);
}

/// Where a coordinate in the halo is mirrored from; any other is its own.
static inline int quintet_mirrored(int f, int size) { return f < 0 ? 1 : f >= size ? size - 2 : f; }

/// Channel c's place among the padded channels.
static inline int quintet_padded(quintet_layout layout, int c) {
    return c < layout.split ? c : (layout.split + 15) / 16 * 16 + c - layout.split;
}

/// The channel at a place among the padded channels, -1 where the place is padding.
static inline int quintet_channel(quintet_layout layout, int place) {
    int second = (layout.split + 15) / 16 * 16, channel = place - second + layout.split;
    if (place < second) return place < layout.split ? place : -1;
    return channel < layout.channels ? channel : -1;
}

/// Any element; d, h, w from -1 (halo) to size, d of a flat tensor within it.
static inline long quintet_element(quintet_layout layout, int c, int d, int h, int w) {
    if (layout.planar) return quintet_row(layout, c, d, h) + w;
    int place = quintet_padded(layout, c);
    return quintet_row(layout, place / 16, d, h) + (long)w * 16 + place % 16;
}

static inline int quintet_taps(const quintet_convolution *convolution) {
    return convolution->kernel.depth * convolution->kernel.height * convolution->kernel.width;
}
/// Taps of one axis that lie before the voxel itself.
static inline int quintet_reach(int kernel) { return (kernel - 1) / 2; }
static inline int quintet_is_cube(quintet_size3 size, int side) {
    return size.depth == side && size.height == side && size.width == side;
}

/// Tiles of 2x4x4 voxels that cover a tensor.
static inline int quintet_winograd_tiles(quintet_layout layout) {
    return (layout.depth + 1) / 2 * ((layout.height + 3) / 4) * ((layout.width + 3) / 4);
}
/// Floats from one point's weights to the next's: an odd number of cache lines, to spread over the cache's sets.
static inline long quintet_winograd_step(int in_blocks, int out_blocks) {
    return (long)in_blocks * out_blocks * 256 + 16;
}
/// Tiles of 4x4 voxels that cover the planes of a flat tensor, and the points of one.
static inline int quintet_flat_tiles(quintet_layout layout) {
    return layout.depth * ((layout.height + 3) / 4) * ((layout.width + 3) / 4);
}
enum { FLAT_POINTS = 36 };
enum { WINOGRAD_BLOCKS_MAX = 64, WINOGRAD_GRADIENT_CHUNK = 24, WINOGRAD_FEW_TILES = 64 };
/// Tiles of a task at stride 2, where a tile has three times the points.
enum { PARITY_CHUNK = 8, PARITY_GRADIENT_CHUNK = 8 };
int quintet_uses_winograd(const quintet_convolution *convolution);
int quintet_uses_winograd_gradient(const quintet_convolution *convolution);
/// The same question of flat tensors.
int quintet_uses_flat_winograd(const quintet_convolution *convolution);
/// So few tiles that a point's weights would be read from memory to be used once: they are made where they are used,
/// and every task has all tiles and some of the channels.
static inline int quintet_winograd_has_few_tiles(const quintet_convolution *convolution) {
    return convolution->stride.height == 1 && quintet_winograd_tiles(convolution->coarse) <= WINOGRAD_FEW_TILES;
}
/// Floats that the points of one block of few tiles take.
static inline long quintet_winograd_block(int tiles) { return 144L * (tiles + 1) * 16; }
/// Scratch of the calling thread, 64-byte aligned; the same memory at the next call. The first is for one task, the
/// second for what all tasks of a call share.
float *quintet_thread_scratch(size_t floats);
float *quintet_call_scratch(size_t floats);

typedef struct {
    void (*convolve)(quintet_pool *, const quintet_convolution *, const float *, const float *, const float *,
                     float *, int, const quintet_result_statistics *);
    void (*convolve_transposed)(quintet_pool *, const quintet_convolution *, const float *, const float *,
                                const float *, float *, int, const quintet_result_statistics *);
    /// Of blocked tensors.
    void (*pack_weights)(quintet_pool *, const quintet_convolution *, int, const float *, float *);
    void (*weight_gradient)(quintet_pool *, const quintet_convolution *, const float *, const float *, float *,
                            float *);
    void (*mirror_gradient)(quintet_pool *, const quintet_convolution *, const float *, const float *, float *);
    void (*bias_gradient)(quintet_pool *, quintet_layout, const float *, double *, float *);
    void (*norm_statistics)(quintet_pool *, quintet_layout, const float *, double *, float *);
    void (*norm_activate)(quintet_pool *, quintet_layout, const float *, const float *, const float *,
                          const float *, float *);
    void (*norm_activate_gradient)(quintet_pool *, quintet_layout, const float *, const float *, const float *,
                                   const float *, double *, float *, float *);
    void (*add)(quintet_pool *, quintet_layout, const float *, float *);
    void (*dice_cross_entropy)(quintet_pool *, quintet_layout, const float *, const uint8_t *, double, double *,
                               float *, quintet_loss_figures *);
    void (*softmax)(quintet_pool *, quintet_layout, int32_t, int32_t, int32_t, const float *, int32_t, float *);
    void (*adam)(quintet_pool *, size_t, double, double, double, double, double, double, const float *, float *,
                 float *, float *);
} quintet_kernels;

extern const quintet_kernels quintet_kernels_naive, quintet_kernels_portable;
#if defined(__x86_64__)
extern const quintet_kernels quintet_kernels_avx2, quintet_kernels_avx512;
#endif

/// Planar channels, and blocks on the other side, that the planar kernels take.
enum { PLANAR_CHANNELS_MAX = 4, PLANAR_BLOCKS_MAX = 64 };

/// How a convolution is computed: by shape alone.
typedef enum { PLAN_NAIVE, PLAN_BLOCKED, PLAN_PLANAR_TO_BLOCKED, PLAN_PLANAR, PLAN_BLOCKED_TO_PLANAR } quintet_plan;
quintet_plan quintet_plan_of(const quintet_convolution *convolution);
#endif
