// How an operation is cut into tasks: by shapes alone, so that what a task sums up by itself has the same bits on every
// machine. Internal to the network's kernels.
#ifndef QUINTET_CONV_CUT_H
#define QUINTET_CONV_CUT_H
#include "conv_layout.h"

static inline int quintet_parts(int whole, int part) { return (whole + part - 1) / part; }

/// Of flat tensors: tiles whose points are made together, a multiple of what stands in registers; pairs of blocks up to
/// which their points stay with one task; bytes of points that all tasks share otherwise.
enum { FLAT_CHUNK = 36, FLAT_PAIRS_MAX = 32, FLAT_BYTES = 16 << 20 };

/// Tiles of one Winograd task: enough that the weights of a point are used several times from the cache, few enough
/// that the points stay in it. Where that makes few tasks, a multiple of eight of them, so that no thread waits long.
static inline int quintet_winograd_chunk(const quintet_convolution *convolution) {
    int most = quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse) <= 4 ? 12 : 24;
    int tiles = quintet_winograd_tiles(convolution->coarse), tasks = quintet_parts(tiles, most);
    return tasks < 32 ? quintet_parts(tiles, quintet_parts(tasks, 8) * 8) : most;
}

/// Tiles of one task at stride 2, and the parts into which the result's blocks are cut so that a small tensor has
/// several tasks. Few tiles with many output blocks wait for weights: they stay together, and each part transforms the
/// inputs again. With many input blocks that would cost more than reading the weights twice.
typedef struct { int chunk, parts; } quintet_parity_cut;

static inline quintet_parity_cut quintet_parity_cut_of(const quintet_convolution *convolution, int direction) {
    int tiles = quintet_winograd_tiles(convolution->coarse), half = quintet_parts(tiles, 2);
    int fine = quintet_blocks(convolution->fine), coarse = quintet_blocks(convolution->coarse);
    int outs = direction == QUINTET_FORWARD ? coarse : fine, ins = direction == QUINTET_FORWARD ? fine : coarse;
    quintet_parity_cut cut = {half < PARITY_CHUNK ? half : PARITY_CHUNK, 0};
    if (outs > ins && half <= PARITY_CHUNK) cut.chunk = tiles;
    int chunks = quintet_parts(tiles, cut.chunk), wanted = (7 + chunks) / chunks;
    cut.parts = quintet_parts(outs, 4) < wanted ? quintet_parts(outs, 4) : wanted;
    return cut;
}

/// Of flat tensors. With many channels the weights of one point fill a cache: then a task has one point of many tiles.
static inline int quintet_flat_by_points(const quintet_convolution *convolution) {
    return quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse) > FLAT_PAIRS_MAX;
}
/// Tiles whose points are made by one task.
static inline int quintet_flat_chunk(const quintet_convolution *convolution) {
    if (quintet_flat_by_points(convolution)) return FLAT_CHUNK;
    int tiles = quintet_flat_tiles(convolution->coarse), tasks = quintet_parts(tiles, FLAT_CHUNK);
    return tasks < 32 ? quintet_parts(tiles, quintet_parts(tasks, 8) * 8) : FLAT_CHUNK;
}
/// Tiles that are together in memory when each task has one point: a multiple of a chunk, as many as FLAT_BYTES hold.
static inline int quintet_flat_batch(const quintet_convolution *convolution) {
    int blocks = quintet_blocks(convolution->fine) + quintet_blocks(convolution->coarse);
    int tiles = quintet_parts(quintet_flat_tiles(convolution->coarse), FLAT_CHUNK) * FLAT_CHUNK;
    int most = (int)(FLAT_BYTES / (FLAT_POINTS * 64L * blocks)) / FLAT_CHUNK * FLAT_CHUNK;
    if (most < 2 * FLAT_CHUNK) most = 2 * FLAT_CHUNK;
    return tiles < most ? tiles : most;
}
/// Floats from one point to the next: an odd number of cache lines, to spread over the cache's sets.
static inline long quintet_flat_step(int blocks, int tiles) { return ((long)blocks * tiles + 1) * 16; }

/// Rows of one task beside a planar side: enough that neighbouring tasks share little, few enough that there are many.
static inline int quintet_planar_rows(quintet_layout layout) { return layout.height < 16 ? layout.height : 16; }

/// A transposed convolution to planar channels that turns its rows round (conv_planar.h): coarse planes and rows of one
/// task.
enum { TURNED_PLANES = 4, TURNED_BLOCKS_MAX = 8 };
static inline int quintet_uses_turned_rows(const quintet_convolution *convolution) {
    return quintet_plan_of(convolution) == PLAN_PLANAR_TO_BLOCKED && convolution->stride.height == 2
           && convolution->kernel.height == 3 && quintet_blocks(convolution->coarse) <= TURNED_BLOCKS_MAX;
}
static inline int quintet_turned_rows(const quintet_convolution *convolution) {
    return (quintet_planar_rows(convolution->fine) + 1) / 2;
}
static inline int quintet_turned_tasks(const quintet_convolution *convolution) {
    quintet_layout coarse = convolution->coarse;
    return quintet_parts(coarse.depth, TURNED_PLANES) * quintet_parts(coarse.height, quintet_turned_rows(convolution));
}

/// Tasks that each write a part of every block of the result and sum it up; 0 where the result is summed up afterwards.
static inline int quintet_result_slots(const quintet_convolution *convolution, int direction) {
    quintet_layout coarse = convolution->coarse;
    switch (quintet_plan_of(convolution)) {
    case PLAN_BLOCKED:
        if (quintet_uses_flat_winograd(convolution))
            return quintet_parts(quintet_flat_tiles(coarse), quintet_flat_chunk(convolution));
        if (!quintet_uses_winograd(convolution)) return 0;
        if (quintet_winograd_has_few_tiles(convolution)) return 1;
        return quintet_parts(quintet_winograd_tiles(coarse),
                             convolution->stride.height == 1 ? quintet_winograd_chunk(convolution)
                                                      : quintet_parity_cut_of(convolution, direction).chunk);
    case PLAN_PLANAR_TO_BLOCKED:
        if (direction == QUINTET_FORWARD)
            return coarse.depth * quintet_parts(coarse.height, quintet_planar_rows(coarse));
        return quintet_uses_turned_rows(convolution) ? quintet_turned_tasks(convolution) : 0;
    case PLAN_PLANAR: case PLAN_BLOCKED_TO_PLANAR: case PLAN_NAIVE: return 0;
    }
    return 0;
}
#endif
