// How an operation on a tensor is cut into tasks: by shapes alone, so that what a task sums up by itself has the same
// bits on every machine. A task is a band: neighbouring rows of one plane of a block or planar channel.
#ifndef QUINTET_LAYER_CUT_H
#define QUINTET_LAYER_CUT_H
#include "conv_layout.h"
#include "quintet_layers.h"

/// Floats of a band at most, where a row has no more: 256 KiB, which stay in a processor's own cache; and those of a
/// task on plain memory, few enough for sums in float.
enum { BAND_FLOATS = 1 << 16, PLAIN_FLOATS = 1 << 12 };

static inline int layer_parts(long whole, long part) { return (int)((whole + part - 1) / part); }

/// Blocks, or channels of a planar tensor, and what one of their voxels has.
static inline int layer_blocks(quintet_layout layout) {
    return layout.planar ? layout.channels : quintet_blocks(layout);
}
static inline int layer_lanes(quintet_layout layout) { return layout.planar ? 1 : 16; }
/// Places of channels, padding among them; and a channel's place.
static inline int layer_places(quintet_layout layout) { return layer_blocks(layout) * layer_lanes(layout); }
static inline int layer_place(quintet_layout layout, int channel) {
    return layout.planar ? channel : quintet_padded(layout, channel);
}
/// The channel at a place, -1 where that is padding.
static inline int layer_channel(quintet_layout layout, int place) {
    return layout.planar ? place : quintet_channel(layout, place);
}
/// Floats of a row without its halo.
static inline long layer_row_floats(quintet_layout layout) { return (long)layout.width * layer_lanes(layout); }
static inline int layer_samples(quintet_layout layout) { return layout.flat ? layout.depth : 1; }
static inline double layer_voxels(quintet_layout layout) {
    return (double)layout.depth * layout.height * layout.width;
}

/// Rows of a band that would have so many floats in each.
static inline int layer_band_rows(int height, long row_floats) {
    long rows = BAND_FLOATS / row_floats;
    return rows < 1 ? 1 : rows < height ? (int)rows : height;
}
static inline int layer_bands(quintet_layout layout) {
    return layer_parts(layout.height, layer_band_rows(layout.height, layer_row_floats(layout)));
}
/// [block][depth][band]
static inline int layer_tasks(quintet_layout layout) {
    return layer_blocks(layout) * layout.depth * layer_bands(layout);
}

/// The rows `first` to below `end` of plane d.
typedef struct { int block, d, first, end; } layer_band;

static inline layer_band layer_band_of(quintet_layout layout, int index) {
    int bands = layer_bands(layout), rows = layer_band_rows(layout.height, layer_row_floats(layout));
    int first = index % bands * rows, plane = index / bands, end = first + rows;
    return (layer_band){plane / layout.depth, plane % layout.depth, first, end < layout.height ? end : layout.height};
}

/// What a task has of the elements: `rows` times `count` neighbouring floats, `step` floats apart.
typedef struct { long first, step, count; int rows; } layer_span;

static inline int layer_element_tasks(quintet_elements elements) {
    return elements.plain ? layer_parts((long)elements.plain, PLAIN_FLOATS) : layer_tasks(elements.layout);
}
static inline layer_span layer_span_of(quintet_elements elements, int index) {
    quintet_layout layout = elements.layout;
    if (elements.plain) {
        long first = (long)index * PLAIN_FLOATS, left = (long)elements.plain - first;
        return (layer_span){first, 0, left < PLAIN_FLOATS ? left : PLAIN_FLOATS, 1};
    }
    layer_band band = layer_band_of(layout, index);
    return (layer_span){quintet_row(layout, band.block, band.d, band.first), quintet_steps_of(layout).row,
                        layer_row_floats(layout), band.end - band.first};
}
/// Elements without padding.
static inline double layer_element_count(quintet_elements elements) {
    return elements.plain ? (double)elements.plain : layer_voxels(elements.layout) * elements.layout.channels;
}
#endif
