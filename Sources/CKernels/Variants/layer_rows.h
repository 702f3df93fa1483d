// Vectors from and to the ends of rows, and sums of lanes, for the fast kernels of layers. A row's 16 neighbouring
// floats are 16 channels of a voxel or 16 voxels of a planar channel. Included once per instruction set.
#ifndef QUINTET_LAYER_ROWS_H
#define QUINTET_LAYER_ROWS_H

// `count` floats, 16 at most; lanes behind them are zero.
INLINE v16 load_some(const float *x, long count) {
    if (count >= 16) return LOAD_ANY(x);
    float lane[16] = {0};
    for (long i = 0; i < count; i++) lane[i] = x[i];
    return LOAD_ANY(lane);
}
INLINE void store_some(float *x, long count, v16 v) {
    if (count >= 16) {
        STORE_ANY(x, v);
        return;
    }
    float lane[16];
    STORE_ANY(lane, v);
    for (long i = 0; i < count; i++) x[i] = lane[i];
}

// One task's sums are 16 doubles of each kind; they are added task by task, then lane by lane.
SEPARATE double sum_of_tasks(int tasks, int kinds, int kind, const double *sums) {
    double total[16] = {0}, all = 0;
    for (int task = 0; task < tasks; task++)
        for (int l = 0; l < 16; l++) total[l] += sums[((long)task * kinds + kind) * 16 + l];
    for (int l = 0; l < 16; l++) all += total[l];
    return all;
}

// Memory for so many doubles of all tasks of one call.
static inline double *call_sums(size_t doubles) { return (double *)quintet_call_scratch(2 * doubles); }
#endif
