// Dense layers on plain row-major memory. Each sum goes along its axis in parts, float within a part and double between
// parts, in ascending order; how many samples, inputs and outputs are computed together changes no bit. Included once
// per instruction set.
#ifndef QUINTET_DENSE_FAST_H
#define QUINTET_DENSE_FAST_H

// What a sum adds in float; what a tile has together, in registers; and what one task has.
enum { DENSE_INPUTS = 512, DENSE_TERMS = 64, TILE_SAMPLES = 4, TILE_OUTPUTS = 2, TILE_COLUMNS = 2 };
enum { TASK_SAMPLES = 32, TASK_OUTPUTS = 16, TASK_COLUMNS = 512 };

typedef struct {
    quintet_dense shape;
    const float *x, *weights, *bias, *y_gradient;
    float *to;
} dense_job;

static int smaller(int a, int b) { return a < b ? a : b; }

// y of samples x outputs: 16 lanes along the inputs, added lane by lane at the end.
INLINE void dense_tile(const dense_job *job, int n, int samples, int o, int outputs) {
    const int inputs = job->shape.inputs;
    d16 totals[TILE_SAMPLES * TILE_OUTPUTS] = {0};
    for (int first = 0; first < inputs; first += DENSE_INPUTS) {
        int end = smaller(first + DENSE_INPUTS, inputs);
        v16 sums[TILE_SAMPLES * TILE_OUTPUTS] = {0};
        for (int i = first; i < end; i += 16) {
            v16 w[TILE_OUTPUTS];
            for (int b = 0; b < outputs; b++) w[b] = load_some(job->weights + (long)(o + b) * inputs + i, end - i);
            for (int a = 0; a < samples; a++) {
                v16 x = load_some(job->x + (long)(n + a) * inputs + i, end - i);
                for (int b = 0; b < outputs; b++)
                    sums[a * TILE_OUTPUTS + b] = FMA(x, w[b], sums[a * TILE_OUTPUTS + b]);
            }
        }
        for (int a = 0; a < samples; a++)
            for (int b = 0; b < outputs; b++) totals[a * TILE_OUTPUTS + b] += WIDEN(sums[a * TILE_OUTPUTS + b]);
    }
    for (int a = 0; a < samples; a++)
        for (int b = 0; b < outputs; b++) {
            double sum = job->bias ? job->bias[o + b] : 0;
            for (int l = 0; l < 16; l++) sum += totals[a * TILE_OUTPUTS + b][l];
            job->to[(long)(n + a) * job->shape.outputs + o + b] = (float)sum;
        }
}

static void dense_forward_task(void *context, int index) {
    const dense_job *job = context;
    int parts = layer_parts(job->shape.outputs, TASK_OUTPUTS);
    int first = index % parts * TASK_OUTPUTS, first_sample = index / parts * TASK_SAMPLES;
    int end = smaller(first + TASK_OUTPUTS, job->shape.outputs);
    int end_sample = smaller(first_sample + TASK_SAMPLES, job->shape.samples);
    for (int o = first; o < end; o += TILE_OUTPUTS)
        for (int n = first_sample; n < end_sample; n += TILE_SAMPLES) {
            int outputs = smaller(end - o, TILE_OUTPUTS), samples = smaller(end_sample - n, TILE_SAMPLES);
            // The compiler makes a loop of its own for whole tiles.
            if (outputs == TILE_OUTPUTS && samples == TILE_SAMPLES) dense_tile(job, n, TILE_SAMPLES, o, TILE_OUTPUTS);
            else dense_tile(job, n, samples, o, outputs);
        }
}

static void fast_dense_forward(quintet_pool *pool, const quintet_dense *dense, const float *x, const float *weights,
                               const float *bias, float *y) {
    dense_job job = {*dense, x, weights, bias, NULL, y};
    int tasks = layer_parts(dense->outputs, TASK_OUTPUTS) * layer_parts(dense->samples, TASK_SAMPLES);
    quintet_pool_run(pool, tasks, dense_forward_task, &job);
}

// A tile of a product A^T B summed over `terms` rows: rows of the result come from columns of A (`a_step` floats from
// one row's factor to the next, `a_term` from term to term), its columns are 32 neighbouring ones of B, of which
// `count` are there.
typedef struct {
    const float *a, *b;
    long a_step, a_term, b_term;
    int terms, count;
} product_tile;

INLINE void sum_products(const product_tile *tile, int rows, d16 *totals) {
    for (int i = 0; i < rows * TILE_COLUMNS; i++) totals[i] = 0;
    for (int first = 0; first < tile->terms; first += DENSE_TERMS) {
        int end = smaller(first + DENSE_TERMS, tile->terms);
        v16 sums[TILE_SAMPLES * TILE_COLUMNS] = {0};
        for (int t = first; t < end; t++) {
            const float *b = tile->b + t * tile->b_term;
            v16 columns[TILE_COLUMNS] = {load_some(b, tile->count),
                                         tile->count > 16 ? load_some(b + 16, tile->count - 16) : SPLAT(0)};
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < TILE_COLUMNS; c++)
                    sums[r * TILE_COLUMNS + c] = FMA(columns[c], SPLAT(tile->a[r * tile->a_step + t * tile->a_term]),
                                                     sums[r * TILE_COLUMNS + c]);
        }
        for (int i = 0; i < rows * TILE_COLUMNS; i++) totals[i] += WIDEN(sums[i]);
    }
}

INLINE v16 narrow(d16 v) { return __builtin_convertvector(v, v16); }

// to[r][..] = the tile, or += it.
INLINE void store_products(const product_tile *tile, int rows, float *to, long step, int accumulate) {
    d16 totals[TILE_SAMPLES * TILE_COLUMNS];
    if (rows == TILE_SAMPLES) sum_products(tile, TILE_SAMPLES, totals);
    else sum_products(tile, rows, totals);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < TILE_COLUMNS; c++) {
            float *own = to + r * step + c * 16;
            int left = tile->count - c * 16;
            if (left <= 0) continue;
            v16 v = narrow(totals[r * TILE_COLUMNS + c]);
            store_some(own, left, accumulate ? load_some(own, left) + v : v);
        }
}

static void dense_input_gradient_task(void *context, int index) {
    const dense_job *job = context;
    const int inputs = job->shape.inputs, outputs = job->shape.outputs, parts = layer_parts(inputs, TASK_COLUMNS);
    int first = index % parts * TASK_COLUMNS, end = smaller(first + TASK_COLUMNS, inputs);
    int first_sample = index / parts * TASK_SAMPLES, end_sample = smaller(first_sample + TASK_SAMPLES,
                                                                          job->shape.samples);
    for (int i = first; i < end; i += 16 * TILE_COLUMNS)
        for (int n = first_sample; n < end_sample; n += TILE_SAMPLES) {
            product_tile tile = {job->y_gradient + (long)n * outputs, job->weights + i, outputs, 1, inputs, outputs,
                                 smaller(end - i, 16 * TILE_COLUMNS)};
            store_products(&tile, smaller(end_sample - n, TILE_SAMPLES), job->to + (long)n * inputs + i, inputs, 0);
        }
}

static void fast_dense_input_gradient(quintet_pool *pool, const quintet_dense *dense, const float *weights,
                                      const float *y_gradient, float *x_gradient) {
    dense_job job = {*dense, NULL, weights, NULL, y_gradient, x_gradient};
    int tasks = layer_parts(dense->inputs, TASK_COLUMNS) * layer_parts(dense->samples, TASK_SAMPLES);
    quintet_pool_run(pool, tasks, dense_input_gradient_task, &job);
}

static void dense_weight_gradient_task(void *context, int index) {
    const dense_job *job = context;
    const int inputs = job->shape.inputs, outputs = job->shape.outputs, parts = layer_parts(inputs, TASK_COLUMNS);
    int first = index % parts * TASK_COLUMNS, end = smaller(first + TASK_COLUMNS, inputs);
    int first_output = index / parts * TASK_OUTPUTS, end_output = smaller(first_output + TASK_OUTPUTS, outputs);
    for (int i = first; i < end; i += 16 * TILE_COLUMNS)
        for (int o = first_output; o < end_output; o += TILE_SAMPLES) {
            product_tile tile = {job->y_gradient + o, job->x + i, 1, outputs, inputs, job->shape.samples,
                                 smaller(end - i, 16 * TILE_COLUMNS)};
            store_products(&tile, smaller(end_output - o, TILE_SAMPLES), job->to + (long)o * inputs + i, inputs, 1);
        }
}

static void fast_dense_weight_gradient(quintet_pool *pool, const quintet_dense *dense, const float *x,
                                       const float *y_gradient, float *weight_gradient) {
    dense_job job = {*dense, x, NULL, NULL, y_gradient, weight_gradient};
    int tasks = layer_parts(dense->inputs, TASK_COLUMNS) * layer_parts(dense->outputs, TASK_OUTPUTS);
    quintet_pool_run(pool, tasks, dense_weight_gradient_task, &job);
}

static void dense_bias_gradient_task(void *context, int index) {
    const dense_job *job = context;
    long outputs = job->shape.outputs, first = index * 16L;
    d16 sum = 0;
    for (int n = 0; n < job->shape.samples; n++)
        sum += WIDEN(load_some(job->y_gradient + n * outputs + first, outputs - first));
    store_some(job->to + first, outputs - first, load_some(job->to + first, outputs - first) + narrow(sum));
}

static void fast_dense_bias_gradient(quintet_pool *pool, const quintet_dense *dense, const float *y_gradient,
                                     float *bias_gradient) {
    dense_job job = {*dense, NULL, NULL, NULL, y_gradient, bias_gradient};
    quintet_pool_run(pool, layer_parts(dense->outputs, 16), dense_bias_gradient_task, &job);
}
#endif
