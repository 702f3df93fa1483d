// Sums of x and of its squares, from which a norm has its mean and variance. A convolution's tasks sum up what they
// have just written, while the cache still holds it. A slot is what one task sums up of one block or planar channel;
// slots are added in their order. Blocked: lanes are channels. Planar: lanes are neighbouring voxels, folded at the
// end. Included once per instruction set, before all kernels.
#ifndef QUINTET_CONV_SUMS_H
#define QUINTET_CONV_SUMS_H

typedef struct {
    quintet_layout layout;
    // Of each block.
    int slots;
    // [block][slot][2][16]; NULL: nobody asks.
    double *sums;
} norm_sums;

INLINE int row_blocks(quintet_layout layout) { return layout.planar ? layout.channels : quintet_blocks(layout); }
INLINE int is_summed(const norm_sums *norm, int block) { return norm->sums && block < row_blocks(norm->layout); }

// One task's sums of one block, of distances to the first voxel it meets: so squares lose no digits to a mean that is
// far from zero. Float within a row or a tile's plane, whose voxels are few, double beyond.
typedef struct {
    d16 sum, square;
    v16 pivot;
    int count;
} running_sums;

INLINE void store_sums(const norm_sums *norm, int block, int slot, const running_sums *own) {
    d16 pivot = WIDEN(own->pivot), count = 0, all[2];
    // Planar lanes are folded later: one of them counts for all.
    count[0] = own->count;
    if (!norm->layout.planar) count = (d16)(double)own->count;
    all[0] = FMA(count, pivot, own->sum);
    all[1] = FMA(pivot, own->sum + all[0], own->square);
    memcpy(norm->sums + ((long)block * norm->slots + slot) * 32, all, sizeof all);
}

// The last, partial vector of a row: lanes from `count` on are zero.
INLINE v16 load_some(const float *x, int count) {
    if (count >= 16) return LOAD_ANY(x);
    float lane[16] = {0};
    for (int i = 0; i < count; i++) lane[i] = x[i];
    return LOAD_ANY(lane);
}

// Rows of one plane of a block.
SEPARATE void sum_blocked_rows(const float *x, long row, int rows, int width, running_sums *own) {
    if (own->count == 0) own->pivot = LOAD(x);
    v16 sum = SPLAT(0), square = SPLAT(0), pivot = own->pivot;
    for (int h = 0; h < rows; h++, x += row)
        for (int i = 0; i < width; i++) {
            v16 v = LOAD(x + i * 16) - pivot;
            sum += v;
            square = FMA(v, v, square);
        }
    own->sum += WIDEN(sum);
    own->square += WIDEN(square);
    own->count += rows * width;
}

SEPARATE void sum_planar_row(const float *x, int width, running_sums *own) {
    if (own->count == 0) own->pivot = SPLAT(*x);
    v16 sum = SPLAT(0), square = SPLAT(0), pivot = own->pivot;
    for (int i = 0; i < width; i += 16) {
        v16 v = load_some(x + i, width - i) - pivot;
        for (int l = width - i; l < 16; l++) v[l] = 0;
        sum += v;
        square = FMA(v, v, square);
    }
    own->sum += WIDEN(sum);
    own->square += WIDEN(square);
    own->count += width;
}

// Adds the slots of a block in order; planar lanes are folded into lane 0. kinds: sums in a slot (16 doubles each).
INLINE void add_slots(int planar, int slots, const double *scratch, int block, int kinds, double *total) {
    for (int i = 0; i < kinds * 16; i++) total[i] = 0;
    for (int slot = 0; slot < slots; slot++)
        for (int i = 0; i < kinds * 16; i++) total[i] += scratch[((long)block * slots + slot) * kinds * 16 + i];
    if (!planar) return;
    for (int kind = 0; kind < kinds; kind++)
        for (int l = 1; l < 16; l++) total[kind * 16] += total[kind * 16 + l];
}

// Mean and 1/sqrt(variance + 1e-5) from all slots.
static void statistics_of_sums(const norm_sums *norm, float *statistics) {
    quintet_layout layout = norm->layout;
    int blocks = row_blocks(layout), lanes = layout.planar ? 1 : 16;
    double count = (double)layout.depth * layout.height * layout.width, total[32];
    for (int block = 0; block < blocks; block++) {
        add_slots(layout.planar, norm->slots, norm->sums, block, 2, total);
        for (int l = 0; l < lanes; l++) {
            double mean = total[l] / count, variance = total[16 + l] / count - mean * mean;
            statistics[block * lanes + l] = (float)mean;
            statistics[(blocks + block) * lanes + l] =
                (float)(1 / __builtin_sqrt((variance > 0 ? variance : 0) + 1e-5));
        }
    }
}
#endif
