/* What screening.h declares. The margins below keep screening exact: every rounding that could make a row look worse
 * than it is widens the bound on its cost. */
#include "screening.h"

#include <math.h>

enum {
    LEAST_ELEMENTS = 5000,    /* rounding rows does not pay for fewer elements of all queries, and for few queries */
    LEAST_ROUGH = 128,        /* dimensions from which rough dots pay, */
    LEAST_ROUGH_FLOATS = 640, /* of floats, */
    LEAST_ROWS = 4096,        /* rows, */
    ROWS_OF_ONE = 32,         /* and rows met for each of the k best, whose share of the rows passes at least */
    SHARE = 8,        /* one row in this many may pass: scoring it in float32 costs about as much as screening ten */
    ROUGH_SHARE = 16, /* the same where rough dots have screened it */
    LONGEST_WAIT = 64,
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

/* Whether queries and rows are codes. They are met by rough dots, and rows that pass by int8 dots. */
static int both_are_codes(const ec_search_args *args) { return args->family == EC_DOT_I8; }

/* Whether rows that pass are decoded, before they are scored in float32. */
static int decodes(const ec_search_args *args) { return args->decode == EC_DECODE_I8; }

/* Whether rows are codes and need no rounding. */
static int rows_are_codes(const ec_search_args *args) { return both_are_codes(args) || decodes(args); }

/* Whether the tier meets so many queries of few levels at a fraction of the price of others. */
static int rough_pays(const ec_search_args *args, int64_t n_queries) {
    const int64_t least = both_are_codes(args) ? LEAST_ROUGH : LEAST_ROUGH_FLOATS;
    return ec_active.rough_queries && n_queries >= ec_active.rough_queries && args->width >= least && !decodes(args);
}

int ec_screen_wanted(const ec_search_args *args, int64_t n_queries) {
    const int known = args->metric == EC_COST_DOT || args->metric == EC_COST_COSINE || args->metric == EC_COST_L2;
    const int64_t n_rows = args->selection ? args->n_selected : args->n_rows;
    if (!known || args->width > EC_DOT_MAX_DIMENSION || args->weight) return 0;
    if (both_are_codes(args)) return rough_pays(args, n_queries) && n_rows >= LEAST_ROWS;
    if (args->family != EC_DOT_F32) return 0;
    if (rows_are_codes(args)) return 1;
    return ec_active.screens && args->decode == EC_DECODE_NONE && n_queries >= ec_active.screens &&
           n_queries * args->width >= LEAST_ELEMENTS;
}

int64_t ec_screen_layout(ec_scan *scan, uint8_t *at) {
    const int64_t width = scan->args->width, most = scan->batch > scan->block ? scan->batch : scan->block;
    int64_t used = 0;
    ec_screen screen;
    memset(&screen, 0, sizeof screen);
    scan->screen = ec_take(at, &used, sizeof screen);
    screen.query_codes = ec_take(at, &used, scan->batch * width);
    screen.codes = ec_take(at, &used, rows_are_codes(scan->args) ? 0 : scan->block * ec_round_up(width, 64));
    screen.decoded = ec_take(at, &used, decodes(scan->args) ? scan->block : 0);
    screen.query_steps = ec_take(at, &used, scan->batch * 4);
    screen.steps = ec_take(at, &used, scan->block * 4);
    screen.errors = ec_take(at, &used, most * 4);
    screen.lengths = ec_take(at, &used, most * 4);
    screen.add = ec_take(at, &used, scan->args->sum_weight != 0 ? scan->block * 4 : 0);
    screen.mul = ec_take(at, &used, scan->block * 4);
    screen.bias = ec_take(at, &used, scan->block * 4);
    screen.prepared = ec_take(at, &used, ec_dot_i8_prepared_bytes(scan->batch, width));
    screen.panel = ec_take(at, &used, ec_dot_i8_panel_bytes(scan->block, width));
    screen.passing = ec_take(at, &used, scan->block * 8);
    screen.chosen = ec_take(at, &used, scan->block * 4);
    screen.scores = ec_take(at, &used, scan->block * 4);
    screen.dots = ec_take(at, &used, both_are_codes(scan->args) ? scan->block * 4 : 0);
    screen.values = ec_take(at, &used, both_are_codes(scan->args) ? width * 4 : 0);
    if (at) *scan->screen = screen;
    return used;
}

/* Rounds the queries first .. + n_queries of the arguments. One of codes that are all 0 gets the step 1: a row's own term
 * is counted in steps. */
static void round_queries(const ec_scan *scan, int64_t first, int64_t n_queries) {
    const ec_search_args *args = scan->args;
    const int64_t width = args->width;
    const ec_screen *screen = scan->screen;
    const uint8_t *queries = (const uint8_t *)args->queries + first * ec_search_query_bytes(args);
    if (!both_are_codes(args))
        ec_active.screen_rows(queries, 4 * width, n_queries, width, screen->rough ? EC_ROUGH : EC_SCREEN_LEVELS,
                              screen->query_codes, screen->query_steps, screen->errors, screen->lengths, NULL, 0);
    for (int64_t q = 0; both_are_codes(args) && q < n_queries; q++) {
        ec_active.decode_i8(queries + q * width, width, 1, width, 0, screen->values);
        ec_active.screen_rows(screen->values, 4 * width, 1, width, EC_ROUGH, screen->query_codes + q * width,
                              &screen->query_steps[q], &screen->errors[q], &screen->lengths[q], NULL, 0);
        if (screen->query_steps[q] == 0) screen->query_steps[q] = 1;
    }
}

/* Rounds the batch, to few levels or not, and decides whether it can be screened. */
static void prepare(const ec_scan *scan, int rough) {
    const ec_search_args *args = scan->args;
    ec_screen *screen = scan->screen;
    const float *mul = args->mul, *bias = args->bias, *square = args->square;
    const int64_t first = screen->first, n_queries = screen->n_queries;
    screen->rough = rough;
    if (rough)
        screen->few = n_queries <= EC_DOT_FEW;
    else
        screen->few = n_queries <= ec_active.most_few_i8;
    screen->at_once = screen->few && !rough && !rows_are_codes(args) && n_queries <= ec_active.most_screen_few;
    screen->width = screen->error = screen->constant = screen->shift = screen->factor = 0;
    round_queries(scan, first, n_queries);
    for (int64_t q = 0; q < n_queries; q++) {
        const float factor = fabsf(mul ? mul[first + q] : 1.0f), reach = factor * screen->lengths[q];
        const float error = screen->lengths[q] > 0 ? screen->errors[q] / screen->lengths[q] : 0;
        const float added = square ? fabsf(square[first + q]) : 0, shift = bias ? fabsf(bias[first + q]) : 0;
        if (!(screen->query_steps[q] >= 0) || !(reach < INFINITY) || !(factor < INFINITY) || !(added < INFINITY) ||
            !(shift < INFINITY) ||
            (shift != 0 && !rows_are_codes(args))) /* it would be multiplied by the steps of float rows */
            screen->able = 0;
        screen->width = reach > screen->width ? reach : screen->width;
        screen->error = error > screen->error ? error : screen->error;
        screen->constant = added > screen->constant ? added : screen->constant;
        screen->shift = shift > screen->shift ? shift : screen->shift;
        screen->factor = factor > screen->factor ? factor : screen->factor;
    }
    if (!screen->able) return;
    if (rough)
        ec_active.rough_i8_prepare(screen->query_codes, n_queries, args->width, screen->prepared);
    else if (screen->at_once)
        ec_active.screen_few_prepare(screen->query_codes, n_queries, args->width, screen->prepared);
    else if (!screen->few)
        ec_active.dot_i8_prepare(screen->query_codes, n_queries, args->width, screen->prepared);
}

void ec_screen_prepare(const ec_scan *scan, int64_t first, int64_t n_queries) {
    ec_screen *screen = scan->screen;
    screen->able = ec_screen_wanted(scan->args, n_queries);
    screen->first = first;
    screen->n_queries = n_queries;
    screen->ready = 0;
    screen->narrow = 0;
    screen->wait = 0;
    screen->pause = 1;
    if (screen->able) prepare(scan, rough_pays(scan->args, n_queries));
}

int ec_screen_now(const ec_scan *scan, int64_t n_queries, int64_t n_rows) {
    ec_screen *screen = scan->screen;
    if (screen == NULL || !screen->able) return 0;
    if (screen->rough && n_rows / ROWS_OF_ONE < scan->args->k) return 0;
    if (!screen->ready) {
        for (int64_t q = 0; q < n_queries; q++)
            if (isnan(scan->limits_f32[q])) return 0;
        screen->ready = 1;
    }
    if (screen->wait == 0) return 1;
    screen->wait--;
    return 0;
}

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
    if (decodes(args)) memset(screen->decoded, 0, (size_t)block->n);
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
        ec_active.screen_rows(rows, block->stride, n, width, EC_SCREEN_LEVELS, screen->codes, screen->steps + r,
                              screen->errors + r, screen->lengths + r, share ? ahead : rows + NEAR_BYTES,
                              share ? share : near_bytes);
        meet_few(screen, n_queries, screen->codes, width, n, width, 0, (int32_t *)scan->scores + r, scan->block, NULL,
                 NULL, ahead + share, ahead_bytes - share);
    }
}

void ec_screen_pack(const ec_scan *scan, int64_t n_queries, ec_block *block) {
    const int64_t width = scan->args->width;
    const ec_screen *screen = scan->screen;
    if (rows_are_codes(scan->args)) {
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
        const float off =
            screen->errors[r] + screen->error * (screen->lengths[r] + screen->errors[r]) + slack * screen->lengths[r];
        const float shift = screen->shift + screen->factor * fabsf(scan->add[r]);
        const float least = bias - screen->width * fabsf(mul) * off * OFF_WIDER -
                            ROUNDING_OF_COSTS * (fabsf(bias) + screen->constant + fabsf(mul) * shift);
        const int told = step >= 0 && isfinite(least); /* if not, the row passes, and its float32 score decides */
        screen->mul[r] = told ? mul * step : 0;
        screen->bias[r] = told ? least : -INFINITY;
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
    if (both_are_codes(args)) {
        ec_active.dot_i8_chosen(codes, block->codes, block->codes_stride, screen->chosen, n, width, (uint8_t)args->flip,
                                screen->dots);
        for (int64_t i = 0; i < n; i++) screen->scores[i] = (float)screen->dots[i];
        return;
    }
    if (decodes(args)) decode_chosen(scan, block, n);
    ec_active.dot_f32_chosen(codes, decodes(args) ? (const uint8_t *)scan->decoded : block->rows,
                             decodes(args) ? 4 * width : block->stride, screen->chosen, n, width, screen->scores);
}

int64_t ec_screen_pass(const ec_scan *scan, ec_finish f, int64_t query, int64_t slot, const ec_block *block,
                       const void *scores, float limit) {
    ec_screen *screen = scan->screen;
    f.mul = screen->mul;
    f.bias = screen->bias;
    f.query_mul *= screen->query_steps[slot];
    f.lowest = -INFINITY;
    if (scan->args->sum_weight != 0) {
        for (int64_t r = 0; r < block->n; r++) screen->add[r] = scan->add[r] / screen->query_steps[slot];
        f.add = screen->add;
    }
    const int64_t n = ec_active.sift_i32(&f, scores, block->n, limit, 0, 0, block->mask, screen->passing);
    for (int64_t i = 0; i < n; i++) screen->chosen[i] = (int32_t)(uint32_t)screen->passing[i];
    score_chosen(scan, query, block, n);
    screen->passed += n;
    return n;
}

void ec_screen_weigh(const ec_scan *scan, int64_t pairs) {
    ec_screen *screen = scan->screen;
    const int many = screen->passed * (screen->rough ? ROUGH_SHARE : SHARE) > pairs;
    if (many && screen->rough && !both_are_codes(scan->args)) {
        prepare(scan, 0); /* codes of all levels tell more */
    } else if (many && screen->few && !screen->rough && !screen->narrow && rows_are_codes(scan->args)) {
        screen->narrow = 1;
    } else if (many) {
        screen->wait = screen->pause;
        screen->pause = ec_min_i64(2 * screen->pause, LONGEST_WAIT);
    } else {
        screen->pause = 1;
    }
}
