/* Scores of packed bits, and the blocked scan with its k best. */
#include <stdlib.h>

#include "contract/testing.h"
#include "source.h"
#include "subjects.h"

/* Scratch, whose size hangs on the tier, too large to be placed; ASan guards it. Good until the next is made. */
static void *make_scratch(int64_t bytes) {
    static uint8_t *scratch;
    free(scratch);
    scratch = malloc((size_t)bytes + 64);
    if (!scratch) abort();
    return scratch + (64 - (uintptr_t)scratch % 64) % 64;
}

static uint8_t *place_floats(int64_t count, float value) {
    uint8_t *values = place(count * 4);
    for (int64_t i = 0; i < count; i++) memcpy(values + 4 * i, &value, 4);
    return values;
}

typedef struct {
    const uint8_t *queries, *rows;
    int64_t n_queries, n_rows, width;
} problem;

static void bit_scores(const problem *p, int32_t family, int32_t by_rows) {
    uint8_t *scores = place(p->n_queries * p->n_rows * 4);
    void *scratch = make_scratch(ec_u1_scratch_bytes(p->n_queries, p->width));
    const void *left = p->queries;
    if (family == EC_DOT_U1) { /* tables, here of floats made from the query's bytes */
        int64_t tables_bytes = ec_dot_u1_tables_bytes(p->n_queries, p->width);
        int64_t count = 8 * p->n_queries * p->width;
        if (tables_bytes > MOST_BYTES || count * 4 > MOST_BYTES) return;
        uint8_t *floats = place_floats(count, 0), *scales = place(p->n_queries * 4), *tables = place(tables_bytes);
        memset(scales, 0, (size_t)p->n_queries * 4);
        for (int64_t i = 0; i < count; i++) {
            float value = (float)((p->queries[i / 8] * 5 + i * 37) % 255 - 127) / 64;
            memcpy(floats + 4 * i, &value, 4);
        }
        HOLDS(ec_dot_u1_tables(floats, p->n_queries, p->width, 0, NULL, tables, scales) == 1);
        record(tables, tables_bytes);
        record(scales, p->n_queries * 4);
        left = tables;
    }
    ec_u1_scores(family, left, p->n_queries, p->rows, p->width, p->n_rows, p->width, 0, by_rows, scratch, scores);
    record(scores, p->n_queries * p->n_rows * 4);
}

/* Floats made from the queries' bytes against codes that are decoded, screened by their int8 dots. */
static const uint8_t *float_queries(const problem *p) {
    const int64_t count = p->n_queries * p->width;
    uint8_t *floats = place_floats(count, 0);
    for (int64_t i = 0; i < count; i++) {
        float value = (float)(int8_t)p->queries[i] / 3 + (float)(i % 5);
        memcpy(floats + 4 * i, &value, 4);
    }
    return floats;
}

static ec_result find(ec_search_args *args, const problem *p, uint8_t *entries) {
    const int32_t threads = 1 + p->queries[0] / 2 % 3;
    void *scratch = make_scratch(ec_search_scratch_bytes(args, threads));
    int64_t state[2] = {0, 0}, most_pairs = p->queries[0] & 1 ? INT64_MAX : 1; /* all at once, or block by block */
    ec_result result = {0, 0, EC_OK};
    args->entries = entries;
    while (result.status == EC_OK && state[0] < args->n_queries)
        result = ec_search(args, threads, most_pairs, state, scratch);
    return result;
}

/* The same rows in two places are found as in one: `expected` are the entries of those. */
static void find_in_two(ec_search_args *args, const problem *p, const uint8_t *expected) {
    const int64_t cut = 1 + p->queries[0] % (p->n_rows - 1), rest = p->n_rows - cut, count = p->n_queries * args->k;
    const int64_t first = (cut + EC_SEGMENT_STEP - 1) / EC_SEGMENT_STEP * EC_SEGMENT_STEP;
    ec_segment parts[2] = {args->whole, args->whole};
    parts[0].count = cut;
    parts[0].rows = place_copy(p->rows, cut * p->width);
    parts[1].first = first;
    parts[1].count = rest;
    parts[1].rows = place_copy(p->rows + cut * p->width, rest * p->width);
    if (args->whole.row_scales) {
        parts[1].row_scales = (const uint8_t *)args->whole.row_scales + 4 * cut;
        parts[1].row_biases = (const uint8_t *)args->whole.row_biases + 4 * cut;
    }
    args->segments = parts;
    args->n_segments = 2;
    args->n_rows = first + rest;
    uint8_t *entries = place(count * 8);
    HOLDS(find(args, p, entries).status == EC_OK);
    for (int64_t i = 0; i < count; i++) {
        uint64_t entry, wanted;
        memcpy(&entry, entries + 8 * i, 8);
        memcpy(&wanted, expected + 8 * i, 8);
        if (entry != UINT64_MAX && (int64_t)(uint32_t)entry >= first) entry -= (uint64_t)(first - cut);
        HOLDS(entry == wanted);
    }
}

/* Within what one of the best costs, it and those before it are found, and those that cost as much: `expected` are the
 * entries of all. */
static void find_within(ec_search_args *args, const problem *p, const uint8_t *expected) {
    const int64_t k = args->k, places[] = {k - 1, k / 2, 0};
    uint8_t *within = place(p->n_queries * 4), *entries = place(p->n_queries * k * 8);
    args->within = within;
    for (int i = 0; i < 3; i++) {
        for (int64_t q = 0; q < p->n_queries; q++) {
            uint64_t entry;
            memcpy(&entry, expected + 8 * (q * k + places[i]), 8);
            const uint32_t key = (uint32_t)(entry >> 32), bits = key >> 31 ? key ^ 0x80000000u : ~key;
            const uint32_t all = args->metric == EC_COST_RAW ? INT32_MAX : 0x7fc00000; /* NaN */
            const uint32_t cost = entry == UINT64_MAX ? all : args->metric == EC_COST_RAW ? key : bits;
            memcpy(within + 4 * q, &cost, 4);
        }
        HOLDS(find(args, p, entries).status == EC_OK);
        for (int64_t q = 0; q < p->n_queries; q++) {
            uint64_t last, wanted;
            memcpy(&last, expected + 8 * (q * k + places[i]), 8);
            for (int64_t at = q * k; at < (q + 1) * k; at++) {
                memcpy(&wanted, expected + 8 * at, 8);
                if (wanted >> 32 <= last >> 32) HOLDS(memcmp(entries + 8 * at, &wanted, 8) == 0);
            }
        }
    }
    args->within = NULL;
}

static void best(const problem *p, int32_t family, int32_t metric, int32_t flip, int64_t k, const uint8_t *mask) {
    ec_search_args args;
    memset(&args, 0, sizeof args);
    args.family = family;
    args.metric = metric;
    args.flip = flip;
    args.user_sign = 1;
    args.width = args.row_bytes = args.row_stride = p->width;
    args.queries = p->queries;
    args.n_queries = p->n_queries;
    if (family == EC_DOT_I8) {
        args.mul = place_floats(p->n_queries, 0.5f);
        args.bias = place_floats(p->n_queries, 0);
    }
    if (family == EC_DOT_F32) {
        args.decode = EC_DECODE_I8;
        args.lengths = metric == EC_COST_DOT ? EC_LENGTH_NONE : EC_LENGTH_I8;
        args.step = 0.5f;
        args.centre = flip ? 0.5f : 0;
        args.queries = float_queries(p);
        args.mul = place_floats(p->n_queries, 0.25f);
        args.bias = place_floats(p->n_queries, 0.5f);
        args.square = place_floats(p->n_queries, metric == EC_COST_L2 ? 1e6f : 0);
    } else if (metric == EC_COST_DOT && flip) {
        args.whole.row_scales = place_floats(p->n_rows, 0.75f);
        args.whole.row_biases = place_floats(p->n_rows, 3.0f);
        args.weight = place_floats(p->n_queries, 0.375f);
        args.bounded = 1;
    }
    args.whole.rows = p->rows;
    args.n_rows = args.whole.count = p->n_rows;
    args.mask = mask;
    args.k = k;
    uint8_t *entries = place(p->n_queries * k * 8);
    const ec_result result = find(&args, p, entries);
    record_result(result);
    record(entries, p->n_queries * k * 8);
    if (result.status == EC_OK) find_within(&args, p, entries);
    if (result.status == EC_OK && mask == NULL && p->n_rows > 1) find_in_two(&args, p, entries);
}

static bool read_problem(const uint8_t *input, int64_t n, problem *p) {
    if (n < 5 || n > 1 << 14) return false;
    int64_t count = n - 3;
    p->width = (input[1] | input[2] << 8) % count + 1;
    int64_t vectors = count / p->width;
    p->n_queries = vectors == 1 ? 1 : 1 + input[0] % 8 % (vectors - 1);
    p->n_rows = vectors == 1 ? 1 : vectors - p->n_queries;
    p->queries = place_copy(input + 3, p->n_queries * p->width);
    p->rows = place_copy(input + 3 + (vectors == 1 ? 0 : p->n_queries * p->width), p->n_rows * p->width);
    return true;
}

void subject_hamming(const uint8_t *input, int64_t n) {
    problem p;
    if (read_problem(input, n, &p)) bit_scores(&p, input[0] & 8 ? EC_DOT_U1 : EC_HAMMING_U1, input[0] >> 4 & 1);
}

void subject_search(const uint8_t *input, int64_t n) {
    problem p;
    if (!read_problem(input, n, &p)) return;
    const uint8_t *mask = place_copy(input + 3, (p.n_rows + 7) / 8); /* some bits: there are bytes enough */
    int64_t k = 1 + input[0] / 8 % 4 * 5;
    const uint8_t *some = input[0] & 128 ? mask : NULL;
    const int32_t metrics[] = {EC_COST_DOT, EC_COST_COSINE, EC_COST_L2}, metric = metrics[input[1] % 3];
    switch (input[0] >> 5 & 3) {
    case 0: best(&p, EC_HAMMING_U1, EC_COST_RAW, 0, k, some); break;
    case 1: best(&p, EC_DOT_F32, metric, input[2] & 1 ? 0x80 : 0, k, some); break;
    case 2: best(&p, EC_DOT_I8, EC_COST_DOT, 0, k, some); break;
    default: best(&p, EC_DOT_I8, EC_COST_DOT, 0x80, k, some);
    }
}

/* Bytes of a sixteenth of the rows' bits, so that a row and what differs from it so much are near each other. */
static uint8_t draw_sparse(source *from) { return draw(from) & draw(from) & draw(from) & draw(from); }

/* Segments of a few rows and of many, which together are enough for planes of bits. Returns the positions of all. */
static int64_t place_segments(source *from, int64_t n, int64_t width, ec_segment *segments) {
    enum { ENOUGH = 4096 };
    int64_t first = 0;
    for (int64_t s = 0; s < n; s++) {
        ec_segment *segment = &segments[s];
        segment->first = first;
        segment->count = 1 + (draw(from) & 1 ? draw(from) % 80 : draw(from) * 4);
        if (s == n - 1 && first + segment->count < ENOUGH) segment->count = ENOUGH - first + draw(from) % 80;
        uint8_t *rows = place(segment->count * width);
        for (int64_t i = 0; i < segment->count * width; i++) rows[i] = draw(from);
        segment->rows = rows;
        first += (segment->count + EC_SEGMENT_STEP - 1) / EC_SEGMENT_STEP * EC_SEGMENT_STEP;
    }
    return segments[n - 1].first + segments[n - 1].count;
}

/* Queries as they are: each a row, or all that it is not, but for some bits. */
static uint8_t *near_queries(source *from, const ec_search_args *args) {
    uint8_t *queries = place(args->n_queries * args->width), *out = queries;
    for (int64_t q = 0; q < args->n_queries; q++) {
        const ec_segment *segment = &args->segments[draw(from) % args->n_segments];
        const uint8_t *row = (const uint8_t *)segment->rows + draw(from) % segment->count * args->width;
        const int kind = draw(from);
        for (int64_t i = 0; i < args->width; i++)
            *out++ = row[i] ^ (kind & 1 ? 0xff : 0) ^ (kind & 2 ? draw_sparse(from) : 0);
    }
    return queries;
}

/* Many queries against the rows of several segments, which most tiers meet as planes of bits, small segments together. */
void subject_planes(const uint8_t *input, int64_t n) {
    enum { HEADER = 4, MOST_SEGMENTS = 7 };
    if (n <= HEADER || n > 1 << 14) return;
    source from = {input + HEADER, n - HEADER, 0};
    ec_segment segments[MOST_SEGMENTS];
    ec_search_args args;
    memset(segments, 0, sizeof segments);
    memset(&args, 0, sizeof args);
    args.family = EC_HAMMING_U1;
    args.metric = input[0] & 7 ? EC_COST_RAW : EC_COST_JACCARD;
    args.user_sign = 1;
    args.width = args.row_bytes = args.row_stride = 22 + input[1] % 32;
    args.n_queries = 8 + input[2] % 64;
    args.k = 1 + input[3] % 20;
    args.segments = segments;
    args.n_segments = 1 + (input[0] >> 3) % MOST_SEGMENTS;
    args.n_rows = place_segments(&from, args.n_segments, args.width, segments);
    args.queries = near_queries(&from, &args);
    if (input[0] & 64) {
        uint8_t *mask = place((args.n_rows + 7) / 8);
        for (int64_t i = 0; i < (args.n_rows + 7) / 8; i++) mask[i] = input[0] & 128 ? draw(&from) : draw_sparse(&from);
        args.mask = mask;
    }
    if (args.metric == EC_COST_JACCARD) {
        args.mul = place_floats(args.n_queries, 1);
        uint8_t *ones = place_floats(args.n_queries, 0);
        args.bias = ones;
        for (int64_t q = 0; q < args.n_queries; q++) {
            float count = 0;
            for (int64_t i = 0; i < 8 * args.width; i++)
                count += (float)(((const uint8_t *)args.queries)[q * args.width + i / 8] >> i % 8 & 1);
            memcpy(ones + 4 * q, &count, 4);
        }
    }
    const problem p = {args.queries, NULL, args.n_queries, args.n_rows, args.width};
    uint8_t *entries = place(args.n_queries * args.k * 8);
    record_result(find(&args, &p, entries));
    record(entries, args.n_queries * args.k * 8);
}
