// Connected components by runs: a run is a maximal stretch of set voxels in one row, so a mask of millions of voxels
// is thousands of runs, and components are found by joining runs. A mask is either bytes (not 0 = set) or rows of
// bits (quintet_bits.h). C order, x fastest; row = z * height + y.
#ifndef QUINTET_COMPONENTS_H
#define QUINTET_COMPONENTS_H
#include <stddef.h>
#include <stdint.h>

/// Voxels begin ..< end of a row.
typedef struct { int32_t begin, end; } quintet_run;

/// counts[i] = runs in row first_row + i.
void quintet_runs_count_bytes(const uint8_t *mask, size_t width, size_t first_row, size_t rows, int32_t *counts);
void quintet_runs_count_bits(const uint64_t *bits, size_t width, size_t first_row, size_t rows, int32_t *counts);

/// Writes the runs of each row from runs[row_start[row]] on; row_start is for the whole volume (rows + 1 entries).
void quintet_runs_fill_bytes(const uint8_t *mask, size_t width, size_t first_row, size_t rows,
                             const int32_t *row_start, quintet_run *runs);
void quintet_runs_fill_bits(const uint64_t *bits, size_t width, size_t first_row, size_t rows,
                            const int32_t *row_start, quintet_run *runs);

/// Joins runs that touch within slices first_slice ..< first_slice + slices; sets these runs' parents first.
/// The root of a set is its first run. full: 26 neighbours, otherwise 6.
void quintet_runs_join(const quintet_run *runs, const int32_t *row_start, size_t height, size_t first_slice,
                       size_t slices, int full, int32_t *parents);

/// Joins the runs of `slice` with those of the slice before it.
void quintet_runs_join_seam(const quintet_run *runs, const int32_t *row_start, size_t height, size_t slice, int full,
                            int32_t *parents);

/// Turns parents into labels 1, 2, ... in the order of each component's first run; returns how many.
int32_t quintet_runs_resolve(int32_t *parents, size_t count);

/// Writes every voxel of the rows: 0 or its run's value.
void quintet_runs_paint(const quintet_run *runs, const int32_t *values, const int32_t *row_start, size_t width,
                        size_t first_row, size_t rows, int32_t *out);
/// Writes every voxel of the rows: 1 where the run's label is kept (keep[label] != 0), otherwise 0.
void quintet_runs_paint_bytes(const quintet_run *runs, const int32_t *labels, const uint8_t *keep,
                              const int32_t *row_start, size_t width, size_t first_row, size_t rows, uint8_t *out);
/// Writes every word of the rows: the bits of the runs whose label is kept.
void quintet_runs_paint_bits(const quintet_run *runs, const int32_t *labels, const uint8_t *keep,
                             const int32_t *row_start, size_t width, size_t first_row, size_t rows, uint64_t *out);
/// Takes the runs whose label is not kept out of `bits`, the mask that the runs were found in.
void quintet_runs_erase_bits(const quintet_run *runs, const int32_t *labels, const uint8_t *keep,
                             const int32_t *row_start, size_t width, size_t first_row, size_t rows, uint64_t *bits);
/// marks[label] = 1 where a run of that label holds a set bit of `bits`; others stay. Threads may share `marks`.
void quintet_runs_mark(const quintet_run *runs, const int32_t *labels, const int32_t *row_start, size_t width,
                       size_t first_row, size_t rows, const uint64_t *bits, uint8_t *marks);
/// counts[label] += set bits of `bits` in the runs of that label.
void quintet_runs_count_within(const quintet_run *runs, const int32_t *labels, const int32_t *row_start, size_t width,
                               size_t first_row, size_t rows, const uint64_t *bits, int64_t *counts);
#endif
