// How losses read and write 16 voxels of each class. Included once per instruction set, behind a load_some().
#ifndef QUINTET_LOSS_VOXELS_H
#define QUINTET_LOSS_VOXELS_H

// Channel c of 16 voxels from w on; lanes past the row's end are zero.
INLINE v16 load_channel(quintet_layout layout, const float *x, int c, int d, int h, int w) {
    const float *from = x + quintet_element(layout, c, d, h, w);
    if (layout.planar) return load_some(from, layout.width - w);
    float lane[16] = {0};
    for (int i = 0; i < 16 && w + i < layout.width; i++) lane[i] = from[i * 16];
    return LOAD_ANY(lane);
}
INLINE void store_channel(quintet_layout layout, float *x, int c, int d, int h, int w, v16 v) {
    float *to = x + quintet_element(layout, c, d, h, w);
    if (layout.planar && w + 16 <= layout.width) {
        STORE_ANY(to, v);
        return;
    }
    for (int i = 0; i < 16 && w + i < layout.width; i++) to[layout.planar ? i : i * 16] = v[i];
}
INLINE v16 largest_logit(quintet_layout layout, const float *logits, int d, int h, int w) {
    v16 top = load_channel(layout, logits, 0, d, h, w);
    for (int c = 1; c < layout.channels; c++) {
        v16 z = load_channel(layout, logits, c, d, h, w);
        top = SELECT(z > top, z, top);
    }
    return top;
}
// Classes of 16 voxels from w on; -1 past the row's end.
INLINE i16 load_target(quintet_layout layout, const uint8_t *targets, int d, int h, int w) {
    const uint8_t *from = targets + ((long)d * layout.height + h) * layout.width + w;
    if (w + 16 <= layout.width) {
        typedef uint8_t bytes16 __attribute__((ext_vector_type(16), aligned(1)));
        return __builtin_convertvector(*(const bytes16 *)from, i16);
    }
    int32_t lane[16];
    for (int i = 0; i < 16; i++) lane[i] = w + i < layout.width ? from[i] : -1;
    i16 target;
    memcpy(&target, lane, sizeof target);
    return target;
}

INLINE double sum_doubles(d16 v) {
    double sum = 0;
    for (int i = 0; i < 16; i++) sum += v[i];
    return sum;
}
#endif
