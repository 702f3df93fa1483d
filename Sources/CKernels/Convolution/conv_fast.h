// The three operations of a convolution, each sent to the kernel its shapes ask for. Included once per instruction set.
#ifndef QUINTET_CONV_FAST_H
#define QUINTET_CONV_FAST_H

static void winograd(quintet_pool *pool, const quintet_convolution *convolution, direct_job *job) {
    if (quintet_winograd_has_few_tiles(convolution)) {
        winograd_of_few_tiles(pool, convolution, job);
        return;
    }
    job->group = quintet_winograd_chunk(convolution);
    quintet_pool_run(pool, quintet_parts(quintet_winograd_tiles(job->out_layout), job->group), winograd_task, job);
}

static void parity(quintet_pool *pool, const quintet_convolution *convolution, int direction, parity_job *job) {
    job->cut = quintet_parity_cut_of(convolution, direction);
    int tasks = quintet_parts(quintet_winograd_tiles(convolution->coarse), job->cut.chunk) * job->cut.parts;
    quintet_pool_run(pool, tasks, direction == QUINTET_FORWARD ? parity_to_coarse_task : parity_to_fine_task, job);
}

// What tasks sum up on the way.
INLINE norm_sums sums_wanted(const quintet_convolution *convolution, int direction,
                             const quintet_result_statistics *wanted) {
    norm_sums none = {0};
    if (!wanted) return none;
    int slots = quintet_result_slots(convolution, direction);
    return (norm_sums){wanted->layout, slots, slots > 0 ? wanted->scratch : NULL};
}

// All blocks of the result, row by row of one plane.
static void direct(quintet_pool *pool, const quintet_convolution *convolution, direct_job *job) {
    int rows = quintet_parts(convolution->coarse.height, job->group);
    int tasks = quintet_blocks(job->out_layout) * job->out_layout.depth * rows;
    int parities = job->flipped && convolution->stride.height == 2;
    if (parities) quintet_pool_run(pool, tasks * 2, direct_transposed_task, job);
    else quintet_pool_run(pool, tasks, direct_task, job);
}

// To or from blocks, rows of one plane in a task.
static void planar(quintet_pool *pool, quintet_layout out, planar_job *job, quintet_task task, int blocks) {
    job->group = quintet_planar_rows(out);
    quintet_pool_run(pool, blocks * out.depth * quintet_parts(out.height, job->group), task, job);
}

static void convolve_to_coarse(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                               const float *packed, const float *bias, float *y, int accumulate, norm_sums norm) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    planar_job beside = {convolution, x, packed, bias, y, accumulate, 0, norm};
    quintet_convolution turned = {coarse, fine, convolution->kernel, convolution->stride, 0};
    direct_job job = {x, packed, bias, y, fine, coarse, quintet_blocks(fine), convolution->kernel, convolution->stride,
                      0, accumulate, rows_per_task(coarse.width, coarse.height), norm};
    parity_job strided = {x, packed, bias, y, fine, coarse, accumulate, {0, 0}, norm};
    switch (quintet_algorithm_of(convolution, QUINTET_FORWARD)) {
    case QUINTET_PLAIN:
        quintet_kernels_naive.convolve(pool, convolution, x, packed, bias, y, accumulate, NULL);
        return;
    case QUINTET_PLANAR_TO_BLOCKED: case QUINTET_TURNED_ROWS:
        planar(pool, coarse, &beside, planar_to_blocked_task, quintet_blocks(coarse));
        return;
    case QUINTET_BLOCKED_TO_PLANAR:
        beside.convolution = &turned;
        planar(pool, coarse, &beside, blocked_to_planar_task, 1);
        return;
    case QUINTET_PLANAR: planar(pool, coarse, &beside, planar_planar_task, 1); return;
    case QUINTET_WINOGRAD: case QUINTET_FEW_TILES: winograd(pool, convolution, &job); return;
    case QUINTET_FLAT_PRODUCTS: products(pool, convolution, &job); return;
    case QUINTET_FLAT_TILES: flat_by_tiles(pool, convolution, &job); return;
    case QUINTET_FLAT_POINTS: flat_by_points(pool, convolution, &job); return;
    case QUINTET_PARITY: parity(pool, convolution, QUINTET_FORWARD, &strided); return;
    case QUINTET_DIRECT: direct(pool, convolution, &job); return;
    }
}

static void convolve_to_fine(quintet_pool *pool, const quintet_convolution *convolution, const float *y,
                             const float *packed, const float *bias, float *x, int accumulate, norm_sums norm) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    planar_job beside = {convolution, y, packed, bias, x, accumulate, 0, norm};
    quintet_convolution turned = {coarse, fine, convolution->kernel, convolution->stride, 0};
    direct_job job = {y, packed, bias, x, coarse, fine, quintet_blocks(coarse), convolution->kernel, {1, 1, 1}, 1,
                      accumulate, rows_per_task(coarse.width, coarse.height), norm};
    parity_job strided = {y, packed, bias, x, fine, coarse, accumulate, {0, 0}, norm};
    switch (quintet_algorithm_of(convolution, QUINTET_TRANSPOSED)) {
    case QUINTET_PLAIN:
        quintet_kernels_naive.convolve_transposed(pool, convolution, y, packed, bias, x, accumulate, NULL);
        return;
    case QUINTET_PLANAR_TO_BLOCKED: planar(pool, fine, &beside, blocked_to_planar_task, 1); return;
    case QUINTET_BLOCKED_TO_PLANAR:
        beside.convolution = &turned;
        planar(pool, fine, &beside, planar_to_blocked_task, quintet_blocks(fine));
        return;
    case QUINTET_TURNED_ROWS:
        beside.group = quintet_turned_rows(convolution);
        quintet_pool_run(pool, quintet_turned_tasks(convolution), turned_task, &beside);
        return;
    case QUINTET_PLANAR:
        beside.convolution = &turned;
        planar(pool, fine, &beside, planar_planar_task, 1);
        return;
    case QUINTET_WINOGRAD: case QUINTET_FEW_TILES: winograd(pool, convolution, &job); return;
    case QUINTET_FLAT_PRODUCTS: products(pool, convolution, &job); return;
    case QUINTET_FLAT_TILES: flat_by_tiles(pool, convolution, &job); return;
    case QUINTET_FLAT_POINTS: flat_by_points(pool, convolution, &job); return;
    case QUINTET_PARITY: parity(pool, convolution, QUINTET_TRANSPOSED, &strided); return;
    case QUINTET_DIRECT: direct(pool, convolution, &job); return;
    }
}

static void fast_convolve(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                          const float *packed, const float *bias, float *y, int accumulate,
                          const quintet_result_statistics *wanted) {
    norm_sums norm = sums_wanted(convolution, QUINTET_FORWARD, wanted);
    convolve_to_coarse(pool, convolution, x, packed, bias, y, accumulate, norm);
    write_statistics(pool, wanted, &norm, y);
}

static void fast_convolve_transposed(quintet_pool *pool, const quintet_convolution *convolution, const float *y,
                                     const float *packed, const float *bias, float *x, int accumulate,
                                     const quintet_result_statistics *wanted) {
    norm_sums norm = sums_wanted(convolution, QUINTET_TRANSPOSED, wanted);
    convolve_to_fine(pool, convolution, y, packed, bias, x, accumulate, norm);
    write_statistics(pool, wanted, &norm, x);
}

static void fast_weight_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                                 const float *y_gradient, float *scratch, float *gradient) {
    gradient_job job = {convolution, x, y_gradient, scratch, gradient, quintet_gradient_slots(convolution)};
    int coarse_blocks = quintet_blocks(convolution->coarse), pairs = quintet_blocks(convolution->fine) * coarse_blocks;
    switch (quintet_algorithm_of(convolution, QUINTET_WEIGHT_GRADIENT)) {
    case QUINTET_PLAIN:
        quintet_kernels_naive.weight_gradient(pool, convolution, x, y_gradient, scratch, gradient);
        return;
    case QUINTET_PLANAR_TO_BLOCKED: case QUINTET_TURNED_ROWS:
        quintet_pool_run(pool, coarse_blocks * job.slots, planar_gradient_task, &job);
        quintet_pool_run(pool, coarse_blocks, planar_gradient_sum_task, &job);
        return;
    case QUINTET_BLOCKED_TO_PLANAR: {
        quintet_convolution turned = {convolution->coarse, convolution->fine, convolution->kernel,
                                      convolution->stride, 0};
        gradient_job other = {&turned, y_gradient, x, scratch, gradient, job.slots};
        quintet_pool_run(pool, quintet_blocks(turned.coarse) * job.slots, planar_gradient_task, &other);
        quintet_pool_run(pool, quintet_blocks(turned.coarse), turned_gradient_sum_task, &other);
        return;
    }
    case QUINTET_PLANAR:
        quintet_pool_run(pool, job.slots, planar_planar_gradient_task, &job);
        planar_planar_gradient_sum(&job);
        return;
    case QUINTET_FEW_TILES:
        quintet_pool_run(pool, quintet_blocks(convolution->fine) + coarse_blocks, few_tiles_points_task, &job);
        quintet_pool_run(pool, pairs, few_tiles_gradient_task, &job);
        return;
    case QUINTET_WINOGRAD: case QUINTET_PARITY: {
        quintet_task task = convolution->stride.height == 1 ? winograd_gradient_task : parity_gradient_task;
        quintet_pool_run(pool, job.slots, task, &job);
        quintet_pool_run(pool, POINTS, winograd_slots_task, &job);
        quintet_pool_run(pool, pairs * 16, winograd_gradient_sum_task, &job);
        return;
    }
    case QUINTET_FLAT_PRODUCTS:
        quintet_pool_run(pool, quintet_blocks(convolution->fine) * job.slots, products_gradient_task, &job);
        quintet_pool_run(pool, pairs, direct_gradient_sum_task, &job);
        return;
    case QUINTET_FLAT_TILES: flat_gradient_by_tiles(pool, &job); return;
    case QUINTET_FLAT_POINTS: flat_gradient_by_points(pool, &job); return;
    case QUINTET_DIRECT:
        quintet_pool_run(pool, pairs * job.slots, direct_gradient_task, &job);
        quintet_pool_run(pool, pairs, direct_gradient_sum_task, &job);
        return;
    }
}
#endif
