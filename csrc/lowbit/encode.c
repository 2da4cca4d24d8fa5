/* The public functions of the family, which code rows of floats to planes of bits. A block of rows stays in the cache
 * between the passes over it:
 *
 *     rows --(- center)--> centred --(panels, or factors)--> turned --(levels)--> planes, and the levels themselves
 *                             |                                                              |
 *                             +--> along the directions  ----->  a dot  <-----  along the turned directions
 *
 * With W = I + V diag(g - 1) V^T, rows y = T W x are coded as levels l, while the scale needs the dot of l with T W^-1
 * x = y + T V diag(1/g - g) V^T x. That dot is <y, l>, which coding gives, and a sum over a few directions. */
#include "../pool/pool.h"
#include "../shape/shape.h"
#include "lowbit.h"

#include <float.h>
#include <math.h>

/* Floats of the rows of a block; together with the turned rows they are half of a second-level cache of 1 MB. */
enum {
    BLOCK_FLOATS = 1 << 16,
    MOST_ROWS = 192,
    TILE_ROWS = 6, /* rows of a tile of panels */
    GAP = 16,
    SHAPING_PASSES = 2,
    LEAST_COSINE_PARTS = 20, /* a row whose cosine with what its bits say is below a twentieth has no scale */
};

#define MOST_DIMENSIONS ((int64_t)1 << 40) /* or directions: below this no size overflows */

/* The arrays of a block, one after the other. Rows lie `stride` bytes apart, GAP floats more than they need, so that
 * rows of a power of two bytes do not meet in the same cache sets. */
typedef struct {
    int64_t rows, stride, directions_stride, shapes_stride;
    char *centred, *turned, *along, *levels_along;
    char *levels, *errors_along; /* for shaping */
    char *squares;               /* double: first those of the rows, then of the turned rows */
} block_arrays;

static int64_t n_panels(int64_t dimension) { return (dimension + EC_PANEL - 1) / EC_PANEL; }

static block_arrays lay_out(const ec_lowbit_scheme *scheme, int64_t rows) {
    block_arrays block = {0};
    const int64_t floats = EC_PANEL * n_panels(scheme->dimension) + GAP;
    const int64_t fitting = BLOCK_FLOATS / floats / TILE_ROWS * TILE_ROWS;
    block.rows = fitting < TILE_ROWS ? TILE_ROWS : ec_min_i64(fitting, MOST_ROWS);
    block.rows = ec_min_i64(block.rows, rows);
    block.stride = 4 * floats;
    block.directions_stride = 4 * scheme->directions;
    block.shapes_stride = 4 * scheme->shapes;
    return block;
}

static void place(block_arrays *block, char *scratch) {
    block->centred = scratch;
    block->turned = block->centred + block->rows * block->stride;
    block->along = block->turned + block->rows * block->stride;
    block->levels_along = block->along + block->rows * block->directions_stride;
    block->levels = block->levels_along + block->rows * block->directions_stride;
    block->errors_along = block->levels + (block->shapes_stride ? block->rows * block->stride : 0);
    block->squares = block->errors_along + block->rows * block->shapes_stride;
}

int64_t ec_lowbit_scratch_bytes(const ec_lowbit_scheme *scheme, int64_t rows) {
    if (rows < 0 || scheme->dimension < 1 || scheme->dimension > MOST_DIMENSIONS || scheme->directions < 0 ||
        scheme->directions > MOST_DIMENSIONS || scheme->shapes < 0 || scheme->shapes > MOST_DIMENSIONS)
        return -1;
    const block_arrays block = lay_out(scheme, rows);
    const int64_t shaping = scheme->shapes ? block.stride + block.shapes_stride : 0;
    const int64_t bytes = block.rows * (2 * block.stride + 2 * block.directions_stride + shaping + 2 * 8);
    return (bytes + 63) / 64 * 64; /* so that the next thread's is aligned as this is */
}

static int32_t is_long_enough(ec_array array, int64_t a, int64_t b, int64_t c) {
    return !array.items || ec_holds(array.count, a, b, c);
}

/* Whether the arrays of the map that must be there are, and have as many elements as the numbers beside them say. */
static int32_t is_whole(const ec_lowbit_scheme *scheme) {
    const int64_t dimension = scheme->dimension, directions = scheme->directions;
    if (directions && (directions % EC_PANEL || !scheme->panels.items || !scheme->along.items ||
                       !scheme->turned.items || !scheme->added.items || !scheme->weights.items))
        return 0;
    if (scheme->shapes && (scheme->shapes % EC_PANEL || !scheme->shaping.items || !scheme->gradients.items ||
                           !scheme->couplings.items || !scheme->curvatures.items))
        return 0;
    if (scheme->shared && (!scheme->shapes || scheme->shapes != directions || !scheme->gains.items ||
                           !ec_holds(scheme->gains.count, directions, 1, 1)))
        return 0;
    const int64_t panels = n_panels(dimension);
    return is_long_enough(scheme->center, dimension, 1, 1) &&
           is_long_enough(scheme->factors, scheme->rounds, dimension, 1) &&
           is_long_enough(scheme->panels, panels, scheme->dense ? dimension : EC_PANEL, EC_PANEL) &&
           (!scheme->shapes || (is_long_enough(scheme->shaping, scheme->shapes, dimension, 1) &&
                                is_long_enough(scheme->gradients, panels, scheme->shapes, EC_PANEL) &&
                                is_long_enough(scheme->couplings, panels, EC_PANEL, EC_PANEL) &&
                                is_long_enough(scheme->curvatures, panels, EC_PANEL, 1))) &&
           (!directions || (is_long_enough(scheme->along, directions, dimension, 1) &&
                            is_long_enough(scheme->turned, directions, dimension, 1) &&
                            is_long_enough(scheme->added, panels, directions, EC_PANEL) &&
                            is_long_enough(scheme->weights, directions, 1, 1)));
}

/* The same of the levels and of the caller's arrays. */
static int32_t goes_together(const ec_lowbit_scheme *scheme, int64_t rows, const ec_lowbit_rows *to) {
    const int64_t bytes = ec_lowbit_scratch_bytes(scheme, rows), bits = scheme->bits;
    if (bytes < 0 || bytes > to->scratch_bytes || (bits < 1 || bits > 4)) return 0;
    if (!scheme->levels.items || !scheme->thresholds.items || !scheme->patterns.items) return 0;
    if (!ec_holds(to->values_count, rows, scheme->dimension, 1) || rows > to->capacity ||
        !ec_holds(to->packed_bytes, rows, (scheme->dimension + 7) / 8, bits))
        return 0;
    const int64_t levels = (int64_t)1 << bits;
    return is_whole(scheme) && is_long_enough(scheme->levels, levels, 1, 1) &&
           is_long_enough(scheme->thresholds, levels - 1, 1, 1) && is_long_enough(scheme->patterns, levels, 1, 1);
}

/* Dots of n rows with as many directions, which lie in panels (directions / 64, dimension, 64). */
static void project(const ec_lowbit_scheme *scheme, const char *rows, int64_t stride, int64_t n, const void *panels,
                    int64_t directions, char *out) {
    for (int64_t d = 0; d < directions; d += EC_PANEL)
        ec_active.lowbit_panel_f32(rows, stride, n, scheme->dimension, (const char *)panels + 4 * d * scheme->dimension,
                                   EC_PANEL, out + 4 * d, 4 * directions, 0);
}

/* Turns the centred rows of a block, in place or into `turned`, of which the first `columns` values are wanted; returns
 * where they are. */
static char *turn(const ec_lowbit_scheme *scheme, const block_arrays *block, int64_t n, int64_t columns) {
    const int64_t dimension = scheme->dimension;
    if (scheme->factors.items)
        for (int64_t r = 0; r < n; r++)
            ec_rotate_f32(block->centred + r * block->stride, dimension, 1, dimension, scheme->factors, scheme->rounds,
                          0);
    if (!scheme->panels.items) return block->centred;
    if (scheme->directions)
        project(scheme, block->centred, block->stride, n, scheme->along.items, scheme->directions, block->along);
    const char *panel = scheme->panels.items, *added = scheme->added.items;
    for (int64_t begin = 0; begin < columns; begin += EC_PANEL) {
        const int64_t own = ec_min_i64(EC_PANEL, dimension - begin);
        const int64_t inner = scheme->dense ? dimension : own, first = scheme->dense ? 0 : begin;
        char *to = block->turned + 4 * begin;
        ec_active.lowbit_panel_f32(block->centred + 4 * first, block->stride, n, inner, panel, EC_PANEL, to,
                                   block->stride, 0);
        panel += 4 * EC_PANEL * (scheme->dense ? dimension : EC_PANEL);
        if (!scheme->directions) continue;
        ec_active.lowbit_panel_f32(block->along, block->directions_stride, n, scheme->directions, added, EC_PANEL, to,
                                   block->stride, 1);
        added += 4 * EC_PANEL * scheme->directions;
    }
    return block->turned;
}

static float factor_of(int64_t dimension, double square) {
    return square > 0 ? (float)sqrt((double)dimension / square) : 0;
}

/* What shaped levels have along the turned directions, where these are those of the shaping: s l = e + z, and z has
 * there what the centred row had, times the gains. */
static void find_levels_along(const ec_lowbit_scheme *scheme, const char *along, const char *errors_along, float factor,
                              float scale, char *levels_along) {
    for (int64_t d = 0; d < scheme->directions; d++) {
        const float z = factor * (ec_load_f32_at(scheme->gains.items, d) * ec_load_f32_at(along, d));
        ec_store_f32_at(levels_along, d, (ec_load_f32_at(errors_along, d) + z) / scale);
    }
}

/* Asks for the r-th of n shares of the couplings and the shaping of a panel, which changes of its levels read here and
 * there: so they are in the second-level cache when the first row wants them. */
static void ask_for_panel(const ec_shape *by, int64_t begin, int64_t r, int64_t n) {
    const int64_t lines = 4 * EC_PANEL / 64 * ec_min_i64(EC_PANEL, by->dimension - begin);
    const int64_t from = 64 * (lines * r / n), bytes = 64 * (lines * (r + 1) / n) - from;
    ec_prefetch((const char *)(by->couplings + EC_PANEL * begin) + from, bytes);
    for (int64_t p = 0; p < by->directions; p += EC_PANEL)
        ec_prefetch((const char *)(by->shaping + p * by->dimension + EC_PANEL * begin) + from, bytes);
}

/* Changes the levels of the n turned rows of a block, which lie in block->levels. `dots` has the rows' squared lengths
 * and takes their dots with their levels. Errors lie where the rows were before they were turned, or would have been
 * turned to. */
static void shape(const ec_lowbit_scheme *scheme, const ec_levels *levels, const block_arrays *block, char *turned,
                  int64_t n, uint8_t *packed, double *dots) {
    const int64_t dimension = scheme->dimension, width = (dimension + 7) / 8;
    ec_shape by = {.dimension = dimension,
                   .directions = scheme->shapes,
                   .shaping = scheme->shaping.items,
                   .couplings = scheme->couplings.items,
                   .curvatures = scheme->curvatures.items,
                   .rest = scheme->rest};
    for (int i = 0; i < levels->n_levels; i++) {
        by.above[i] = i < levels->n_levels - 1 ? levels->levels[i] - levels->edges[i] : -INFINITY;
        by.below[i] = i > 0 ? levels->levels[i] - levels->edges[i - 1] : INFINITY;
    }
    char *errors = turned == block->centred ? block->turned : block->centred;
    float scales[MOST_ROWS], factors[MOST_ROWS];
    for (int64_t r = 0; r < n; r++) {
        const float *row = (const float *)(void *)(turned + r * block->stride);
        const float *coded = (const float *)(void *)(block->levels + r * block->stride);
        const double dot = ec_active.weigh_f32(row, dimension, coded);
        factors[r] = factor_of(dimension, dots[r]);
        scales[r] = dot > 0 ? (float)((double)dimension / (factors[r] * dot)) : 0;
        ec_active.shape_errors_f32(coded, scales[r], row, factors[r], dimension,
                                   (float *)(void *)(errors + r * block->stride));
    }
    project(scheme, errors, block->stride, n, scheme->shaping.items, scheme->shapes, block->errors_along);
    char *gradients = errors; /* of a panel's dimensions, (n, 64): the errors are not needed any more */
    for (int pass = 0; pass < SHAPING_PASSES; pass++)
        for (int64_t begin = 0; begin < dimension; begin += EC_PANEL) {
            ec_active.lowbit_panel_f32(block->errors_along, block->shapes_stride, n, scheme->shapes,
                                       (const char *)scheme->gradients.items + 4 * begin * scheme->shapes, EC_PANEL,
                                       gradients, 4 * EC_PANEL, 0);
            for (int64_t r = 0; r < n; r++) {
                ask_for_panel(&by, begin + EC_PANEL < dimension ? begin + EC_PANEL : 0, r, n);
                if (!(scales[r] > 0)) continue;
                const ec_shaped row = {.begin = begin,
                                       .values = (const float *)(void *)(turned + r * block->stride) + begin,
                                       .factor = factors[r],
                                       .scale = scales[r],
                                       .levels = (float *)(void *)(block->levels + r * block->stride) + begin,
                                       .along = (float *)(void *)(gradients + 4 * EC_PANEL * r),
                                       .error = (float *)(void *)(block->errors_along + r * block->shapes_stride)};
                ec_active.shape_panel_f32(levels, &by, &row);
            }
        }
    for (int64_t r = 0; r < n; r++) {
        const float *row = (const float *)(void *)(turned + r * block->stride);
        float *coded = (float *)(void *)(block->levels + r * block->stride);
        dots[r] = ec_active.weigh_f32(row, dimension, coded);
        ec_active.lowbit_code_f32(levels, coded, dimension, 1, packed + r * scheme->bits * width, width);
        if (scheme->shared)
            find_levels_along(scheme, block->along + r * block->directions_stride,
                              block->errors_along + r * block->shapes_stride, factors[r], scales[r],
                              block->levels_along + r * block->directions_stride);
    }
}

/* Codes the n rows of a block, and computes their scales and lengths. */
static void encode_block(const ec_lowbit_scheme *scheme, const ec_levels *levels, const block_arrays *block, int64_t n,
                         uint8_t *packed, char *scales, char *lengths) {
    const int64_t dimension = scheme->dimension, width = (dimension + 7) / 8, directions = scheme->directions;
    double *squares = (double *)(void *)block->squares, *dots = squares + block->rows;
    if (directions) ec_active.sumsq_f32(block->centred, block->stride, n, dimension, squares);
    char *turned = turn(scheme, block, n, dimension);
    ec_active.sumsq_f32(turned, block->stride, n, dimension, dots);
    char *coded = scheme->shapes ? block->levels : turned;
    for (int64_t r = 0; r < n; r++) {
        if (!directions) squares[r] = dots[r];
        if (scheme->shapes) memcpy(coded + r * block->stride, turned + r * block->stride, (size_t)dimension * 4);
        const float factor = factor_of(dimension, dots[r]);
        const double dot = ec_active.lowbit_code_f32(levels, coded + r * block->stride, dimension, factor,
                                                     packed + r * scheme->bits * width, width);
        if (!scheme->shapes) dots[r] = dot;
    }
    if (scheme->shapes) shape(scheme, levels, block, turned, n, packed, dots);
    if (directions && !scheme->shared)
        project(scheme, coded, block->stride, n, scheme->turned.items, directions, block->levels_along);
    for (int64_t r = 0; r < n; r++) {
        double least = 0;
        if (directions) {
            const char *x = block->along + r * block->directions_stride;
            const char *l = block->levels_along + r * block->directions_stride;
            for (int64_t d = 0; d < directions; d++)
                dots[r] +=
                    (double)ec_load_f32_at(x, d) * ec_load_f32_at(l, d) * ec_load_f32_at(scheme->weights.items, d);
            least = sqrt(squares[r] * (double)dimension) / LEAST_COSINE_PARTS;
        }
        ec_store_f32_at(scales, r, (float)(dots[r] > least ? squares[r] / dots[r] : 0));
        ec_store_f32_at(lengths, r, (float)sqrt(squares[r]));
    }
}

ec_result ec_lowbit_turn_f32(const ec_lowbit_scheme *scheme, ec_array values, int64_t rows, void *scratch,
                             int64_t scratch_bytes, void *turned, int64_t turned_count) {
    const int64_t dimension = scheme->dimension, row_bytes = 4 * dimension;
    const int64_t bytes = ec_lowbit_scratch_bytes(scheme, rows), columns = turned_count / ec_max_i64(rows, 1);
    ec_result result = {0, 0, EC_OK};
    if (bytes < 0 || bytes > scratch_bytes || !is_whole(scheme) || !ec_holds(values.count, rows, dimension, 1) ||
        columns < 0 || columns > dimension || columns * rows != turned_count)
        result.status = EC_BAD_ARGUMENT;
    if (result.status != EC_OK || rows == 0) return result;
    block_arrays block = lay_out(scheme, rows);
    place(&block, scratch);
    for (int64_t begin = 0; begin < rows; begin += block.rows) {
        const int64_t n = ec_min_i64(block.rows, rows - begin);
        for (int64_t r = 0; r < n; r++)
            ec_take_center((const char *)values.items + (begin + r) * row_bytes, scheme->center.items, dimension,
                           block.centred + r * block.stride);
        const char *from = turn(scheme, &block, n, columns);
        for (int64_t r = 0; r < n; r++)
            memcpy((char *)turned + (begin + r) * 4 * columns, from + r * block.stride, (size_t)(4 * columns));
    }
    return result;
}

typedef struct {
    const ec_lowbit_scheme *scheme;
    const ec_lowbit_rows *to;
    block_arrays block; /* without a place */
    ec_levels levels;
    int64_t bytes; /* of a thread's scratch */
} encoding;

static ec_result encode_rows(const void *of, int32_t thread, int64_t begin, int64_t n) {
    const encoding *all = of;
    const ec_lowbit_scheme *scheme = all->scheme;
    const ec_lowbit_rows *to = all->to;
    const int64_t width = (scheme->dimension + 7) / 8;
    block_arrays block = all->block;
    place(&block, (char *)to->scratch + thread * all->bytes);
    const ec_result result =
        ec_take_rows(to, begin, n, scheme->dimension, scheme->center.items, block.centred, block.stride);
    if (result.status != EC_OK) return result;
    encode_block(scheme, &all->levels, &block, n, (uint8_t *)to->packed + begin * scheme->bits * width,
                 (char *)to->scales + 4 * begin, (char *)to->lengths + 4 * begin);
    return result;
}

ec_result ec_lowbit_encode_f32(const ec_lowbit_scheme *scheme, int64_t rows, const ec_lowbit_rows *to,
                               int32_t threads) {
    ec_result result = {0, 0, EC_OK};
    if (!goes_together(scheme, rows, to)) result.status = EC_BAD_ARGUMENT;
    if (result.status != EC_OK || rows == 0) return result;
    encoding all = {scheme, to, lay_out(scheme, rows), {scheme->bits, 1 << scheme->bits, {0}, {0}, {0}}, 0};
    ec_levels *levels = &all.levels;
    memcpy(levels->edges, scheme->thresholds.items, (size_t)(levels->n_levels - 1) * sizeof *levels->edges);
    memcpy(levels->levels, scheme->levels.items, (size_t)levels->n_levels * sizeof *levels->levels);
    memcpy(levels->patterns, scheme->patterns.items, (size_t)levels->n_levels);
    all.bytes = ec_lowbit_scratch_bytes(scheme, rows);
    threads = (int32_t)ec_min_i64(threads, to->scratch_bytes / all.bytes);
    result = ec_pool_steps(threads, rows, all.block.rows, encode_rows, &all);
    if (result.status != EC_OK) return result;
    result.consumed = 4 * rows * scheme->dimension;
    result.produced = rows;
    return result;
}
