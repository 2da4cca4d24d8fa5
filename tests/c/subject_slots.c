/* Slots of the kernel table that the public functions reach only within a search, called directly. */
#include <math.h>
#include <stdlib.h>

#include "contract/scratch.h"
#include "hamming/planes.h"
#include "screen/screen.h"
#include "search/loops.h"
#include "source.h"
#include "subjects.h"

enum { HEADER = 4 };

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Entries as they are, or, of those that passed without a limit, the k best: each tier leaves out as many of the others as
 * it likes. */
static void record_entries(uint64_t *entries, int64_t n, int64_t best) {
    if (best > 0) qsort(entries, (size_t)n, sizeof *entries, by_value);
    if (best > 0 && n > best) n = best;
    record(&n, sizeof n);
    record(entries, n * 8);
}

/* As record_entries, with one NaN for all. */
static void record_entries_f32(uint64_t *entries, int64_t n, int64_t best) {
    bool any_nan = false;
    for (int64_t i = 0; i < n; i++) {
        if (!ec_key_is_nan((uint32_t)(entries[i] >> 32))) continue;
        entries[i] |= (uint64_t)UINT32_MAX << 32;
        any_nan = true;
    }
    record(&any_nan, sizeof any_nan);
    record_entries(entries, n, best);
}

static const float *place_terms(source *from, int64_t count) {
    return (const float *)(const void *)place_drawn(from, count, draw_float);
}

/* What scores become on their way into entries, with and without a mask. Arrays have room for whole 64s of rows. */
static void sift(source *from, int64_t count, uint8_t flags) {
    int64_t room = (count + 63) / 64 * 64;
    ec_finish f = {0};
    f.add = place_terms(from, room);
    f.mul = place_terms(from, room);
    f.bias = place_terms(from, room);
    f.query_mul = draw_float(from);
    f.query_bias = draw_float(from);
    f.query_add = draw_float(from);
    f.query_weight = flags & 64 ? draw_float(from) : 1.0f;
    f.lowest = flags & 1 ? 0.0f : -INFINITY;
    f.jaccard = flags >> 1 & 1;
    int32_t *scores_i32 = (int32_t *)(void *)place(room * 4);
    const float *scores_f32 = (const float *)(const void *)place_drawn(from, room, draw_bits);
    uint8_t *mask = place((count + 7) / 8);
    uint64_t *entries = (uint64_t *)(void *)place(room * 8);
    uint32_t first_row = draw(from) * 1000u;
    int64_t k = flags & 32 ? 1 + draw(from) % 40 : 0, best = flags & 4 ? k : 0;
    int32_t limit_i32 = flags & 4 ? EC_NO_LIMIT_I32 : draw(from) * 8;
    float limit_f32 = flags & 4 ? NAN : flags & 8 ? draw_bits(from) : draw_float(from);
    for (int64_t i = 0; i < room; i++) scores_i32[i] = draw(from) * 8 + draw(from) % 8; /* costs too: not negative */
    for (int64_t i = 0; i < (count + 7) / 8; i++) mask[i] = draw(from);
    const uint8_t *some = flags & 16 ? mask : NULL;
    int64_t kept = ec_active.filter_i32(scores_i32, count, limit_i32, k, first_row, some, entries);
    HOLDS(kept >= 0 && kept <= count);
    record_entries(entries, kept, best);
    kept = ec_active.sift_i32(&f, scores_i32, count, limit_f32, k, first_row, some, entries);
    HOLDS(kept >= 0 && kept <= count);
    record_entries_f32(entries, kept, best);
    kept = ec_active.sift_f32(&f, scores_f32, count, limit_f32, k, first_row, some, entries);
    HOLDS(kept >= 0 && kept <= count);
    record_entries_f32(entries, kept, best);
}

/* Entries are distinct: each names its row. */
static void few_of_many(source *from, int64_t count, uint8_t flags) {
    uint64_t minima[EC_ENTRY_GROUPS], *entries = (uint64_t *)(void *)place(count * 8);
    for (int64_t i = 0; i < count; i++)
        entries[i] = (uint64_t)(flags & 1 ? draw(from) : (uint32_t)draw(from) << 24 | draw(from)) << 32 | (uint32_t)i;
    uint64_t bound = flags & 2 || count == 0 ? (uint64_t)draw(from) << 32 : entries[draw(from) % count];
    int64_t within = ec_active.entries_count(entries, count, bound);
    record(&within, sizeof within);
    if (count >= EC_ENTRY_GROUPS) {
        ec_active.entries_minima(entries, count, minima);
        record(minima, sizeof minima);
    }
    int64_t n = count < EC_FEW_ENTRIES ? count : EC_FEW_ENTRIES;
    uint64_t *sorted = (uint64_t *)(void *)place(n * 8);
    ec_active.entries_sort(entries, n, sorted);
    record(sorted, n * 8);
    HOLDS(ec_active.entries_keep(entries, count, bound) == within);
    record(entries, within * 8);
}

/* Rows of bytes, a gap apart where the flags say so, in either direction. */
typedef struct {
    const uint8_t *first;
    int64_t stride, count, width;
} rows_of_bytes;

static rows_of_bytes place_rows(source *from, int64_t count, int64_t width, uint8_t flags) {
    int64_t stride = width + (flags & 1 ? draw(from) % 5 : 0), bytes = count > 0 ? (count - 1) * stride + width : 0;
    uint8_t *all = place(bytes);
    for (int64_t i = 0; i < bytes; i++) all[i] = draw(from);
    rows_of_bytes rows = {all, stride, count, width};
    if (flags & 2 && count > 0) {
        rows.first = all + (count - 1) * stride;
        rows.stride = -stride;
    }
    return rows;
}

static void decode(source *from, int64_t count, int64_t width, uint8_t flags) {
    rows_of_bytes rows = place_rows(from, count, width, flags);
    int64_t values = count * width;
    float *floats = (float *)(void *)place(values * 4), *bits = (float *)(void *)place(values * 8 * 4);
    ec_active.decode_i8(rows.first, rows.stride, count, width, flags & 4 ? 0x80 : 0, floats);
    record(floats, values * 4);
    ec_active.decode_u1(rows.first, rows.stride, count, width, bits);
    record(bits, values * 8 * 4);
}

static void square_ranges(source *from, int64_t count, int64_t width, uint8_t flags) {
    rows_of_bytes rows = place_rows(from, count, width, flags);
    const float *steps = place_terms(from, width), *offsets = place_terms(from, width);
    double *squares = (double *)(void *)place(count * 8);
    ec_active.square_ranges(rows.first, rows.stride, count, width, flags & 4 ? 0x80 : 0, steps, offsets, squares);
    record(squares, count * 8);
}

/* A float query, anywhere in memory, to codes: by a step a dimension or one for all. */
static void fold(source *from, int64_t dimension, uint8_t flags) {
    const uint8_t *values = place_drawn(from, dimension, flags & 2 ? draw_bits : draw_float);
    const float *steps = flags & 4 ? place_terms(from, dimension) : NULL;
    float *folded = (float *)(void *)place(dimension * 4);
    uint8_t *codes = place(dimension);
    uint32_t bits = ec_active.fold_f32(values, dimension, steps, 0.37f, folded);
    bool finite = bits < 0x7f800000u;
    record(&finite, sizeof finite);
    if (!finite) return; /* of what is not finite nobody asks more */
    record(&bits, sizeof bits);
    record(folded, dimension * 4);
    double sum = ec_active.weigh_f32(values, dimension, steps);
    record(&sum, sizeof sum);
    float largest;
    memcpy(&largest, &bits, sizeof largest);
    ec_active.round_f32(folded, dimension, largest > 0 ? 127 / (double)largest : 0, (int8_t *)codes);
    record(codes, dimension);
}

/* Scores of few queries lie scores_stride apart; what is between them is nobody's. */
static void few_i8(source *from, int64_t n_queries, int64_t count, int64_t width, uint8_t flags) {
    rows_of_bytes rows = place_rows(from, count, width, flags), queries = place_rows(from, n_queries, width, 0);
    int64_t stride = count + flags % 3;
    int32_t *scores = (int32_t *)(void *)place(n_queries * stride * 4);
    int32_t *sums = (int32_t *)(void *)place(count * 4), *sumsq = (int32_t *)(void *)place(count * 4);
    ec_active.dot_i8_few(queries.first, n_queries, rows.first, rows.stride, count, width, flags & 4 ? 0x80 : 0, scores,
                         stride, flags & 16 ? sums : NULL, flags & 8 ? sumsq : NULL,
                         place_scratch(ec_dot_i8_prepared_bytes(n_queries, width)), flags & 32 ? rows.first : NULL,
                         flags & 32 ? count * rows.stride : 0);
    for (int64_t q = 0; q < n_queries; q++) record(scores + q * stride, count * 4);
    if (flags & 16) record(sums, count * 4);
    if (flags & 8) record(sumsq, count * 4);
}

/* A tile of any of the prepared queries, of rows of few and of many dimensions. */
static void some_i8(source *from, int64_t n_queries, int64_t count, int64_t dimension, uint8_t flags) {
    const rows_of_bytes rows = place_rows(from, count, dimension, flags);
    const rows_of_bytes queries = place_rows(from, n_queries, dimension, 0);
    const int64_t first = draw(from) % n_queries, n = 1 + draw(from) % (n_queries - first), stride = count + flags % 3;
    void *prepared = place_scratch(ec_dot_i8_prepared_bytes(n_queries, dimension));
    void *panel = place_scratch(ec_dot_i8_panel_bytes(count, dimension));
    int32_t *scores = (int32_t *)(void *)place(n * stride * 4);
    ec_active.dot_i8_prepare(queries.first, n_queries, dimension, prepared);
    ec_active.dot_i8_pack(rows.first, rows.stride, count, dimension, flags & 4 ? 0x80 : 0, panel);
    ec_active.dot_i8_tile(prepared, first, n, panel, count, dimension, scores, stride, NULL, 0);
    for (int64_t q = 0; q < n; q++) record(scores + q * stride, count * 4);
}

/* The same of queries of few levels; a tile may write whole 16s of scores. */
static void rough_i8(source *from, int64_t n_queries, int64_t count, int64_t dimension, uint8_t flags) {
    const rows_of_bytes rows = place_rows(from, count, dimension, flags);
    int8_t *queries = (int8_t *)place(n_queries * dimension);
    const int64_t first = draw(from) % n_queries, n = 1 + draw(from) % (n_queries - first);
    const int64_t stride = ec_round_up(count, 16) + flags % 3;
    void *prepared = place_scratch(ec_dot_i8_prepared_bytes(n_queries, dimension));
    void *panel = place_scratch(ec_dot_i8_panel_bytes(count, dimension));
    int32_t *scores = (int32_t *)(void *)place(n * stride * 4);
    for (int64_t i = 0; i < n_queries * dimension; i++) {
        const int level = draw(from); /* the ends more often than others */
        queries[i] = (int8_t)(level > 200 ? EC_ROUGH : level > 145 ? -EC_ROUGH : level % (2 * EC_ROUGH + 1) - EC_ROUGH);
    }
    ec_active.rough_i8_prepare(queries, n_queries, dimension, prepared);
    int32_t *sums = (int32_t *)(void *)place(count * 4), *sumsq = (int32_t *)(void *)place(count * 4);
    const int counts = flags % 2;
    ec_active.rough_i8_pack(rows.first, rows.stride, count, dimension, flags & 4 ? 0x80 : 0, panel,
                            counts ? sums : NULL, counts ? sumsq : NULL);
    if (counts) record(sums, count * 4);
    if (counts) record(sumsq, count * 4);
    ec_active.rough_i8_tile(prepared, first, n, panel, count, dimension, scores, stride, NULL, 0);
    for (int64_t q = 0; q < n; q++) record(scores + q * stride, count * 4);
}

static void chosen_i8(source *from, int64_t n_rows, int64_t count, int64_t dimension, uint8_t flags) {
    const rows_of_bytes rows = place_rows(from, n_rows, dimension, flags);
    const rows_of_bytes query = place_rows(from, 1, dimension, 0);
    int32_t *chosen = (int32_t *)(void *)place(count * 4), *scores = (int32_t *)(void *)place(count * 4);
    for (int64_t i = 0; i < count; i++) chosen[i] = (int32_t)(draw(from) % n_rows);
    ec_active.dot_i8_chosen(query.first, rows.first, rows.stride, chosen, count, dimension, flags & 4 ? 0x80 : 0,
                            scores);
    record(scores, count * 4);
}

/* Of lengths of all sizes, NaN and infinity among them; and what they become. */
static void lengths(source *from, int64_t count, int64_t width, uint8_t flags) {
    int32_t *sums = (int32_t *)(void *)place(count * 4), *sumsq = (int32_t *)(void *)place(count * 4);
    double *squares = (double *)(void *)place(count * 8);
    const float *scales = place_terms(from, count);
    float *mul = (float *)(void *)place(count * 4), *bias = (float *)(void *)place(count * 4);
    for (int64_t r = 0; r < count; r++) {
        sums[r] = draw(from) * 1000 - 100000;
        sumsq[r] = draw(from) << 20 | draw(from);
    }
    ec_active.square_sums(sumsq, sums, count, width, draw_float(from), flags & 1 ? 0.5 : 0.0, squares);
    record(squares, count * 8);
    for (int64_t r = 0; r < count; r++) {
        double square = draw_bits(from);
        squares[r] = isnan(square) ? NAN : ldexp(fabs(square), draw(from) % 4 * 80 - 120);
    }
    ec_active.inverse_lengths(squares, count, mul);
    record(mul, count * 4);
    ec_active.l2_terms(scales, squares, count, mul, bias);
    record(mul, count * 4);
    record(bias, count * 4);
}

static void few_f32(source *from, int64_t n_queries, int64_t count, int64_t dimension, uint8_t flags) {
    int64_t stride = count + flags % 3, row_stride = dimension * 4;
    const uint8_t *rows = place_drawn(from, count * dimension, draw_float);
    const uint8_t *queries = place_drawn(from, n_queries * dimension, draw_float);
    float *scores = (float *)(void *)place(n_queries * stride * 4);
    double *sumsq = (double *)(void *)place(count * 8);
    if (flags & 2 && count > 0) {
        rows += (count - 1) * row_stride;
        row_stride = -row_stride;
    }
    ec_active.dot_f32_few(queries, n_queries, rows, row_stride, count, dimension, scores, stride,
                          flags & 8 ? sumsq : NULL, place_scratch(ec_dot_f32_prepared_bytes(n_queries, dimension)));
    for (int64_t q = 0; q < n_queries; q++) record(scores + q * stride, count * 4);
    if (flags & 8) record(sumsq, count * 8);
}

/* Scores of bits below or above a query's limit, and which 64 rows have one: other scores are nobody's. Queries are
 * rows or all that rows are not, but for some bits, so that both ends of the range are met. */
static void near_u1(source *from, int64_t n_queries, int64_t count, int64_t width, uint8_t flags) {
    rows_of_bytes rows = place_rows(from, count, width, flags);
    const int hamming = flags >> 2 & 1;
    const int64_t stride = count + flags % 3, quads = (width + 1) / 2;
    uint8_t *queries = place(hamming ? n_queries * width : n_queries * quads * 64), *near = place(n_queries);
    int32_t *limits = (int32_t *)(void *)place(n_queries * 4);
    int32_t *scores = (int32_t *)(void *)place(n_queries * stride * 4);
    const int64_t panel_bytes = hamming ? ec_hamming_u1_panel_bytes(count, width) : ec_dot_u1_panel_bytes(count, width);
    const int planes = hamming && ec_active.planes_u1_width && width >= ec_active.planes_u1_width;
    void *panel = place_scratch(planes ? ec_planes_u1_panel_bytes(width) : panel_bytes);
    void *prepared = place_scratch(planes ? ec_planes_u1_prepared_bytes(n_queries, width) : n_queries * quads * 64);
    for (int64_t q = 0; q < n_queries; q++) {
        const uint8_t *row = rows.first + (count > 0 ? draw(from) % count * rows.stride : 0), kind = draw(from);
        for (int64_t i = 0; hamming && i < width; i++) {
            const int byte = count > 0 ? row[i] : 0, other = kind & 2 ? draw(from) & 1 : 0;
            queries[q * width + i] = (uint8_t)(byte ^ other ^ (kind & 1 ? 0xff : 0));
        }
        for (int64_t i = 0; !hamming && i < quads * 64; i += 16) /* sums of +-v: with other signs, minus the sum */
            for (int n = 8; n < 16; n++) {
                const int entry = i < width * 32 ? 1 + draw(from) % 255 : 128;
                queries[q * quads * 64 + i + n] = (uint8_t)entry;
                queries[q * quads * 64 + i + 15 - n] = (uint8_t)(256 - entry);
            }
        const int32_t some = hamming ? (int32_t)(draw(from) * width * 8 / 255) : (draw(from) - 128) * 20;
        const int32_t odd = hamming ? 257 - (kind >> 6) : 0, all = hamming ? INT32_MAX : INT32_MIN;
        limits[q] = kind & 4 ? some : kind & 8 ? odd : all;
    }
    if (planes) {
        ec_active.planes_u1_pack(rows.first, rows.stride, count, width, panel);
        ec_planes_prepare(queries, n_queries, width, prepared);
        ec_active.planes_u1_tile(prepared, n_queries, panel, count, width, limits, scores, stride, near, rows.first,
                                 count * width);
    } else if (hamming) {
        ec_active.hamming_u1_pack(rows.first, rows.stride, count, width, panel);
        ec_active.hamming_u1_prepare(queries, n_queries, width, prepared);
        ec_active.hamming_u1_tile(prepared, n_queries, panel, count, width, limits, scores, stride, near, rows.first,
                                  count * width);
    } else {
        ec_active.dot_u1_pack(rows.first, rows.stride, count, width, panel);
        ec_active.dot_u1_prepare(queries, n_queries, width, 0, prepared);
        ec_active.dot_u1_tile(prepared, n_queries, panel, count, width, 0, limits, scores, stride, near, rows.first,
                              count * width);
    }
    record(near, n_queries);
    for (int64_t q = 0; q < n_queries; q++)
        for (int64_t r = 0; r < count; r += 64)
            if (near[q] >> r / 64 & 1) record(scores + q * stride + r, (count - r < 64 ? count - r : 64) * 4);
}

static void chosen_f32(source *from, int64_t n_rows, int64_t count, int64_t dimension) {
    const uint8_t *rows = place_drawn(from, n_rows * dimension, draw_float),
                  *query = place_drawn(from, dimension, draw_float);
    int32_t *chosen = (int32_t *)(void *)place(count * 4);
    float *scores = (float *)(void *)place(count * 4);
    for (int64_t i = 0; i < count; i++) chosen[i] = (int32_t)(draw(from) % n_rows);
    ec_active.dot_f32_chosen(query, rows, dimension * 4, chosen, count, dimension, scores);
    record(scores, count * 4);
}

/* Codes and steps are the same on every tier, and rows' ends; lengths are bounds, not far above what they bound. */
static void screen(source *from, int64_t count, int64_t dimension, uint8_t flags) {
    const uint8_t *rows = place_drawn(from, count * dimension, flags & 1 ? draw_bits : draw_float);
    int8_t *codes = (int8_t *)place(count * dimension);
    float *steps = (float *)(void *)place(count * 4), *errors = (float *)(void *)place(count * 4);
    float *lengths = (float *)(void *)place(count * 4);
    ec_active.screen_rows(rows, dimension * 4, count, dimension, flags & 2 ? EC_ROUGH : EC_SCREEN_LEVELS, codes, steps,
                          errors, lengths, NULL, 0);
    record(codes, count * dimension);
    record(steps, count * 4);
    float *ends = memset(place(dimension * 8), 0, (size_t)dimension * 8);
    const uint32_t largest = ec_active.extremes_f32(rows, count, dimension, ends, ends + dimension);
    record(&largest, sizeof largest);
    record(ends, dimension * 8);
    for (int64_t r = 0; r < count; r++) {
        double rest = 0, square = 0;
        for (int64_t d = 0; d < dimension; d++) {
            float value;
            memcpy(&value, rows + 4 * (r * dimension + d), 4);
            const double left = value - (double)steps[r] * codes[r * dimension + d];
            rest += left * left;
            square += (double)value * value;
        }
        if (steps[r] < 0) continue;
        const double slack = 1e-6 * sqrt(square);
        const double step = sqrt((double)dimension) * steps[r]; /* rests are told to half a 256th of a step */
        const double most = 1.01 * (sqrt(rest) + step / 250);
        HOLDS(lengths[r] >= sqrt(square) && lengths[r] <= 1.01 * (sqrt(square) + sqrt(rest)) + most);
        HOLDS(errors[r] >= sqrt(rest) - slack && errors[r] <= most + slack);
        HOLDS(sqrt(rest) <= 0.503 * step);
    }
}

/* Rounding rows and meeting a few queries at once gives what one after the other does. */
static void screen_few(source *from, int64_t count, int64_t dimension, uint8_t flags) {
    enum { QUERIES = 9, LINE = 64 };
    const int64_t n_queries = 1 + flags % QUERIES, stride = count + flags % 3;
    const uint8_t *rows = place_drawn(from, count * dimension, flags & 1 ? draw_bits : draw_float);
    uint8_t *queries = place(n_queries * dimension);
    int8_t *codes = place_scratch(4 * ec_round_up(dimension, LINE)), *plain = (int8_t *)place(count * dimension);
    float *told[2][3];
    for (int i = 0; i < 6; i++) told[i / 3][i % 3] = (float *)(void *)place(count * 4);
    int32_t *scores = (int32_t *)(void *)place(n_queries * stride * 4);
    void *prepared = place_scratch(ec_dot_i8_prepared_bytes(n_queries, dimension));
    for (int64_t i = 0; i < n_queries * dimension; i++) queries[i] = (uint8_t)draw(from);
    ec_active.screen_rows(rows, dimension * 4, count, dimension, EC_SCREEN_LEVELS, plain, told[0][0], told[0][1],
                          told[0][2], NULL, 0);
    ec_active.screen_few_prepare(queries, n_queries, dimension, prepared);
    ec_active.screen_few(prepared, n_queries, rows, dimension * 4, count, dimension, codes, told[1][0], told[1][1],
                         told[1][2], scores, stride);
    for (int i = 0; i < 3; i++) HOLDS(memcmp(told[0][i], told[1][i], (size_t)count * 4) == 0);
    for (int64_t r = 0; r < count; r++)
        for (int64_t q = 0; q < n_queries && told[0][0][r] >= 0; q++) {
            int32_t dot = 0;
            for (int64_t d = 0; d < dimension; d++)
                dot += (int8_t)queries[q * dimension + d] * plain[r * dimension + d];
            HOLDS(scores[q * stride + r] == dot);
        }
}

void subject_slots(const uint8_t *input, int64_t n) {
    if (n <= HEADER || n > 1 << 14) return;
    source from = {input + HEADER, n - HEADER, 0};
    uint8_t flags = input[1];
    int64_t count = input[2], width = 1 + input[3] % 150;
    switch (input[0] % 15) {
    case 0: sift(&from, count * 3, flags); break;
    case 1: few_of_many(&from, count * 3, flags); break;
    case 2: decode(&from, count, width, flags); break;
    case 3: square_ranges(&from, count, width, flags); break;
    case 4: lengths(&from, count, width, flags); break;
    case 5: few_i8(&from, 1 + flags / 16 * 4 % EC_DOT_FEW, count, width, flags); break;
    case 6: near_u1(&from, 1 + flags / 16 * 3, count, input[3] % 2 ? 1 + width % 34 : width, flags); break;
    case 7: fold(&from, count + 1, flags); break;
    case 8: chosen_f32(&from, 1 + flags, count, width); break;
    case 9: screen(&from, count, width, flags); break;
    case 13: screen_few(&from, count % 50, flags & 8 ? width * 15 : width, flags); break;
    case 11: rough_i8(&from, 1 + flags / 16 * 3, count % 50, flags & 8 ? width * 15 : width, flags); break;
    case 12: chosen_i8(&from, 1 + flags, count, width, flags); break;
    case 10: some_i8(&from, 1 + flags / 16 * 3, count % 50, flags & 8 ? width * 15 : width, flags); break;
    default: few_f32(&from, 1 + flags / 16 * 4 % EC_DOT_FEW, count, width, flags);
    }
}
