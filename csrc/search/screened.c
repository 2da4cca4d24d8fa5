/* A screened block: its rows are rounded and met by the integer dots, and those that may be among the best are scored as
 * they would have been without screening. The margins below keep screening exact: every rounding that could make a row
 * look worse than it is widens the bound on its cost. */
#include "screening.h"

#include <math.h>

enum {
    NEAR_BYTES = 16 << 10,  /* that rows of floats are asked for before they are rounded */
    SOME_BYTES = 256 << 10, /* of floats that few queries meet at a time, */
    SOME_LEAST = 16         /* but rows: a strip */
};

/* What rounding may add to the error of a dot, as a share of |q| |x|. One rounding is off by at most 2^-24. Allowed for
 * are
 *
 *     (dimension / 16 + 64) * 2^-23    at least twice the dimension / 16 + 16 roundings of the float dot: see dot_f32 in
 *                                      dot/scalar.c
 *     2^-17 = 128 * 2^-24              about ten times a dozen roundings: of the steps, of x - x' and of q - q', and where
 *                                      the integer dot meets two steps and the factors of the cost */
#define ROUNDING_OF_FLOATS 0x1p-23f
#define ROUNDING_OF_CODES 0x1p-17f
static float rounding(int64_t dimension) {
    return (float)(dimension / 16 + 64) * ROUNDING_OF_FLOATS + ROUNDING_OF_CODES;
}

/* `off`, in ec_screen_terms(), is computed in float32, with about a dozen roundings: the result may be too small by
 * 2^-20 of itself. */
#define OFF_WIDER (1 + 0x1p-10f)

/* What rounding may add to the parts of a cost beside the dot, as a share of them: the cost and the least cost have
 * about five roundings each of at most 2^-24. 64 are allowed for. */
#define ROUNDING_OF_COSTS 0x1p-18f

/* Packs rows for queries that are not few, or for rough dots; `sums` and `sumsq`, which may be NULL, are counted with the
 * latter. */
static void pack_panel(const ec_screen *screen, const void *rows, int64_t stride, int64_t n_rows, int64_t width,
                       uint8_t flip, int32_t *sums, int32_t *sumsq) {
    if (screen->rough)
        ec_active.rough_i8_pack(rows, stride, n_rows, width, flip, screen->panel, sums, sumsq);
    else
        ec_active.dot_i8_pack(rows, stride, n_rows, width, flip, screen->panel);
}

/* The dots of few queries with n_rows rows, which are in the cache where ahead_bytes are asked for. Rough dots also give
 * `sums` and `sumsq`, where these are not NULL. */
static void meet_few(const ec_screen *screen, int64_t n_queries, const void *rows, int64_t stride, int64_t n_rows,
                     int64_t width, uint8_t flip, int32_t *scores, int64_t scores_stride, int32_t *sums, int32_t *sumsq,
                     const void *ahead, int64_t ahead_bytes) {
    if (screen->rough) {
        pack_panel(screen, rows, stride, n_rows, width, flip, sums, sumsq);
        ec_active.rough_i8_tile(screen->prepared, 0, n_queries, screen->panel, n_rows, width, scores, scores_stride,
                                ahead, ahead_bytes);
    } else if (n_queries == 1)
        ec_active.dot_i8_rows(screen->query_codes, rows, stride, n_rows, width, flip, scores);
    else
        ec_active.dot_i8_few(screen->query_codes, n_queries, rows, stride, n_rows, width, flip, scores, scores_stride,
                             NULL, NULL, screen->prepared, ahead, ahead_bytes);
}

/* Codes meet the few queries by rough dots, a strip of rows at a time: its panel stays in the first-level cache. Memory
 * is asked for the next block meanwhile. */
static void meet_codes(const ec_scan *scan, int64_t n_queries, const ec_block *block) {
    const ec_search_args *args = scan->args;
    for (int64_t r = 0; r < block->n; r += SOME_LEAST) {
        const int64_t n = ec_min_i64(block->n - r, SOME_LEAST);
        const int64_t from = block->ahead_bytes * r / block->n, until = block->ahead_bytes * (r + n) / block->n;
        meet_few(scan->screen, n_queries, block->codes + r * block->codes_stride, block->codes_stride, n, args->width,
                 (uint8_t)args->flip, (int32_t *)scan->scores + r, scan->block, scan->sums + r, scan->sumsq + r,
                 block->ahead_bytes ? block->ahead + from : NULL, until - from);
    }
}

/* Codes of rows stand for themselves: their step is 1, their error 0, and their lengths come from their sums of
 * squares. For a few queries counting these takes as long as the dots: the greatest length that there can be serves
 * until too many rows pass. Where rows are packed for rough dots they are counted along the way. */
static void pack_codes(const ec_scan *scan, int64_t n_queries, ec_block *block) {
    const ec_search_args *args = scan->args;
    const uint8_t flip = (uint8_t)args->flip;
    ec_screen *screen = scan->screen;
    const int counts = screen->rough || !screen->few || screen->narrow;
    const float longest = 128 * sqrtf((float)args->width) * EC_SCREEN_WIDER;
    if (screen->rough && screen->few)
        meet_codes(scan, n_queries, block);
    else if (screen->few)
        meet_few(screen, n_queries, block->codes, block->codes_stride, block->n, args->width, flip, scan->scores,
                 scan->block, NULL, NULL, NULL, 0);
    else
        pack_panel(screen, block->codes, block->codes_stride, block->n, args->width, flip, scan->sums, scan->sumsq);
    block->counted = screen->rough;
    if (counts && !block->counted)
        ec_active.sumsq_i8(block->codes, block->codes_stride, block->n, args->width, flip, scan->sumsq);
    if (ec_screen_decodes(args)) memset(screen->decoded, 0, (size_t)block->n);
    for (int64_t r = 0; r < block->n; r++) {
        screen->steps[r] = 1;
        screen->errors[r] = 0;
        screen->lengths[r] = counts ? sqrtf((float)scan->sumsq[r]) * EC_SCREEN_WIDER : longest;
    }
}

/* Decodes the chosen rows of codes that have not been decoded for another query of this block. */
static void decode_chosen(const ec_scan *scan, const ec_block *block, int64_t n) {
    const ec_search_args *args = scan->args;
    const ec_screen *screen = scan->screen;
    for (int64_t i = 0; i < n; i++) {
        const int64_t r = screen->chosen[i];
        if (screen->decoded[r]) continue;
        ec_active.decode_i8(block->codes + r * block->codes_stride, block->codes_stride, 1, args->width,
                            (uint8_t)args->flip, scan->decoded + r * args->width);
        screen->decoded[r] = 1;
    }
}

/* Rounds some rows of floats at a time, which the few queries meet at once. While they do, memory is asked for the next
 * of these rows, up to those of the next block: it would rest else as long as the dots take. */
static void meet_floats(const ec_scan *scan, int64_t n_queries, const ec_block *block) {
    const int64_t width = scan->args->width;
    const int64_t some = ec_clamp_i64(SOME_BYTES / (4 * width) / SOME_LEAST * SOME_LEAST, SOME_LEAST, scan->block);
    ec_screen *screen = scan->screen;
    for (int64_t r = 0; r < block->n; r += some) {
        const int64_t n = ec_min_i64(block->n - r, some), left = block->n - r - n;
        const uint8_t *rows = block->rows + r * block->stride;
        int64_t ahead_bytes =
            left > 0 ? ec_min_i64(left, some) * block->stride : ec_min_i64(block->ahead_bytes, some * block->stride);
        if (block->stride >= 8 * width) ahead_bytes = 0; /* less than half of it would be of use */
        const uint8_t *ahead = left > 0 ? rows + n * block->stride : block->ahead;
        /* rough dots share the asking with the rounding; others ask for few bytes, and rounding for what is left */
        const int64_t share = screen->rough ? ahead_bytes * 16 / (16 + n_queries) : 0;
        const int64_t near_bytes = block->stride < 8 * width ? n * block->stride : 0;
        int8_t *codes = screen->codes + (screen->twice ? r * width : 0); /* kept for the second screening */
        ec_active.screen_rows(rows, block->stride, n, width, EC_SCREEN_LEVELS, codes, screen->steps + r,
                              screen->errors + r, screen->lengths + r, share ? ahead : rows + NEAR_BYTES,
                              share ? share : near_bytes);
        meet_few(screen, n_queries, codes, width, n, width, 0, (int32_t *)scan->scores + r, scan->block, NULL, NULL,
                 ahead + share, ahead_bytes - share);
    }
}

void ec_screen_pack(const ec_scan *scan, int64_t n_queries, ec_block *block) {
    const int64_t width = scan->args->width;
    const ec_screen *screen = scan->screen;
    if (ec_screen_codes(scan->args)) {
        pack_codes(scan, n_queries, block);
    } else if (screen->at_once) {
        ec_active.screen_few(screen->prepared, n_queries, block->rows, block->stride, block->n, width, screen->codes,
                             screen->steps, screen->errors, screen->lengths, scan->scores, scan->block);
    } else if (screen->few) {
        meet_floats(scan, n_queries, block);
    } else {
        /* what the tiles of the block before have asked for in vain */
        const int64_t ahead_bytes = block->stride < 8 * width ? block->n * block->stride : 0;
        ec_active.screen_rows(block->rows, block->stride, block->n, width, EC_SCREEN_LEVELS, screen->codes,
                              screen->steps, screen->errors, screen->lengths, block->rows + NEAR_BYTES, ahead_bytes);
        pack_panel(screen, screen->codes, width, block->n, width, 0, NULL, NULL);
    }
}

void ec_screen_terms(const ec_scan *scan, const ec_block *block) {
    const float slack = rounding(scan->args->width);
    ec_screen *screen = scan->screen;
    screen->passed = 0;
    for (int64_t r = 0; r < block->n; r++) {
        const float step = screen->steps[r], mul = scan->mul[r], bias = scan->bias[r];
        const float length = screen->lengths[r], own = screen->errors[r];
        const float shift = screen->shift + screen->factor * fabsf(scan->add[r]);
        const float rounded = bias - ROUNDING_OF_COSTS * (fabsf(bias) + screen->constant + fabsf(mul) * shift);
        const float off = fabsf(mul) * (own + slack * length) * OFF_WIDER;
        const float by_error = fabsf(mul) * (length + own) * OFF_WIDER;
        const float least = rounded - screen->width * (off + screen->error * by_error);
        const int told = step >= 0 && isfinite(least); /* if not, the row passes, and its float32 score decides */
        screen->mul[r] = told ? mul * step : 0;
        screen->bias[r] = told ? (screen->rough ? rounded : least) : -INFINITY;
        if (screen->rough) {
            screen->off[r] = told ? off : 0;
            screen->off_by_error[r] = told ? by_error : 0;
        }
    }
}

void ec_screen_tile(const ec_scan *scan, int64_t first, int64_t n_queries, const ec_block *block, const void *ahead,
                    int64_t ahead_bytes) {
    const int64_t width = scan->args->width;
    const ec_screen *screen = scan->screen;
    if (screen->rough)
        ec_active.rough_i8_tile(screen->prepared, first, n_queries, screen->panel, block->n, width, scan->scores,
                                scan->block, ahead, ahead_bytes);
    else
        ec_active.dot_i8_tile(screen->prepared, first, n_queries, screen->panel, block->n, width, scan->scores,
                              scan->block, ahead, ahead_bytes);
}

/* Scores the chosen rows as they would have been without screening. */
static void score_chosen(const ec_scan *scan, int64_t query, const ec_block *block, int64_t n) {
    const ec_search_args *args = scan->args;
    const ec_screen *screen = scan->screen;
    const int64_t width = args->width;
    const uint8_t *codes = (const uint8_t *)args->queries + query * ec_search_query_bytes(args);
    if (ec_screen_codes_both(args)) {
        ec_active.dot_i8_chosen(codes, block->codes, block->codes_stride, screen->chosen, n, width, (uint8_t)args->flip,
                                screen->dots);
        for (int64_t i = 0; i < n; i++) screen->scores[i] = (float)screen->dots[i];
        return;
    }
    if (ec_screen_decodes(args)) decode_chosen(scan, block, n);
    ec_active.dot_f32_chosen(codes, ec_screen_decodes(args) ? (const uint8_t *)scan->decoded : block->rows,
                             ec_screen_decodes(args) ? 4 * width : block->stride, screen->chosen, n, width,
                             screen->scores);
}

/* The part of a row's least cost that is not the dot of codes, where those of query `slot` are off by `error`. */
EC_INLINE float least_of(const ec_screen *screen, int64_t slot, float error, int64_t r) {
    return screen->bias[r] - screen->reaches[slot] * (screen->off[r] + error * screen->off_by_error[r]);
}

/* Leaves of n chosen rows those that pass by codes of all levels too. Returns their number. */
static int64_t screen_again(const ec_scan *scan, ec_finish f, int64_t slot, int64_t n, float limit) {
    const ec_screen *screen = scan->screen;
    const int64_t width = scan->args->width;
    int64_t kept = 0;
    f.bias = screen->least;
    f.query_mul *= screen->fine_steps[slot];
    ec_active.dot_i8_chosen(screen->fine_codes + slot * width, screen->codes, width, screen->chosen, n, width, 0,
                            screen->dots);
    for (int64_t i = 0; i < n; i++) {
        const int32_t row = screen->chosen[i];
        screen->least[row] = least_of(screen, slot, screen->fine_errors[slot], row);
        screen->chosen[kept] = row;
        kept += !(ec_cost(&f, (float)screen->dots[i], row) >= limit);
    }
    return kept;
}

int64_t ec_screen_pass(const ec_scan *scan, ec_finish f, int64_t query, int64_t slot, const ec_block *block,
                       const void *scores, float limit) {
    ec_screen *screen = scan->screen;
    f.mul = screen->mul;
    f.bias = screen->bias;
    f.lowest = -INFINITY;
    const ec_finish plain = f;
    f.query_mul *= screen->query_steps[slot];
    if (scan->args->sum_weight != 0) {
        for (int64_t r = 0; r < block->n; r++) screen->add[r] = scan->add[r] / screen->query_steps[slot];
        f.add = screen->add;
    }
    if (screen->rough) { /* with few levels a query's own error is often well below the largest */
        for (int64_t r = 0; r < block->n; r++) screen->least[r] = least_of(screen, slot, screen->own_errors[slot], r);
        f.bias = screen->least;
    }
    int64_t n = ec_active.sift_i32(&f, scores, block->n, limit, 0, 0, block->mask, screen->passing);
    for (int64_t i = 0; i < n; i++) screen->chosen[i] = (int32_t)(uint32_t)screen->passing[i];
    screen->passed += n;
    if (screen->twice) n = screen_again(scan, plain, slot, n, limit);
    score_chosen(scan, query, block, n);
    return n;
}
