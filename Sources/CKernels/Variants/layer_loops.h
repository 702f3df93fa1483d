// How the naive kernels of layers walk through tensors. Internal to layer_variant_naive.c.
#ifndef QUINTET_LAYER_LOOPS_H
#define QUINTET_LAYER_LOOPS_H
#include "layer_cut.h"

#define EACH_VOXEL(layout) \
    for (int d = 0; d < (layout).depth; d++) \
        for (int h = 0; h < (layout).height; h++) \
            for (int w = 0; w < (layout).width; w++)

// Where element number i of plain [C, D, H, W] lies; number i itself in plain memory.
static long element_at(quintet_elements elements, long i) {
    quintet_layout layout = elements.layout;
    if (elements.plain) return i;
    int w = (int)(i % layout.width), h = (int)(i / layout.width % layout.height);
    long plane = i / layout.width / layout.height;
    return quintet_element(layout, (int)(plane / layout.depth), (int)(plane % layout.depth), h, w);
}

// Every element in the order of plain [C, D, H, W]: its number i, and the floats from the start to it.
#define EACH_ELEMENT(elements, i, at) \
    for (long i = 0, at, ends = (long)layer_element_count(elements); \
         i < ends && (at = element_at(elements, i), 1); i++)
#endif
