/* The driver of a search: batches of queries meet the corpus block by block, on one thread or several. Called from
 * Python until all is done, in turns, so that signals are handled between them.
 *
 * Threads take shares of the work one after another. A share is a run of blocks that a batch meets, all threads being
 * at the same batch; or, where rows are few for so many threads or each of several queries has rows of its own, a batch
 * that meets all rows. What is found in the first way is brought together when the batch has met all rows:
 *
 *     blocks      0 1 2 3 4 5 6 7 8 ...            batches     0 1 2 3 4 5 ...
 *     seat 0      ###     ###     # -.             seat 0      #   # #
 *     seat 1          ###     ###   -+- merge      seat 1        #     #         each delivered as it is done
 *
 * A thread works from a seat, which keeps the share under way and its reservoirs from turn to turn; a seat whose thread
 * does not come in the next turn is taken by another. */
#include "../pool/pool.h"
#include "meet.h"
#include "screening.h"

enum {
    SHARES = 16,        /* that a thread takes of a batch, about: so the last to end is not much later than the first */
    MOST_BLOCKS = 64,   /* blocks of a share */
    LOOKS = 8,          /* times that a thread counts off what it has done in a turn */
    APART_QUERIES = 32, /* a thread, that are worth batches of their own where rows are few */
    MANY_ENTRIES = 1 << 14 /* that are worth several threads to bring them together */
};

/* What threads share; behind it the shared limits, then the seats. */
typedef struct {
    ec_atomic_i64 next; /* the row, or the query, that the next share begins with */
    uint8_t apart[EC_POOL_LINE];
    ec_atomic_i64 left;  /* pairs of a query and a row until the turn ends */
    ec_atomic_u64 bad;   /* first query << 32 | row of the first block with a cost of NaN; UINT64_MAX: none */
    ec_atomic_u32 seats; /* taken in this turn */
} shared;

typedef struct {
    int64_t first, n; /* the share under way: a batch of queries, */
    int64_t row, end; /* and the rows that it is still to meet */
    int64_t batch;    /* the first query of the batch that the reservoirs are of, or -1 */
    int64_t n_hits;
    ec_scan scan;
    uint8_t *scratch; /* of the scan */
    uint64_t *room;   /* for a reservoir and 2 k entries, for who brings results together */
    uint8_t apart[EC_POOL_LINE];
} seat;

typedef struct {
    const ec_search_args *args;
    const void *limits; /* of a range search */
    uint64_t *hits;
    int32_t *hit_queries;
    int64_t capacity; /* hits that a seat has room for */
    shared *shared;
    ec_atomic_u64 *bounds; /* NULL where threads share no limits */
    seat *seats;
    int32_t n_seats;
    int32_t by_batch;             /* whether shares are batches with all rows */
    int64_t first, batch, n_rows; /* of the batch that all are at; queries of a batch; rows of all shares together */
    int64_t step;                 /* queries or rows of a share */
    int64_t quota;                /* pairs after which a seat counts off what it has done */
} team;

static int64_t rows_of(const ec_search_args *args) { return args->selection ? args->n_selected : args->n_rows; }

static int has_own_rows(const ec_search_args *args) {
    return args->selection && args->selection_stride && args->n_queries > 1;
}

/* Chooses how the work is shared, and lays everything out in `scratch`. Returns the bytes it takes; with scratch NULL it
 * only counts them. */
static int64_t layout(team *t, const ec_search_args *args, int32_t threads, void *scratch) {
    ec_scan scan;
    int64_t used = 0;
    memset(t, 0, sizeof *t);
    t->args = args;
    t->n_rows = rows_of(args);
    const int64_t scan_bytes = ec_scan_layout(&scan, args, NULL), blocks = (t->n_rows + scan.block - 1) / scan.block;
    const int64_t seats = ec_clamp_i64(threads, 1, EC_POOL_MOST);
    t->batch = scan.batch;
    t->by_batch = has_own_rows(args) || ec_min_i64(seats, blocks) <= 1 ||
                  (blocks < 4 * seats && args->n_queries >= APART_QUERIES * seats);
    if (t->by_batch) {
        t->n_seats = (int32_t)ec_clamp_i64(seats, 1, args->n_queries < 1 ? 1 : args->n_queries);
        if (blocks <= 1 && !has_own_rows(args) && args->n_queries < APART_QUERIES * seats) t->n_seats = 1;
        if (t->n_seats > 1) t->batch = ec_clamp_i64(args->n_queries / (2 * t->n_seats), 1, scan.batch);
        t->step = t->batch;
    } else {
        t->n_seats = (int32_t)ec_min_i64(seats, blocks);
        t->step = ec_clamp_i64(blocks / (SHARES * t->n_seats), 1, MOST_BLOCKS) * scan.block;
    }
    const int64_t room = t->by_batch ? 0 : 8 * (scan.capacity + 2 * args->k);
    t->shared = ec_take(scratch, &used, sizeof *t->shared);
    t->bounds = ec_take(scratch, &used, t->by_batch ? 0 : 8 * t->batch);
    t->seats = ec_take(scratch, &used, t->n_seats * (int64_t)sizeof *t->seats);
    if (t->by_batch) t->bounds = NULL;
    for (int32_t s = 0; s < t->n_seats; s++) {
        uint8_t *at = ec_take(scratch, &used, ec_round_up(scan_bytes, 64) + ec_round_up(room, 64) + EC_POOL_LINE);
        if (scratch == NULL) continue;
        t->seats[s].scratch = at;
        t->seats[s].room = (uint64_t *)(at + ec_round_up(scan_bytes, 64));
    }
    return used;
}

/* The team's shares of a batch, or of all batches, begin. */
static void begin(team *t, int64_t first) {
    t->first = first;
    ec_atomic_store_i64(&t->shared->next, 0);
    for (int64_t q = 0; t->bounds && q < t->batch; q++) t->bounds[q].value = UINT64_MAX;
}

/* Goes on with the work that `state` stands for, and gives it the numbers of the turn. */
static void take_up(team *t, int64_t most_pairs, int64_t *state) {
    if (state[1] == 0) {
        t->shared->bad.value = UINT64_MAX;
        for (int32_t s = 0; s < t->n_seats; s++) {
            seat *at = &t->seats[s];
            at->row = at->end = 0;
            at->batch = -1;
        }
        begin(t, 0);
        state[1] = 1;
    }
    t->first = t->by_batch ? 0 : state[0];
    for (int32_t s = 0; s < t->n_seats; s++) t->seats[s].n_hits = 0;
    t->quota = most_pairs / (LOOKS * t->n_seats);
    ec_atomic_store_i64(&t->shared->left, most_pairs);
}

/* Takes the next share. Returns 0 where none is left. */
static int take(const team *t, seat *at) {
    const int64_t next = ec_atomic_add_i64(&t->shared->next, t->step);
    if (next >= (t->by_batch ? t->args->n_queries : t->n_rows)) return 0;
    at->first = t->by_batch ? next : t->first;
    at->n = ec_min_i64(t->batch, t->args->n_queries - at->first);
    at->row = t->by_batch ? 0 : next;
    at->end = t->by_batch ? t->n_rows : ec_min_i64(next + t->step, t->n_rows);
    return 1;
}

static const int64_t *selection_of(const ec_search_args *args, int64_t query) {
    return args->selection ? (const int64_t *)args->selection + query * args->selection_stride : NULL;
}

/* The place of a block in the order in which one thread would meet all of them. */
static uint64_t place_of(int64_t first_query, int64_t row) { return (uint64_t)first_query << 32 | (uint32_t)row; }

/* Lets the batch meet the rows of the share. Returns 0 where the turn ends before, or, for a range search, hits might
 * not find room. Blocks behind one with a cost of NaN are left out. */
static int meet_share(const team *t, const ec_scan *scan, ec_sink *to, seat *at) {
    const int64_t *selection = selection_of(t->args, at->first);
    const ec_segment *segment = selection ? NULL : ec_segment_at(t->args, at->row);
    int64_t done = 0;
    int goes_on = 1;
    for (;;) {
        if (!selection) at->row = ec_segment_row(t->args, &segment, at->row);
        if (at->row >= at->end) break;
        if (done > t->quota || ec_atomic_load_i64(&t->shared->left) <= 0) {
            ec_atomic_add_i64(&t->shared->left, -done);
            done = 0;
            if (ec_atomic_load_i64(&t->shared->left) <= 0) goes_on = 0;
        }
        if (to->range && t->capacity - to->n_hits < at->n * scan->block) {
            ec_atomic_store_i64(&t->shared->left, 0); /* the caller makes room */
            goes_on = 0;
        }
        if (!goes_on) break;
        if (place_of(at->first, at->row) > ec_atomic_relaxed_u64(&t->shared->bad)) at->row = at->end;
        if (at->row >= at->end) break;
        ec_block block = ec_block_at(scan, segment, at->row, at->end);
        at->row += block.n;
        segment = block.last;
        const int some = ec_block_fetch(scan, selection, &block);
        done += some ? at->n * block.n : block.n;
        if (!some) continue;
        const int64_t bad = ec_meet(scan, to, at->first, at->n, selection, &block);
        if (bad >= 0) ec_atomic_lower_u64(&t->shared->bad, place_of(at->first, bad));
    }
    ec_atomic_add_i64(&t->shared->left, -done);
    return goes_on;
}

/* Writes the k best of a seat's reservoir of one query, sorted, to `out`, and returns how many they are. `spare` has
 * room for a reservoir. */
static int64_t deliver(const ec_scan *scan, int64_t slot, uint64_t *spare, uint64_t *out) {
    uint64_t *entries = scan->entries + slot * scan->capacity;
    int64_t n = scan->counts[slot];
    if (scan->shared) n = ec_active.entries_keep(entries, n, ec_atomic_relaxed_u64(&scan->shared[slot]));
    const int64_t k = ec_min_i64(scan->args->k, n);
    if (k) ec_reservoir_deliver(entries, n, k, spare, out);
    return k;
}

static void fill_up(uint64_t *out, int64_t n, int64_t k) {
    for (; n < k; n++) out[n] = UINT64_MAX;
}

static uint64_t *results_of(const team *t, int64_t query) { return (uint64_t *)t->args->entries + query * t->args->k; }

/* Brings the batch of a seat's share into the form of the kernels, and sets its limits where it begins. */
static void sit_down(const team *t, const ec_sink *to, seat *at) {
    const ec_search_args *args = t->args;
    ec_scan *scan = &at->scan;
    if (!ec_scan_by_rows(args, at->n))
        ec_scan_prepare(scan, (const uint8_t *)args->queries + at->first * ec_search_query_bytes(args), at->n);
    if (scan->screen) ec_screen_prepare(scan, at->first, at->n);
    if (to->range)
        ec_meet_within(scan, t->limits, at->first, at->n);
    else if (at->batch != at->first)
        ec_meet_begin(scan, at->first, at->n);
    at->batch = at->first;
}

/* Works from a seat until no share is left. Returns 0 where the turn ends before. */
static int work_from(const team *t, ec_sink *to, seat *at) {
    int64_t prepared = -1;
    if (at->row >= at->end && !take(t, at)) return 1;
    ec_scan_layout(&at->scan, t->args, at->scratch);
    at->scan.batch = t->batch;
    at->scan.group = ec_min_i64(at->scan.group, t->batch);
    at->scan.shared = t->bounds;
    do {
        if (prepared != at->first) sit_down(t, to, at);
        prepared = at->first;
        if (!meet_share(t, &at->scan, to, at)) return 0;
        for (int64_t q = 0; t->by_batch && !to->range && q < at->n; q++) {
            uint64_t *out = results_of(t, at->first + q);
            fill_up(out, deliver(&at->scan, q, at->scan.spare, out), t->args->k);
        }
    } while (take(t, at));
    return 1;
}

/* What each thread of a turn does. */
static void work(void *of, int32_t thread) {
    const team *t = of;
    (void)thread;
    for (uint32_t s; (s = ec_atomic_add(&t->shared->seats, 1)) < (uint32_t)t->n_seats;) {
        seat *at = &t->seats[s];
        ec_sink to = {t->limits != NULL, NULL, NULL, at->n_hits};
        if (to.range) to.hits = t->hits + s * t->capacity;
        if (to.range) to.hit_queries = t->hit_queries + s * t->capacity;
        const int ended = work_from(t, &to, at);
        at->n_hits = to.n_hits;
        if (!ended) return;
    }
}

/* Merges two sorted lists of entries; writes k at most and returns how many. */
static int64_t merge(const uint64_t *a, int64_t n_a, const uint64_t *b, int64_t n_b, int64_t k, uint64_t *out) {
    int64_t i = 0, j = 0;
    for (; i + j < k && (i < n_a || j < n_b);) {
        const int first = j == n_b || (i < n_a && a[i] < b[j]);
        out[i + j] = first ? a[i] : b[j];
        i += first;
        j += !first;
    }
    return i + j;
}

/* Brings together what all seats have found for a query of the batch. */
static void bring_together(const team *t, int64_t slot, uint64_t *room) {
    const int64_t k = t->args->k;
    uint64_t *out = results_of(t, t->first + slot), *found = room, *merged = room + k, *spare = room + 2 * k;
    int64_t n = 0;
    for (int32_t s = 0; s < t->n_seats; s++) {
        const seat *at = &t->seats[s];
        if (at->batch != t->first) continue; /* no thread came here */
        const int64_t more = deliver(&at->scan, slot, spare, found);
        if (more == 0) continue;
        n = merge(out, n, found, more, k, merged);
        memcpy(out, merged, (size_t)n * sizeof *out);
    }
    fill_up(out, n, k);
}

static void bring_some_together(void *of, int32_t thread) {
    const team *t = of;
    const int64_t n = ec_min_i64(t->batch, t->args->n_queries - t->first);
    for (int64_t slot; (slot = ec_atomic_add_i64(&t->shared->next, 1)) < n;)
        bring_together(t, slot, t->seats[thread].room);
}

/* Brings the results of a batch together, on several threads where they are many. */
static void bring_all_together(team *t) {
    const int64_t n = ec_min_i64(t->batch, t->args->n_queries - t->first);
    const int many = n * t->n_seats * t->args->k >= MANY_ENTRIES;
    ec_atomic_store_i64(&t->shared->next, 0);
    ec_pool_each(many ? t->n_seats : 1, bring_some_together, t);
}

/* About how many nanoseconds a turn takes one thread, or less: to read rows, and to meet them with further queries. */
static int64_t time_of(const team *t) {
    enum { READ = 25, GATHERED = 8, MET = 200 }; /* bytes a nanosecond */
    const ec_search_args *args = t->args;
    const int64_t bytes = t->n_rows * args->row_bytes, queries = t->by_batch ? args->n_queries : t->batch;
    if (args->family == EC_USER_TILE) return INT64_MAX;
    if (has_own_rows(args)) return queries * bytes / GATHERED;
    return bytes / (args->selection ? GATHERED : READ) + (queries - 1) * bytes / MET;
}

/* Lets the team work. Returns whether it has come to the end of its shares: all of them, or those before a block with a
 * cost of NaN. */
static int go_on(team *t) {
    int ended = 1;
    ec_atomic_store(&t->shared->seats, 0);
    ec_pool_each_for(t->n_seats, time_of(t), work, t);
    const uint64_t bad = ec_atomic_relaxed_u64(&t->shared->bad);
    for (int32_t s = 0; s < t->n_seats; s++) {
        const seat *at = &t->seats[s];
        if (at->row < at->end && place_of(at->first, at->row) < bad) ended = 0;
    }
    const int64_t next = ec_atomic_load_i64(&t->shared->next);
    return ended && (bad != UINT64_MAX || next >= (t->by_batch ? t->args->n_queries : t->n_rows));
}

/* Works until all is done or the turn ends. */
static ec_result take_turn(team *t, int64_t most_pairs, int64_t *state) {
    ec_result result = {0, 0, EC_OK};
    take_up(t, most_pairs, state);
    while (state[0] < t->args->n_queries && ec_atomic_load_i64(&t->shared->left) > 0 && go_on(t)) {
        const uint64_t bad = ec_atomic_relaxed_u64(&t->shared->bad);
        const int64_t *selection = selection_of(t->args, (int64_t)(bad >> 32)), row = bad & UINT32_MAX;
        if (bad != UINT64_MAX) {
            result.consumed = selection ? selection[row] : row;
            result.status = EC_NOT_FINITE;
            return result;
        }
        const int64_t n = t->by_batch ? t->args->n_queries : ec_min_i64(t->batch, t->args->n_queries - t->first);
        if (!t->by_batch && !t->limits) bring_all_together(t);
        state[0] += n;
        result.produced += n;
        begin(t, state[0]);
    }
    return result;
}

int64_t ec_search_scratch_bytes(const ec_search_args *args, int32_t threads) {
    team t;
    return layout(&t, args, threads, NULL);
}

ec_result ec_search(const ec_search_args *args, int32_t threads, int64_t most_pairs, void *state, void *scratch) {
    team t;
    if (args->k < 1) ((int64_t *)state)[0] = args->n_queries;
    layout(&t, args, threads, scratch);
    return take_turn(&t, most_pairs, state);
}

int64_t ec_range_reserve(const ec_search_args *args) {
    ec_scan scan;
    ec_scan_layout(&scan, args, NULL);
    return scan.batch * scan.block;
}

ec_result ec_range_search(const ec_search_args *args, const void *limits, int32_t threads, void *entries, void *queries,
                          int64_t capacity, void *counts, int64_t most_pairs, void *state, void *scratch) {
    team t;
    layout(&t, args, threads, scratch);
    t.limits = limits;
    t.hits = entries;
    t.hit_queries = queries;
    t.capacity = capacity;
    t.bounds = NULL;
    ec_result result = take_turn(&t, most_pairs, state);
    for (int32_t s = 0; s < threads; s++) ((int64_t *)counts)[s] = s < t.n_seats ? t.seats[s].n_hits : 0;
    return result;
}

int32_t ec_search_squares(const ec_search_args *args, void *squares, int64_t capacity) {
    if (args->n_rows > capacity || args->n_rows != args->whole.count) return 0;
    int32_t sums[EC_DOT_BLOCK], sumsq[EC_DOT_BLOCK];
    for (int64_t r = 0; r < args->n_rows; r += EC_DOT_BLOCK)
        ec_block_squares(args, (const uint8_t *)args->whole.rows + r * args->row_stride, args->row_stride,
                         ec_min_i64(EC_DOT_BLOCK, args->n_rows - r), 0, sums, sumsq, (double *)squares + r);
    return 1;
}
