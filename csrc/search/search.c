/* The driver of a search: every batch of queries meets the corpus block by block, and the costs that beat a query's
 * limit become entries. Called from Python for each range of rows that a thread takes. It is fast because a block is
 * packed once for a whole batch, and because after the first blocks nearly all scores are discarded by a comparison of
 * vectors. */
#include <math.h>

#include "screening.h"

/* Where entries go: to the reservoirs of the k best, or, for a range search, to one list of hits for all queries. */
typedef struct {
    int range;
    uint64_t *hits;
    int32_t *hit_queries;
    int64_t n_hits;
    /* Element `query` of an array of float32, or NULL where there is no array. */
} sink;

/* The terms from which ec_cost() makes the costs of a query, with the rows of the block at hand. */
static const float *term(const void *values, int64_t query) { return values ? (const float *)values + query : NULL; }

static ec_finish finish_of(const ec_scan *scan, int64_t query) {
    const ec_search_args *args = scan->args;
    const float *mul = term(args->mul, query), *bias = term(args->bias, query), *square = term(args->square, query);
    const float *weight = term(args->weight, query);
    ec_finish f = {
        .add = scan->add,
        .mul = scan->mul,
        .bias = scan->bias,
        .query_mul = mul ? *mul : 1.0f,
        .query_bias = bias ? *bias : 0.0f,
        .query_add = square ? *square : 0.0f,
        .query_weight = weight ? *weight : 1.0f,
        .lowest = args->metric == EC_COST_L2 ? 0.0f
                  : args->bounded            ? -1.0f
                                             : -INFINITY,
        .jaccard = args->metric == EC_COST_JACCARD,
    };
    return f;
}

/* The first row among fresh entries whose cost is NaN, or -1. */
static int64_t nan_among(const uint64_t *entries, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (ec_key_is_nan((uint32_t)(entries[i] >> 32))) return (int64_t)(entries[i] & 0xffffffffu);
    return -1;
}

/* The least integer that is not below the limit: an integer cost is below the one if and only if it is below the
 * other. */
static int32_t whole_limit(float limit) {
    return limit <= 0 ? 0 : limit >= (float)INT32_MAX ? INT32_MAX : (int32_t)ceilf(limit);
}

/* A tile is given limits once a query has met this many rows for each of the k best. Before that so many rows pass that
 * a branch on each 64 rows costs more than to write all scores and filter them. */
enum { ROWS_OF_ONE = 256 };

/* Sets the limit of query `slot` of the batch, which has met n_rows rows, and the limit of raw scores that follows from
 * it. */
static void set_limit(const ec_scan *scan, int64_t query, int64_t slot, int64_t n_rows, int32_t limit_i32,
                      float limit_f32) {
    const ec_finish f = finish_of(scan, query);
    const int asks = n_rows / ROWS_OF_ONE >= scan->args->k;
    scan->limits_i32[slot] = limit_i32;
    scan->limits_f32[slot] = limit_f32;
    scan->near_limits[slot] = ec_scan_near_limit(scan, &f, asks ? limit_i32 : EC_NO_LIMIT_I32, asks ? limit_f32 : NAN);
}

/* Drops most entries of query `slot` but the k best, and lowers the query's limit to the greatest that is left. The
 * query has met n_rows rows. */
static void prune(const ec_scan *scan, int64_t query, int64_t slot, int64_t n_rows) {
    uint64_t *entries = scan->entries + slot * scan->capacity, last;
    scan->counts[slot] = ec_reservoir_prune(entries, scan->counts[slot], scan->args->k, scan->spare, &last);
    scan->full[slot] = ec_reservoir_full(scan->args->k);
    set_limit(scan, query, slot, n_rows, (int32_t)(last >> 32), ec_cost_of_key((uint32_t)(last >> 32)));
}

/* Where the next entries of query `slot` are written. */
static uint64_t *fresh_entries(const ec_scan *scan, const sink *to, int64_t slot) {
    return to->range ? to->hits + to->n_hits : scan->entries + slot * scan->capacity + scan->counts[slot];
}

/* Counts n entries from the block that are written there already. Where the reservoir then has at least `full` entries
 * it is pruned. */
static void note_entries(const ec_scan *scan, sink *to, int64_t query, int64_t slot, const ec_block *block, int64_t n,
                         int64_t full) {
    if (to->range) {
        for (int64_t i = 0; i < n; i++) to->hit_queries[to->n_hits + i] = (int32_t)query;
        to->n_hits += n;
    } else {
        scan->counts[slot] += n;
        if (scan->counts[slot] >= full) prune(scan, query, slot, block->first + block->n);
    }
}

/* Turns the raw scores of one query with n_rows rows of the block, from row `at` (a multiple of EC_NEAR_ROWS) on, into
 * entries. `query` counts all queries, `slot` those of the batch. Returns the position of a row whose cost is NaN, or
 * -1. */
static int64_t keep(const ec_scan *scan, sink *to, int64_t query, int64_t slot, const ec_block *block, int64_t at,
                    int64_t n_rows, const int32_t *block_scores) {
    const ec_search_args *args = scan->args;
    const void *scores = block_scores + at;
    const uint8_t *mask = block->mask ? block->mask + at / 8 : NULL;
    uint32_t first = (uint32_t)(block->first + at);
    uint64_t *fresh = fresh_entries(scan, to, slot);
    int64_t n, bad = -1, k = to->range ? 0 : args->k;
    if (args->metric == EC_COST_RAW) {
        n = ec_active.filter_i32(scores, n_rows, scan->limits_i32[slot], k, first, mask, fresh);
    } else {
        ec_finish f = finish_of(scan, query);
        float limit = scan->limits_f32[slot];
        f.add += at;
        f.mul += at;
        f.bias += at;
        if (args->family == EC_DOT_F32 || args->family == EC_USER_TILE)
            n = ec_active.sift_f32(&f, scores, n_rows, limit, k, first, mask, fresh);
        else
            n = ec_active.sift_i32(&f, scores, n_rows, limit, k, first, mask, fresh);
        if (n) bad = nan_among(fresh, n);
    }
    note_entries(scan, to, query, slot, block, n, scan->full[slot]);
    return bad;
}

/* Like keep(), for only the groups of EC_NEAR_ROWS rows whose bit in `near` says that a score may matter. */
static int64_t keep_near(const ec_scan *scan, sink *to, int64_t query, int64_t slot, const ec_block *block,
                         unsigned near, const int32_t *scores) {
    const unsigned all = (1u << (block->n + EC_NEAR_ROWS - 1) / EC_NEAR_ROWS) - 1;
    if ((near & all) == all) return keep(scan, to, query, slot, block, 0, block->n, scores);
    int64_t worst = -1;
    for (; near != 0; near &= near - 1) {
        const int64_t at = ec_trailing_zeros_u64(near) * EC_NEAR_ROWS, n = ec_min_i64(block->n - at, EC_NEAR_ROWS);
        const int64_t bad = keep(scan, to, query, slot, block, at, n, scores);
        if (bad >= 0 && worst < 0) worst = bad;
    }
    return worst;
}

/* Like keep(), for a block whose scores are those of screening: each row that passes is scored in float32, exactly as
 * it would have been without screening. */
static int64_t keep_screened(const ec_scan *scan, sink *to, int64_t query, int64_t slot, const ec_block *block,
                             const int32_t *scores) {
    const ec_finish f = finish_of(scan, query);
    const ec_screen *screen = scan->screen;
    const float limit = scan->limits_f32[slot];
    uint64_t *fresh = fresh_entries(scan, to, slot);
    int64_t n = 0, bad = -1, passing = ec_screen_pass(scan, f, query, slot, block, scores, limit);
    for (int64_t i = 0; i < passing; i++) {
        const uint32_t row = (uint32_t)(block->first + screen->chosen[i]);
        const float cost = ec_cost(&f, screen->scores[i], screen->chosen[i]);
        if (cost != cost && bad < 0) bad = row;
        if (!(cost >= limit)) fresh[n++] = ec_entry_f32(cost, row);
    }
    /* pruned early: a lower limit spares more float32 scores here than pruning costs */
    note_entries(scan, to, query, slot, block, n, scan->args->k + ec_reservoir_slack(scan->args->k) / 8);
    return bad;
}

/* One block against a batch of queries: decodes or packs it, computes terms and scores, and keeps what passes. Returns
 * the position of a row of which a cost is NaN, or -1. */
static int64_t meet(const ec_scan *scan, sink *to, int64_t first_query, int64_t n_queries, const int64_t *selection,
                    ec_block *block, int64_t rows_left) {
    const ec_search_args *args = scan->args;
    const int screened = ec_screen_now(scan, n_queries), by_rows = !screened && ec_scan_by_rows(args, n_queries);
    const int64_t group = by_rows ? n_queries : scan->group;
    int64_t worst = -1;
    if (!screened) ec_block_decode(scan, block);
    if (by_rows) {
        const uint8_t *query = (const uint8_t *)args->queries + first_query * ec_search_query_bytes(args);
        ec_scan_rows(scan, query, n_queries, block);
    } else if (screened) {
        ec_screen_pack(scan, block);
    } else {
        ec_scan_pack(scan, block);
    }
    ec_block_terms(scan, selection, block);
    if (screened) ec_screen_terms(scan, block);
    /* prefetch the next block meanwhile, a share of it with each group of queries, so that memory is never idle */
    int contiguous = args->selection == NULL && args->row_stride == args->row_bytes;
    int64_t ahead_bytes = contiguous ? ec_min_i64(rows_left, scan->block) * args->row_bytes : 0;
    const uint8_t *ahead = (const uint8_t *)args->rows + (block->first + block->n) * args->row_stride;
    for (int64_t q = 0; q < n_queries; q += group) {
        int64_t n = ec_min_i64(group, n_queries - q);
        int64_t from = ahead_bytes * q / n_queries, until = ahead_bytes * (q + n) / n_queries;
        if (screened)
            ec_screen_tile(scan, q, n, block, ahead_bytes ? ahead + from : NULL, until - from);
        else if (!by_rows)
            ec_scan_tile(scan, q, n, block, ahead_bytes ? ahead + from : NULL, until - from);
        for (int64_t i = 0; i < n; i++) {
            if (!screened && !by_rows && scan->near[i] == 0) continue;
            const int32_t *scores = (const int32_t *)scan->scores + i * scan->block;
            const int64_t query = first_query + q + i;
            int64_t bad = screened  ? keep_screened(scan, to, query, q + i, block, scores)
                          : by_rows ? keep(scan, to, query, q + i, block, 0, block->n, scores)
                                    : keep_near(scan, to, query, q + i, block, scan->near[i], scores);
            /* a user's function that raised has written no scores for the queries behind it, whatever the row: the
             * first query counts */
            if (bad >= 0 && (worst < 0 || (bad < worst && args->family != EC_USER_TILE))) worst = bad;
        }
    }
    if (screened) ec_screen_weigh(scan, n_queries * block->n);
    return worst;
}

/* The batch of queries first .. + n against the rows from *row on, block by block. Stops before a block where `left`
 * pairs of a query and a row are used up, or, for a range search, where its hits might not find room. Returns the row
 * in the corpus of which a cost is NaN, or -1. */
static int64_t scan_rows(const ec_scan *scan, sink *to, int64_t first, int64_t n, const int64_t *selection,
                         int64_t *row, int64_t capacity, int64_t *left) {
    const ec_search_args *args = scan->args;
    int64_t n_rows = selection ? args->n_selected : args->n_rows;
    if (!ec_scan_by_rows(args, n))
        ec_scan_prepare(scan, (const uint8_t *)args->queries + first * ec_search_query_bytes(args), n);
    if (scan->screen) ec_screen_prepare(scan, first, n);
    for (; *row < n_rows && *left > 0; *row += scan->block) {
        ec_block block = {*row, ec_min_i64(scan->block, n_rows - *row), NULL, 0, NULL, 0, NULL, 0};
        if (to->range && capacity - to->n_hits < n * scan->block) return -1;
        const int some = ec_block_fetch(scan, selection, &block);
        *left -= some ? n * block.n : block.n;
        if (!some) continue;
        int64_t bad = meet(scan, to, first, n, selection, &block, n_rows - *row - block.n);
        if (bad >= 0) return selection ? selection[bad] : bad;
    }
    return -1;
}

static const int64_t *selection_of(const ec_search_args *args, int64_t query) {
    return args->selection ? (const int64_t *)args->selection + query * args->selection_stride : NULL;
}

/* The number of queries in the next batch: one, where each query has a selection of its own. */
static int64_t batch_of(const ec_scan *scan, int64_t first) {
    if (scan->args->selection && scan->args->selection_stride) return 1;
    return ec_min_i64(scan->batch, scan->args->n_queries - first);
}

/* Writes the k best of query `slot`, sorted and filled up with UINT64_MAX, to `out`. */
static void deliver(const ec_scan *scan, int64_t slot, uint64_t *out) {
    int64_t n = scan->counts[slot], k = ec_min_i64(scan->args->k, n);
    if (k) ec_reservoir_deliver(scan->entries + slot * scan->capacity, n, k, scan->spare, out);
    for (int64_t i = k; i < scan->args->k; i++) out[i] = UINT64_MAX;
}

int64_t ec_search_scratch_bytes(const ec_search_args *args) {
    ec_scan scan;
    return ec_scan_layout(&scan, args, NULL);
}

static ec_result bad_row(int64_t row) {
    ec_result result = {row, 0, EC_NOT_FINITE};
    return result;
}

ec_result ec_search(const ec_search_args *args, int64_t most_pairs, void *state, void *scratch) {
    ec_result result = {0, 0, EC_OK};
    ec_scan scan;
    sink to;
    int64_t *at = state, left = most_pairs; /* at[0]: the first query of the batch; at[1]: the row to go on from */
    if (args->k < 1) at[0] = args->n_queries;
    memset(&to, 0, sizeof to);
    ec_scan_layout(&scan, args, scratch);
    while (at[0] < args->n_queries && left > 0) {
        const int64_t first = at[0], n = batch_of(&scan, first),
                      n_rows = args->selection ? args->n_selected : args->n_rows;
        for (int64_t q = 0; q < n && at[1] == 0; q++) {
            scan.counts[q] = 0;
            scan.full[q] = ec_reservoir_first(args->k);
            set_limit(&scan, first + q, q, 0, EC_NO_LIMIT_I32, NAN);
        }
        int64_t bad = scan_rows(&scan, &to, first, n, selection_of(args, first), &at[1], 0, &left);
        if (bad >= 0) return bad_row(bad);
        if (at[1] < n_rows) break;
        for (int64_t q = 0; q < n; q++) deliver(&scan, q, (uint64_t *)args->entries + (first + q) * args->k);
        result.produced += n;
        at[0] += n;
        at[1] = 0;
    }
    return result;
}

int64_t ec_range_reserve(const ec_search_args *args) {
    ec_scan scan;
    ec_scan_layout(&scan, args, NULL);
    return scan.batch * scan.block;
}

ec_result ec_range_search(const ec_search_args *args, const void *limits, void *entries, void *queries,
                          int64_t capacity, int64_t most_pairs, void *state, void *scratch) {
    ec_result result = {0, 0, EC_OK};
    ec_scan scan;
    ec_scan_layout(&scan, args, scratch);
    sink to = {1, entries, queries, 0};
    int64_t *at = state, left = most_pairs;
    while (at[0] < args->n_queries && left > 0) {
        int64_t n = batch_of(&scan, at[0]), n_rows = args->selection ? args->n_selected : args->n_rows;
        for (int64_t q = 0; q < n; q++) {
            float limit = *term(limits, at[0] + q);
            set_limit(&scan, at[0] + q, q, INT64_MAX, whole_limit(limit), limit);
        }
        int64_t bad = scan_rows(&scan, &to, at[0], n, selection_of(args, at[0]), &at[1], capacity, &left);
        if (bad >= 0) return bad_row(bad);
        if (at[1] < n_rows) break;
        at[0] += n;
        at[1] = 0;
    }
    result.produced = to.n_hits;
    return result;
}

int32_t ec_search_squares(const ec_search_args *args, void *squares) {
    int32_t sums[EC_DOT_BLOCK], sumsq[EC_DOT_BLOCK];
    for (int64_t r = 0; r < args->n_rows; r += EC_DOT_BLOCK)
        ec_block_squares(args, (const uint8_t *)args->rows + r * args->row_stride, args->row_stride,
                         ec_min_i64(EC_DOT_BLOCK, args->n_rows - r), 0, sums, sumsq, (double *)squares + r);
    return 1;
}
