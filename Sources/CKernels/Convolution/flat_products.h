// Convolutions of flat blocked tensors whose taps do not overlap, 1x1 at stride 1 and 2x2 at stride 2: products of
// matrices, one for each tap. A task has some rows of the coarse side; what it reads is copied side by side first.
// Included once per instruction set, after flat_winograd.h.
#ifndef QUINTET_FLAT_PRODUCTS_H
#define QUINTET_FLAT_PRODUCTS_H

// The voxels of one side that tap (th, tw) of coarse row h meets: the first, and the distance to the next in floats.
typedef struct { float *first; long step; } tap_row;

INLINE tap_row row_of_tap(quintet_layout layout, float *tensor, int block, int d, int h, int side, int tap) {
    float *row = tensor + quintet_row(layout, block, d, h * side + tap / side) + tap % side * 16L;
    return (tap_row){row, side * 16L};
}

INLINE void gather_row(tap_row from, int width, float *to) {
    for (int w = 0; w < width; w++) STORE(to + w * 16, LOAD(from.first + w * from.step));
}
// start: what is added to the sums, NULL for what stands there.
INLINE void scatter_row(const float *sums, int width, tap_row to, const float *start) {
    for (int w = 0; w < width; w++) {
        float *y = to.first + w * to.step;
        STORE(y, LOAD(sums + w * 16) + (start ? LOAD(start) : LOAD(y)));
    }
}

// Rows [first, last) of coarse plane d, and where their voxels lie: x [tap][in][voxel][16], y [out][voxel][16].
typedef struct {
    const direct_job *job;
    int d, first, last, width;
    float *x, *y;
} products_part;

INLINE int products_count(const products_part *part) { return (part->last - part->first) * part->width; }

static void products_gather(const products_part *part, int side, int taps) {
    const direct_job *job = part->job;
    float *to = part->x;
    for (int t = 0; t < taps; t++)
        for (int b = 0; b < job->in_blocks; b++)
            for (int h = part->first; h < part->last; h++, to += part->width * 16L)
                gather_row(row_of_tap(job->in_layout, (float *)job->in, b, part->d, h, side, t), part->width, to);
}

static void products_scatter(const products_part *part, int side, int tap) {
    const direct_job *job = part->job;
    const float *from = part->y;
    float start[16] __attribute__((aligned(64)));
    for (int b = 0; b < quintet_blocks(job->out_layout); b++) {
        load_bias(start, job->bias, b, job->out_layout);
        for (int h = part->first; h < part->last; h++, from += part->width * 16L)
            scatter_row(from, part->width, row_of_tap(job->out_layout, job->out, b, part->d, h, side, tap),
                        job->accumulate ? NULL : start);
    }
}

// Forward, the sum of all taps' products; transposed, each tap's own. w: [out][in][tap][16][16].
static void products_task(void *context, int index) {
    const direct_job *job = context;
    quintet_layout coarse = job->flipped ? job->in_layout : job->out_layout;
    const int side = job->kernel.height, taps = side * side, ins = job->in_blocks;
    const int outs = quintet_blocks(job->out_layout), parts = quintet_parts(coarse.height, job->group);
    int first = index % parts * job->group, last = first + job->group;
    if (last > coarse.height) last = coarse.height;
    products_part part = {job, index / parts, first, last, coarse.width, NULL, NULL};
    const int count = products_count(&part), in_taps = job->flipped ? 1 : taps;
    part.x = quintet_thread_scratch(((long)in_taps * ins + outs) * count * 16);
    part.y = part.x + (long)in_taps * ins * count * 16;
    products_gather(&part, job->flipped ? 1 : side, in_taps);
    for (int t = 0; t < taps; t++) {
        const float *x = part.x + (job->flipped ? 0 : (long)t * ins * count * 16);
        flat_products(count, x, count * 16L, job->w + t * 256, taps * 256, ins, outs, part.y, count * 16L,
                      job->flipped || t == 0);
        if (job->flipped) products_scatter(&part, side, t);
    }
    if (!job->flipped) products_scatter(&part, 1, 0);
}

static void products(quintet_pool *pool, const quintet_convolution *convolution, direct_job *job) {
    quintet_layout coarse = convolution->coarse;
    job->kernel = convolution->kernel;
    quintet_pool_run(pool, coarse.depth * quintet_parts(coarse.height, job->group), products_task, job);
}

// Weight gradient: one fine block, one slot of rows, all coarse blocks. scratch as direct_gradient_task's.
static void products_gradient_task(void *context, int index) {
    const gradient_job *job = context;
    quintet_layout fine = job->convolution->fine, coarse = job->convolution->coarse;
    const int side = job->convolution->kernel.height, taps = side * side, ins = quintet_blocks(fine);
    const int outs = quintet_blocks(coarse), slot = index % job->slots, b = index / job->slots;
    const long sums_out = (long)ins * job->slots * taps * 256, rows = (long)coarse.depth * coarse.height;
    const long begin = rows * slot / job->slots, end = rows * (slot + 1) / job->slots;
    float *x = quintet_thread_scratch(coarse.width * 16L);
    for (long r = begin; r < end; r++)
        for (int t = 0; t < taps; t++) {
            int d = (int)(r / coarse.height), h = (int)(r % coarse.height), o = 0;
            gather_row(row_of_tap(fine, (float *)job->x, b, d, h, side, t), coarse.width, x);
            float *sums = job->scratch + (((long)b * job->slots + slot) * taps + t) * 256;
            for (; o < outs; o += 2, sums += 2 * sums_out) {
                const float *dy = job->dy + quintet_row(coarse, o, d, h);
                if (o + 1 == outs) {
                    tile_products_16(x, dy, sums, coarse.width, r == begin);
                    break;
                }
                long next = quintet_row(coarse, o + 1, d, h) - quintet_row(coarse, o, d, h);
                flat_pair_products_16(x, dy, next, sums, sums_out, coarse.width, r == begin);
            }
        }
}
#endif
