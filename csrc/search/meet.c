/* A block of rows meets a batch of queries: its scores become costs, and the costs that beat a query's limit become
 * entries. It is fast because a block is packed once for a whole batch, and because after the first blocks nearly all
 * scores are discarded by a comparison of vectors. */
#include "meet.h"

#include <float.h>
#include <math.h>

#include "screening.h"

/* Element `query` of an array of float32, or NULL where there is no array. */
static const float *term(const void *values, int64_t query) { return values ? (const float *)values + query : NULL; }

/* The terms from which ec_cost() makes the costs of a query, with the rows of the block at hand. */
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

/* The same with the rows' scales and biases as they are stored, which terms are with the other sign: here the query has
 * it, and the costs are the same to the bit. */
static ec_finish finish_stored(const ec_scan *scan, int64_t query, const ec_block *block) {
    ec_finish f = finish_of(scan, query);
    f.mul = block->scales;
    f.bias = block->biases;
    f.query_mul = -f.query_mul;
    f.query_bias = -f.query_bias;
    f.query_weight = -f.query_weight;
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

/* A tile is given limits once a query has met this many rows for each of the k best, or where the caller knows what the
 * best of other rows cost. Before that so many rows pass that a branch on each 64 rows costs more than to write all
 * scores and filter them. */
enum { ROWS_OF_ONE = 256 };

/* Whether a tile is given limits for rows from n_rows on. */
static int asks_limits(const ec_scan *scan, int64_t n_rows) {
    return scan->args->within || n_rows / ROWS_OF_ONE >= scan->args->k;
}

/* Asks for the beginning of the next segment, which the processor cannot foresee. */
static void ahead_elsewhere(const ec_block *block) {
    enum { LINES = 32, VALUES = 4 };
    const ec_segment *next = block->jump;
    ec_prefetch(block->ahead, ec_min_i64(block->ahead_bytes, 64 * LINES));
    if (next->row_scales) ec_prefetch(next->row_scales, 64 * VALUES);
    if (next->row_biases) ec_prefetch(next->row_biases, 64 * VALUES);
    if (next->row_squares) ec_prefetch(next->row_squares, 64 * VALUES);
}

/* Sets the limit of query `slot` of the batch, which has met n_rows rows, and the limit of raw scores that follows from
 * it. */
static void set_limit(const ec_scan *scan, int64_t query, int64_t slot, int64_t n_rows, int32_t limit_i32,
                      float limit_f32) {
    const ec_finish f = finish_of(scan, query);
    const int asks = asks_limits(scan, n_rows);
    scan->limits_i32[slot] = limit_i32;
    scan->limits_f32[slot] = limit_f32;
    scan->near_limits[slot] = ec_scan_near_limit(scan, &f, asks ? limit_i32 : EC_NO_LIMIT_I32, asks ? limit_f32 : NAN);
}

/* Sets the limits of query `slot` by an entry that is not below the k-th best: no entry above it is wanted. An equal
 * cost makes a greater entry where its row is greater; so it passes only if rows are still to come, from next_row on,
 * that are not: another thread has found this one further on. */
static void limit_by(const ec_scan *scan, int64_t query, int64_t slot, uint64_t entry, int64_t next_row) {
    const uint32_t key = (uint32_t)(entry >> 32);
    const int equal = (int64_t)(uint32_t)entry >= next_row;
    float limit = ec_cost_of_key(key + (uint32_t)equal);
    if (equal && fabsf(limit) < FLT_MIN) limit = FLT_MIN; /* where the processor takes the least numbers for 0 */
    scan->bounds[slot] = entry;
    scan->equal[slot] = (uint8_t)equal;
    set_limit(scan, query, slot, next_row, (int32_t)(key + (uint32_t)equal), limit);
}

/* Drops most entries of query `slot` but the k best, and lowers the query's limit to the greatest that is left. Rows
 * from next_row on are still to come. Where threads share a limit, entries that it rules out are dropped first, and it
 * is lowered for all. */
static void prune(const ec_scan *scan, int64_t query, int64_t slot, int64_t next_row) {
    const int64_t k = scan->args->k;
    uint64_t *entries = scan->entries + slot * scan->capacity, last = UINT64_MAX, least;
    int64_t n = scan->counts[slot];
    if (scan->shared) {
        last = ec_atomic_relaxed_u64(&scan->shared[slot]);
        if (last != UINT64_MAX) n = ec_active.entries_keep(entries, n, last);
    }
    if (n >= k) {
        n = ec_reservoir_prune(entries, n, k, scan->spare, &least);
        if (scan->shared) ec_atomic_lower_u64(&scan->shared[slot], least);
        if (least < last) last = least;
    }
    scan->counts[slot] = n;
    /* a row that passes has a tile of bits write the scores of EC_NEAR_ROWS rows, which are then filtered */
    scan->full[slot] = scan->planes ? ec_reservoir_soon(n, k) : ec_reservoir_full(k);
    limit_by(scan, query, slot, last, next_row);
}

/* Takes over what other threads have found to be out of reach by now, for rows from `row` on. */
static void heed(const ec_scan *scan, int64_t first_query, int64_t n_queries, int64_t row) {
    for (int64_t slot = 0; slot < n_queries; slot++) {
        const uint64_t bound = ec_atomic_relaxed_u64(&scan->shared[slot]);
        const int known = bound >= scan->bounds[slot], stricter = scan->equal[slot] && (int64_t)(uint32_t)bound < row;
        if (!known || stricter) limit_by(scan, first_query + slot, slot, bound, row);
    }
}

/* The greatest entry that the caller wants of a query; UINT64_MAX for all. */
static uint64_t greatest_wanted(const ec_search_args *args, int64_t query) {
    if (args->within == NULL) return UINT64_MAX;
    if (args->metric == EC_COST_RAW) {
        const int32_t cost = ((const int32_t *)args->within)[query];
        return cost == INT32_MAX ? UINT64_MAX : (uint64_t)(uint32_t)cost << 32 | UINT32_MAX;
    }
    const float cost = *term(args->within, query);
    return cost != cost ? UINT64_MAX : ec_entry_f32(cost, UINT32_MAX);
}

void ec_meet_begin(const ec_scan *scan, int64_t first_query, int64_t n_queries) {
    for (int64_t slot = 0; slot < n_queries; slot++) {
        const uint64_t wanted = greatest_wanted(scan->args, first_query + slot);
        scan->counts[slot] = 0;
        scan->full[slot] = ec_reservoir_first(scan->args->k);
        scan->bounds[slot] = UINT64_MAX;
        scan->equal[slot] = 0;
        if (wanted == UINT64_MAX)
            set_limit(scan, first_query + slot, slot, 0, EC_NO_LIMIT_I32, NAN);
        else
            limit_by(scan, first_query + slot, slot, wanted, 0);
    }
}

void ec_meet_within(const ec_scan *scan, const void *limits, int64_t first_query, int64_t n_queries) {
    for (int64_t slot = 0; slot < n_queries; slot++) {
        const float limit = *term(limits, first_query + slot);
        set_limit(scan, first_query + slot, slot, INT64_MAX, whole_limit(limit), limit);
    }
}

/* Where the next entries of query `slot` are written. */
static uint64_t *fresh_entries(const ec_scan *scan, const ec_sink *to, int64_t slot) {
    return to->range ? to->hits + to->n_hits : scan->entries + slot * scan->capacity + scan->counts[slot];
}

/* Counts n entries of rows before next_row that are written there already. Where the reservoir then has at least `full`
 * entries it is pruned. */
static void note_entries(const ec_scan *scan, ec_sink *to, int64_t query, int64_t slot, int64_t next_row, int64_t n,
                         int64_t full) {
    for (int64_t i = 0; to->range && i < n; i++) to->hit_queries[to->n_hits + i] = (int32_t)query;
    to->n_hits += n;
    if (!to->range) {
        scan->counts[slot] += n;
        if (scan->counts[slot] >= full) prune(scan, query, slot, next_row);
    }
}

/* Turns the raw scores of one query with n_rows rows of the block, from row `at` (a multiple of EC_NEAR_ROWS) on, into
 * entries. `query` counts all queries, `slot` those of the batch. Returns the position of a row whose cost is NaN, or
 * -1. */
static int64_t keep(const ec_scan *scan, ec_sink *to, int64_t query, int64_t slot, const ec_block *block, int64_t at,
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
        ec_finish f = block->scales ? finish_stored(scan, query, block) : finish_of(scan, query);
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
    note_entries(scan, to, query, slot, (int64_t)first + n_rows, n, scan->full[slot]);
    return bad;
}

/* Like keep(), for only the groups of EC_NEAR_ROWS rows whose bit in `near` says that a score may matter. */
static int64_t keep_near(const ec_scan *scan, ec_sink *to, int64_t query, int64_t slot, const ec_block *block,
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
static int64_t keep_screened(const ec_scan *scan, ec_sink *to, int64_t query, int64_t slot, const ec_block *block,
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
    note_entries(scan, to, query, slot, block->first + block->n, n,
                 scan->args->k + ec_reservoir_slack(scan->args->k) / 8);
    return bad;
}

/* Sets the limits of raw scores for a block whose rows have scales and biases of their own. */
static void set_block_limits(const ec_scan *scan, const ec_sink *to, int64_t first_query, int64_t n_queries,
                             ec_block *block) {
    const int asks = block->scales && (to->range || asks_limits(scan, block->first));
    const int known = asks && ec_block_extent(block);
    for (int64_t slot = 0; slot < n_queries; slot++) {
        scan->near_limits[slot] = INT32_MIN;
        if (!known) continue;
        const ec_finish f = finish_of(scan, first_query + slot);
        scan->near_limits[slot] = ec_scan_block_limit(&f, block, scan->limits_f32[slot]);
    }
}

int64_t ec_meet(const ec_scan *scan, ec_sink *to, int64_t first_query, int64_t n_queries, const int64_t *selection,
                ec_block *block) {
    const ec_search_args *args = scan->args;
    if (scan->shared) heed(scan, first_query, n_queries, block->first);
    const int screened = ec_screen_now(scan, n_queries, block->first),
              by_rows = !screened && ec_scan_by_rows(args, n_queries);
    const int few = screened && scan->screen->few;
    const int64_t group = by_rows || few ? n_queries : scan->group;
    int64_t worst = -1;
    if (!screened) ec_block_decode(scan, block);
    if (by_rows) {
        const uint8_t *query = (const uint8_t *)args->queries + first_query * ec_search_query_bytes(args);
        if (block->jump) ahead_elsewhere(block);
        ec_scan_rows(scan, query, n_queries, block);
    } else if (screened) {
        ec_screen_pack(scan, n_queries, block);
    } else {
        ec_scan_pack(scan, block);
    }
    ec_block_terms(scan, selection, block, screened);
    if (!screened && !by_rows && ec_scan_has_block_limits(scan))
        set_block_limits(scan, to, first_query, n_queries, block);
    if (screened) ec_screen_terms(scan, block);
    /* prefetch the next block meanwhile, a share of it with each group of queries, so that memory is never idle */
    const int64_t ahead_bytes = block->ahead_bytes;
    for (int64_t q = 0; q < n_queries; q += group) {
        int64_t n = ec_min_i64(group, n_queries - q);
        int64_t from = ahead_bytes * q / n_queries, until = ahead_bytes * (q + n) / n_queries;
        if (screened && !few)
            ec_screen_tile(scan, q, n, block, ahead_bytes ? block->ahead + from : NULL, until - from);
        else if (!screened && !by_rows)
            ec_scan_tile(scan, q, n, block, ahead_bytes ? block->ahead + from : NULL, until - from);
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
