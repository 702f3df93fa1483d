// The three operations of a convolution, each sent to the kernel its shapes ask for. Included once per instruction set.

// Tiles of one Winograd task: enough that the weights of a point are used several times from the cache, few enough that
// the points stay in it.
INLINE int winograd_chunk(const quintet_convolution *convolution) {
    return quintet_blocks(convolution->fine) * quintet_blocks(convolution->coarse) <= 4 ? 12 : 24;
}

static void winograd(quintet_pool *pool, const quintet_convolution *convolution, direct_job *job) {
    if (quintet_winograd_has_few_tiles(convolution)) {
        winograd_of_few_tiles(pool, convolution, job);
        return;
    }
    job->group = winograd_chunk(convolution);
    quintet_pool_run(pool, (quintet_winograd_tiles(job->out_layout) + job->group - 1) / job->group, winograd_task, job);
}

// Stride 2. Few tiles with many output blocks wait for weights: they stay together, and the output's blocks are cut
// into parts, each of which transforms the inputs again. With many input blocks that would cost more than reading the
// weights twice.
static void parity(quintet_pool *pool, const quintet_convolution *convolution, int to_fine, parity_job *job) {
    int tiles = quintet_winograd_tiles(convolution->coarse), half = (tiles + 1) / 2;
    int fine = quintet_blocks(convolution->fine), coarse = quintet_blocks(convolution->coarse);
    int outs = to_fine ? fine : coarse, ins = to_fine ? coarse : fine;
    if (outs > ins && half <= PARITY_CHUNK) job->chunk = tiles;
    else job->chunk = half < PARITY_CHUNK ? half : PARITY_CHUNK;
    int chunks = (tiles + job->chunk - 1) / job->chunk, wanted = (7 + chunks) / chunks;
    job->parts = (outs + 3) / 4 < wanted ? (outs + 3) / 4 : wanted;
    quintet_pool_run(pool, chunks * job->parts, to_fine ? parity_to_fine_task : parity_to_coarse_task, job);
}

static void fast_convolve(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                          const float *packed, const float *bias, float *y, int accumulate) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    planar_job planar = {convolution, x, packed, bias, y, accumulate, planar_rows_per_task(coarse)};
    int planar_tasks = coarse.depth * planar_groups(coarse, planar.group);
    switch (quintet_plan_of(convolution)) {
    case PLAN_NAIVE: quintet_kernels_naive.convolve(pool, convolution, x, packed, bias, y, accumulate); return;
    case PLAN_PLANAR_TO_BLOCKED:
        quintet_pool_run(pool, quintet_blocks(coarse) * planar_tasks, planar_to_blocked_task, &planar);
        return;
    case PLAN_PLANAR: quintet_pool_run(pool, planar_tasks, planar_planar_task, &planar); return;
    case PLAN_BLOCKED: break;
    }
    direct_job job = {x, packed, bias, y, fine, coarse, quintet_blocks(fine), convolution->kernel, convolution->stride,
                      0, accumulate, rows_per_task(coarse.width, coarse.height)};
    if (quintet_uses_winograd(convolution)) {
        parity_job strided = {x, packed, bias, y, fine, coarse, accumulate, 0, 0};
        if (convolution->stride == 1) winograd(pool, convolution, &job);
        else parity(pool, convolution, 0, &strided);
        return;
    }
    int groups = (coarse.height + job.group - 1) / job.group;
    quintet_pool_run(pool, quintet_blocks(coarse) * coarse.depth * groups, direct_task, &job);
}

static void fast_convolve_transposed(quintet_pool *pool, const quintet_convolution *convolution, const float *y,
                                     const float *packed, const float *bias, float *x, int accumulate) {
    quintet_layout fine = convolution->fine, coarse = convolution->coarse;
    planar_job planar = {convolution, y, packed, bias, x, accumulate, planar_rows_per_task(fine)};
    int planar_tasks = fine.depth * planar_groups(fine, planar.group);
    switch (quintet_plan_of(convolution)) {
    case PLAN_NAIVE:
        quintet_kernels_naive.convolve_transposed(pool, convolution, y, packed, bias, x, accumulate);
        return;
    case PLAN_PLANAR_TO_BLOCKED:
        if (uses_turned_rows(convolution)) {
            planar.group = (planar.group + 1) / 2;
            quintet_pool_run(pool, turned_tasks(coarse, planar.group), turned_task, &planar);
            return;
        }
        quintet_pool_run(pool, planar_tasks, blocked_to_planar_task, &planar);
        return;
    case PLAN_PLANAR: {
        quintet_convolution turned = {coarse, fine, 3, 1};
        planar.convolution = &turned;
        quintet_pool_run(pool, planar_tasks, planar_planar_task, &planar);
        return;
    }
    case PLAN_BLOCKED: break;
    }
    direct_job job = {y, packed, bias, x, coarse, fine, quintet_blocks(coarse), convolution->kernel, 1, 1, accumulate,
                      rows_per_task(coarse.width, coarse.height)};
    if (quintet_uses_winograd(convolution)) {
        parity_job strided = {y, packed, bias, x, fine, coarse, accumulate, 0, 0};
        if (convolution->stride == 1) winograd(pool, convolution, &job);
        else parity(pool, convolution, 1, &strided);
        return;
    }
    int groups = (coarse.height + job.group - 1) / job.group, tasks = quintet_blocks(fine) * fine.depth * groups;
    if (convolution->stride == 1) quintet_pool_run(pool, tasks, direct_task, &job);
    else quintet_pool_run(pool, tasks * 2, direct_transposed_task, &job);
}

static void fast_weight_gradient(quintet_pool *pool, const quintet_convolution *convolution, const float *x,
                                 const float *y_gradient, float *scratch, float *gradient) {
    gradient_job job = {convolution, x, y_gradient, scratch, gradient, quintet_gradient_slots(convolution)};
    int coarse_blocks = quintet_blocks(convolution->coarse), pairs = quintet_blocks(convolution->fine) * coarse_blocks;
    switch (quintet_plan_of(convolution)) {
    case PLAN_NAIVE:
        quintet_kernels_naive.weight_gradient(pool, convolution, x, y_gradient, scratch, gradient);
        return;
    case PLAN_PLANAR_TO_BLOCKED:
        quintet_pool_run(pool, coarse_blocks * job.slots, planar_gradient_task, &job);
        quintet_pool_run(pool, coarse_blocks, planar_gradient_sum_task, &job);
        return;
    case PLAN_PLANAR:
        quintet_pool_run(pool, job.slots, planar_planar_gradient_task, &job);
        planar_planar_gradient_sum(&job);
        return;
    case PLAN_BLOCKED:
        if (quintet_uses_winograd_gradient(convolution) && quintet_winograd_has_few_tiles(convolution)) {
            quintet_pool_run(pool, quintet_blocks(convolution->fine) + coarse_blocks, few_tiles_points_task, &job);
            quintet_pool_run(pool, pairs, few_tiles_gradient_task, &job);
            return;
        }
        if (quintet_uses_winograd_gradient(convolution)) {
            quintet_task task = convolution->stride == 1 ? winograd_gradient_task : parity_gradient_task;
            quintet_pool_run(pool, job.slots, task, &job);
            quintet_pool_run(pool, POINTS, winograd_slots_task, &job);
            quintet_pool_run(pool, pairs * 16, winograd_gradient_sum_task, &job);
            return;
        }
        quintet_pool_run(pool, pairs * job.slots, direct_gradient_task, &job);
        quintet_pool_run(pool, pairs, direct_gradient_sum_task, &job);
        return;
    }
}
