/* For the driver (search.c): which kernels each family calls, the sizes of blocks, batches and tiles that keep their
 * data in the right cache, and the scratch that they take. */
#include "../hamming/planes.h"
#include "screening.h"

enum {
    PREPARED_TARGET = 2 << 20, /* bytes of a batch of prepared queries, which are read again for every block */
    PREPARED_U1 =
        512 << 10, /* the same of tables, which only the second-level cache delivers at the speed of arithmetic */
    RESERVOIR_TARGET = 8 << 20, /* bytes of the entries of a batch */
    SCORES_TARGET =
        24 << 10,       /* bytes of the scores of a tile, which share the first-level cache with a slice of the panel */
    FEW_F32_ROWS = 192, /* rows a block where dot_f32_few has no remainder, and sift no partial vector */
    ONE_BYTES =
        1024 << 10,  /* of a block that one query meets: memory rests between blocks, and shorter ones are many */
    ONE_SHARE = 32,  /* but that part of all rows, so that many threads end together */
    ONE_MOST = 1024, /* and rows, whose scores and terms are to stay in the first-level cache */
    BATCH_LEAST = 8,
    BATCH_MOST = 1024
};

int64_t ec_search_query_bytes(const ec_search_args *args) {
    switch (args->family) {
    case EC_DOT_U1: return ec_dot_u1_tables_bytes(1, args->twice + args->width);
    case EC_DOT_F32: return 4 * args->width * (args->decode == EC_DECODE_U1 ? 8 : 1);
    case EC_USER_TILE: return args->row_bytes;
    default: return args->width;
    }
}

int ec_scan_by_rows(const ec_search_args *args, int64_t n_queries) {
    switch (args->family) {
    case EC_USER_TILE: return 0;
    case EC_DOT_I8:
        return n_queries <= (args->width < EC_DOT_SHORT ? ec_active.most_few_short_i8 : ec_active.most_few_i8);
    case EC_DOT_F32: return n_queries <= ec_active.most_few_f32;
    default: return n_queries <= 2;
    }
}

/* Bytes of the panel of a block of n_rows, of the family at hand. */
static int64_t panel_bytes(const ec_scan *scan, int64_t n_rows) {
    switch (scan->args->family) {
    case EC_HAMMING_U1:
        return scan->planes ? ec_planes_u1_panel_bytes(scan->args->width)
                            : ec_hamming_u1_panel_bytes(n_rows, scan->args->width);
    case EC_DOT_U1: return ec_dot_u1_panel_bytes(n_rows, scan->args->width);
    case EC_DOT_I8: return ec_dot_i8_panel_bytes(n_rows, scan->args->width);
    case EC_DOT_F32: return ec_dot_f32_panel_bytes(n_rows, scan->dimension);
    default: return 0;
    }
}

/* Bytes of n_queries in the prepared form of the family at hand. */
static int64_t prepared_bytes(const ec_scan *scan, int64_t n_queries) {
    switch (scan->args->family) {
    case EC_HAMMING_U1:
        return scan->planes ? ec_planes_u1_prepared_bytes(n_queries, scan->args->width)
                            : ec_hamming_u1_prepared_bytes(n_queries, scan->args->width);
    case EC_DOT_I8: return ec_dot_i8_prepared_bytes(n_queries, scan->args->width);
    case EC_DOT_F32: return ec_dot_f32_prepared_bytes(n_queries, scan->dimension);
    default: return n_queries * ec_search_query_bytes(scan->args);
    }
}

/* The same of one of many. */
static int64_t bytes_of_one(const ec_scan *scan) {
    return scan->planes ? prepared_bytes(scan, EC_FOUR) / EC_FOUR : prepared_bytes(scan, 1);
}

void ec_scan_prepare(const ec_scan *scan, const void *queries, int64_t n_queries) {
    switch (scan->args->family) {
    case EC_HAMMING_U1:
        (scan->planes ? ec_planes_prepare : ec_active.hamming_u1_prepare)(queries, n_queries, scan->args->width,
                                                                          scan->prepared);
        break;
    case EC_DOT_U1:
        ec_active.dot_u1_prepare(queries, n_queries, scan->args->width, scan->args->twice, scan->prepared);
        break;
    case EC_DOT_I8: ec_active.dot_i8_prepare(queries, n_queries, scan->args->width, scan->prepared); break;
    case EC_DOT_F32: ec_active.dot_f32_prepare(queries, n_queries, scan->dimension, scan->prepared); break;
    default: memcpy(scan->prepared, queries, (size_t)(n_queries * ec_search_query_bytes(scan->args)));
    }
}

void ec_scan_pack(const ec_scan *scan, const ec_block *block) {
    const ec_search_args *args = scan->args;
    switch (args->family) {
    case EC_HAMMING_U1:
        (scan->planes ? ec_active.planes_u1_pack : ec_active.hamming_u1_pack)(block->rows, block->stride, block->n,
                                                                              args->width, scan->panel);
        break;
    case EC_DOT_U1: ec_active.dot_u1_pack(block->rows, block->stride, block->n, args->width, scan->panel); break;
    case EC_DOT_I8:
        ec_active.dot_i8_pack(block->rows, block->stride, block->n, args->width, (uint8_t)args->flip, scan->panel);
        break;
    case EC_DOT_F32: ec_active.dot_f32_pack(block->rows, block->stride, block->n, scan->dimension, scan->panel); break;
    default: break;
    }
}

void ec_scan_tile(const ec_scan *scan, int64_t first, int64_t n_queries, const ec_block *block, const void *ahead,
                  int64_t ahead_bytes) {
    const ec_search_args *args = scan->args;
    const uint8_t *query = (const uint8_t *)scan->prepared + prepared_bytes(scan, first);
    const int32_t *limits = scan->near_limits + first;
    const uint32_t quiet_nan = 0x7fc00000u;
    if (args->family != EC_HAMMING_U1 && args->family != EC_DOT_U1) memset(scan->near, 0xff, (size_t)n_queries);
    switch (args->family) {
    case EC_HAMMING_U1:
        (scan->planes ? ec_active.planes_u1_tile
                      : ec_active.hamming_u1_tile)(query, n_queries, scan->panel, block->n, args->width, limits,
                                                   scan->scores, scan->block, scan->near, ahead, ahead_bytes);
        break;
    case EC_DOT_U1:
        ec_active.dot_u1_tile(query, n_queries, scan->panel, block->n, args->width, args->twice, limits, scan->scores,
                              scan->block, scan->near, ahead, ahead_bytes);
        break;
    case EC_DOT_I8:
        ec_active.dot_i8_tile(scan->prepared, first, n_queries, scan->panel, block->n, args->width, scan->scores,
                              scan->block, ahead, ahead_bytes);
        break;
    case EC_DOT_F32:
        ec_active.dot_f32_tile(scan->prepared, first, n_queries, scan->panel, block->n, scan->dimension, scan->scores,
                               scan->block, ahead, ahead_bytes);
        break;
    default:
        /* A function that Numba compiled returns at an exception without telling anybody: scores that it has not
         * written are NaN, which is reported. */
        for (int64_t q = 0; q < n_queries; q++)
            for (int64_t i = 0; i < block->n; i++)
                memcpy((uint8_t *)scan->scores + (q * scan->block + i) * 4, &quiet_nan, sizeof quiet_nan);
        args->tile(query, n_queries, block->rows, block->n, args->width, scan->scores, scan->block);
        break;
    }
}

/* Whether the kernels for plain rows can count the squared lengths that the metric needs, as they read the rows; below,
 * the same of the sums of codes. */
static int counts_squares(const ec_search_args *args) {
    if (args->metric != EC_COST_COSINE && args->metric != EC_COST_L2) return 0;
    return (args->segments ? args->segments : &args->whole)->row_squares == NULL && args->decode == EC_DECODE_NONE &&
           args->lengths == (args->family == EC_DOT_I8 ? EC_LENGTH_I8 : EC_LENGTH_F32);
}

static int counts_sums(const ec_search_args *args) {
    return args->family == EC_DOT_I8 && (args->sum_weight != 0 || (args->centre != 0 && counts_squares(args)));
}

/* Scores of plain queries against plain rows of bits, one query at a time. */
static void rows_of_bits(const ec_scan *scan, const uint8_t *query, int64_t n_queries, const ec_block *block) {
    const ec_search_args *args = scan->args;
    int32_t *scores = scan->scores;
    for (int64_t q = 0; q < n_queries; q++, query += ec_search_query_bytes(args), scores += scan->block) {
        if (args->family == EC_HAMMING_U1)
            ec_active.hamming_u1_rows(query, block->rows, block->stride, block->n, args->width, scores);
        else
            ec_active.dot_u1_rows(query, block->rows, block->stride, block->n, args->width, args->twice, scores);
    }
}

void ec_scan_rows(const ec_scan *scan, const void *queries, int64_t n_queries, ec_block *block) {
    const ec_search_args *args = scan->args;
    const int squares = counts_squares(args), sums = counts_sums(args);
    uint8_t flip = (uint8_t)args->flip;
    block->counted = squares || sums;
    if (args->family == EC_HAMMING_U1 || args->family == EC_DOT_U1) {
        rows_of_bits(scan, queries, n_queries, block);
    } else if (args->family == EC_DOT_F32 && n_queries == 1 && !squares) {
        ec_active.dot_f32_rows(queries, block->rows, block->stride, block->n, scan->dimension, scan->scores);
    } else if (args->family == EC_DOT_F32) {
        ec_active.dot_f32_few(queries, n_queries, block->rows, block->stride, block->n, scan->dimension, scan->scores,
                              scan->block, squares ? scan->squares : NULL, scan->prepared);
    } else if (n_queries == 1 && !block->counted) {
        ec_active.dot_i8_rows(queries, block->rows, block->stride, block->n, args->width, flip, scan->scores);
    } else {
        ec_active.dot_i8_few(queries, n_queries, block->rows, block->stride, block->n, args->width, flip, scan->scores,
                             scan->block, sums ? scan->sums : NULL, squares ? scan->sumsq : NULL, scan->prepared, NULL,
                             0);
    }
}

/* The rows of a block that are met as they lie, so that no panel is to be kept small. A multiple of EC_NEAR_ROWS, as
 * all blocks are: their masks begin with a byte. */
static int64_t rows_met_plain(const ec_search_args *args) {
    const int64_t all = args->selection ? args->n_selected : args->n_rows;
    const int64_t fit = ec_min_i64(ONE_BYTES / args->row_bytes, all / ONE_SHARE) / EC_NEAR_ROWS * EC_NEAR_ROWS;
    if (args->n_queries == 1) return ec_clamp_i64(fit, EC_DOT_BLOCK, ONE_MOST);
    return args->family == EC_DOT_F32 ? FEW_F32_ROWS : EC_DOT_BLOCK;
}

int64_t ec_scan_layout(ec_scan *scan, const ec_search_args *args, void *scratch) {
    int64_t most = args->selection ? args->n_selected : args->n_rows;
    scan->args = args;
    scan->dimension = args->width * (args->decode == EC_DECODE_U1 ? 8 : 1);
    scan->planes = args->family == EC_HAMMING_U1 && ec_hamming_u1_by_planes(args->n_queries, most, args->width);
    scan->straddles = scan->planes && args->segments && !args->selection && args->metric == EC_COST_RAW;
    const int screened = ec_screen_wanted(args, args->n_queries);
    int64_t panel_row =
        args->family == EC_DOT_F32 && !(screened && args->decode) ? 4 * scan->dimension : args->row_bytes;
    if (args->family == EC_DOT_U1) panel_row *= ec_active.dot_u1_spread;
    if (args->family == EC_HAMMING_U1) panel_row *= ec_hamming_spread(args->width);
    int64_t rows = scan->planes ? EC_PLANE_ROWS : ec_dot_block_rows(panel_row);
    if (args->selection == NULL && args->decode == EC_DECODE_NONE && ec_scan_by_rows(args, args->n_queries))
        rows = rows_met_plain(args);
    scan->block = ec_min_i64(rows, ec_round_up(most < 1 ? 1 : most, 64));
    int64_t wanted = ec_min_i64(ec_reservoir_full(args->k), most < 1 ? 1 : most);
    scan->capacity = wanted + scan->block;
    /* of float rows that are screened mostly the int8 codes are read, a quarter of the bytes: see screening.h */
    int64_t target = args->family == EC_DOT_U1 ? PREPARED_U1 : PREPARED_TARGET;
    if (screened) target *= 2;
    int64_t batch = ec_min_i64(target / bytes_of_one(scan), RESERVOIR_TARGET / (8 * scan->capacity));
    scan->batch =
        ec_clamp_i64(ec_clamp_i64(batch, BATCH_LEAST, BATCH_MOST), 1, args->n_queries < 1 ? 1 : args->n_queries);
    if (args->selection && args->selection_stride) scan->batch = 1;
    int by_rows = ec_scan_by_rows(args, scan->batch);
    const int64_t some = ec_active.tile_queries;
    scan->group = by_rows ? scan->batch : ec_clamp_i64(SCORES_TARGET / (4 * scan->block) / some * some, some, 4 * some);
    if (args->family == EC_DOT_U1 && !by_rows) scan->group *= ec_active.dot_u1_wide;
    scan->group = ec_min_i64(scan->group, scan->batch);

    int64_t used = 0;
    uint8_t *at = scratch;
    scan->prepared = ec_take(at, &used, prepared_bytes(scan, scan->batch));
    scan->panel = ec_take(at, &used, by_rows ? 0 : panel_bytes(scan, scan->block));
    /* the last, smaller batch may be scored by ec_scan_rows(), all its queries at once */
    int64_t most_at_once = ec_min_i64(scan->batch, EC_DOT_FEW);
    scan->scores = ec_take(at, &used, (scan->group > most_at_once ? scan->group : most_at_once) * scan->block * 4);
    int gathers = args->selection != NULL || args->family == EC_USER_TILE || scan->straddles;
    scan->gathered = ec_take(at, &used, gathers ? scan->block * args->row_bytes : 0);
    scan->decoded = ec_take(at, &used, args->decode ? scan->block * scan->dimension * 4 : 0);
    scan->add = ec_take(at, &used, scan->block * 4);
    scan->mul = ec_take(at, &used, scan->block * 4);
    scan->bias = ec_take(at, &used, scan->block * 4);
    scan->scales = ec_take(at, &used, scan->block * 4);
    scan->sums = ec_take(at, &used, scan->block * 4);
    scan->sumsq = ec_take(at, &used, scan->block * 4);
    scan->squares = ec_take(at, &used, scan->block * 8);
    scan->zeros = ec_take(at, &used, args->width + scan->block / 8 + 1);
    scan->entries = ec_take(at, &used, scan->batch * scan->capacity * 8);
    scan->spare = ec_take(at, &used, scan->capacity * 8);
    scan->counts = ec_take(at, &used, scan->batch * 8);
    scan->full = ec_take(at, &used, scan->batch * 8);
    scan->limits_i32 = ec_take(at, &used, scan->batch * 4);
    scan->limits_f32 = ec_take(at, &used, scan->batch * 4);
    scan->bounds = ec_take(at, &used, scan->batch * 8);
    scan->equal = ec_take(at, &used, scan->batch);
    scan->shared = NULL;
    scan->near_limits = ec_take(at, &used, scan->batch * 4);
    scan->near = ec_take(at, &used, scan->group);
    scan->screen = NULL;
    if (ec_screen_wanted(args, scan->batch)) used += ec_screen_layout(scan, at ? at + used : NULL);
    if (scratch == NULL) return used;
    float plain_mul = args->metric == EC_COST_USER ? args->user_sign : -1.0f;
    for (int64_t r = 0; r < scan->block; r++) {
        scan->add[r] = 0;
        scan->mul[r] = plain_mul;
        scan->bias[r] = 0;
    }
    memset(scan->zeros, 0, (size_t)(args->width + scan->block / 8 + 1));
    return used;
}
