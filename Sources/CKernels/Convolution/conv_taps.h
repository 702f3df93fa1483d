// Weights as PyTorch keeps them, read 16 output channels at a time ("in" and "out" by direction). Included once per
// instruction set, after conv_planar.h.
#ifndef QUINTET_CONV_TAPS_H
#define QUINTET_CONV_TAPS_H

typedef struct {
    const quintet_convolution *convolution;
    int direction;
    const float *weights;
} weight_source;

// The taps of 16 pairs of channels, one after another in each row, to a vector for every tap.
INLINE void turn_taps(const float *const *rows, int taps, v16 *g) {
    v16 low[16], high[16];
    if (taps == 1) {
        for (int l = 0; l < 16; l++) g[0][l] = rows[l][0];
        return;
    }
    if (taps < 16) {
        // No more than is there is read: behind the last row may be nothing.
        float row[16] = {0};
        for (int l = 0; l < 16; l++) {
            memcpy(row, rows[l], sizeof(float) * taps);
            low[l] = LOAD_ANY(row);
        }
        transpose_16(low);
        for (int t = 0; t < taps; t++) g[t] = low[t];
        return;
    }
    for (int l = 0; l < 16; l++) low[l] = LOAD_ANY(rows[l]), high[l] = LOAD_ANY(rows[l] + 11);
    transpose_16(low);
    transpose_16(high);
    for (int t = 0; t < 16; t++) g[t] = low[t], g[11 + t] = high[t];
}

// Of input channel c of a pair of blocks (numbered out, then in) and its 16 output channels; zeros for padding.
SEPARATE void taps_of_channel(const weight_source *from, int pair, int c, v16 *g) {
    const int forward = from->direction == QUINTET_FORWARD, taps = quintet_taps(from->convolution);
    quintet_layout in = forward ? from->convolution->fine : from->convolution->coarse;
    quintet_layout out = forward ? from->convolution->coarse : from->convolution->fine;
    static const float padding[27];
    const float *rows[16];
    const int ins = quintet_blocks(in), channel = quintet_channel(in, pair % ins * 16 + c);
    for (int l = 0; l < 16; l++) {
        int other = quintet_channel(out, pair / ins * 16 + l);
        long place = forward ? (long)other * in.channels + channel : (long)channel * out.channels + other;
        rows[l] = channel < 0 || other < 0 ? padding : from->weights + place * taps;
    }
    turn_taps(rows, taps, g);
}
#endif
