/* Brings queries, once a search, into the form that the scan takes, and computes each query's terms: what it
 * contributes to its costs, metric included. With these the scan makes the costs of any metric with one formula,
 * ec_cost(). */
#include <float.h>
#include <math.h>

#include "../bits/bits.h"
#include "scan.h"

enum {
    CHUNK = 16,  /* queries whose sums are taken together: the kernels take some rows at a time */
    MODERATE = 8 /* greatest and least binary exponent that moderate() leaves as it is; EC_LEAST_LENGTH counts on it */
};

typedef struct {
    const ec_search_args *args;
    int64_t dimension;
    uint32_t flags;
    float *row, *spare; /* room for one query each, on its way to the plain form */
    int64_t moderated;  /* queries that moderate() has multiplied */
    /* Of the queries of a chunk: squared lengths of floats; sums of codes, and of their squares. */
    double squares[CHUNK];
    int32_t sums[CHUNK], squares_i32[CHUNK];
} preparation;

/* How a query meets rows: mul * (raw score) + bias is the dot of the two vectors that query and row stand for, and
 * `square` is the squared length of the query's. */
typedef struct {
    double mul, bias, square;
    int32_t status;
} meeting;

static meeting failed(int32_t status) {
    meeting m = {.status = status};
    return m;
}

static int rows_are_bits(const ec_search_args *args) {
    return args->family == EC_HAMMING_U1 || args->family == EC_DOT_U1 || args->decode == EC_DECODE_U1;
}

/* For a cosine, which the length of the query does not change: multiplies the query by a power of two that brings it
 * away from the ends of float32. Products then neither overflow nor vanish, and the power of two changes no other
 * rounding. Returns the query as it is, or the multiplied one in p->row, with *square adapted. */
static const void *moderate(preparation *p, const void *values, uint32_t largest_bits, double *square) {
    int exponent;
    float largest;
    memcpy(&largest, &largest_bits, 4);
    (void)frexpf(largest, &exponent);
    if (largest == 0 || (exponent >= -MODERATE && exponent <= MODERATE)) return values;
    double factor = ldexp(1, -exponent);
    for (int64_t d = 0; d < p->dimension; d++) p->row[d] = (float)(ec_load_f32_at(values, d) * factor);
    *square = ldexp(*square, -2 * exponent);
    p->moderated++;
    return p->row;
}

/* The values in the order of the stored bits, the highest bit of a byte first, and signed such that a set bit adds the
 * value. Values are 0 behind the last dimension. */
static const void *in_bit_order(const preparation *p, const void *values) {
    int64_t width = p->args->width;
    if (p->flags == 0 && p->dimension == 8 * width) return values;
    int64_t reverse = p->flags & EC_BITS_LSB ? 7 : 0;
    for (int64_t i = 0; i < 8 * width; i++) {
        int64_t d = i ^ reverse;
        p->spare[i] = d < p->dimension ? ec_load_f32_at(values, d) : 0;
    }
    /* the highest bit of byte - 128 is the inverse of that of byte */
    for (int64_t i = 0; p->flags & EC_BITS_OFFSET && i < 8 * width; i += 8) p->spare[i] = -p->spare[i];
    return p->spare;
}

/* The largest score that tables can give: that of the row whose every bit has the sign of the query's value. Entries
 * are stored plus 128. */
static int64_t most_of_tables(const uint8_t *tables, int64_t width) {
    int64_t most = 0;
    for (int64_t p = 0; p < 2 * width; p++) {
        uint8_t largest = 0;
        for (int n = 0; n < 16; n++)
            if (tables[16 * p + n] > largest) largest = tables[16 * p + n];
        most += largest - 128;
    }
    return most;
}

/* Brings a float query into the form for rows of bits: tables for dot_u1, or floats where the rows are decoded to -1
 * and +1. For a cosine mul may be reduced: a query whose elements are all about as large is so near to the row of its
 * signs that its rounded tables could give a cosine above 1. */
static int32_t meet_bits(const preparation *p, const void *values, void *query, meeting *m) {
    const ec_search_args *args = p->args;
    float scale = 0;
    values = in_bit_order(p, values);
    if (args->decode == EC_DECODE_U1)
        memcpy(query, values, (size_t)args->width * 32), scale = 1;
    else if (!ec_active.dot_u1_tables(values, args->width, query, &scale))
        return EC_OUT_OF_RANGE;
    m->mul = scale;
    if (args->decode != EC_DECODE_U1 && args->metric == EC_COST_COSINE) {
        double longest = sqrt(m->square * (double)p->dimension), most = m->mul * most_of_tables(query, args->width);
        if (most > longest) m->mul *= longest / most;
    }
    return EC_OK;
}

/* For a cosine of codes with rounded codes of a query: takes the length of what the query's codes stand for, not of the
 * query itself. The score is then the cosine of two vectors, never outside -1 .. 1, and the part of the rounding that
 * lies along the row, most of the error of the nearest rows, cancels. */
static void meet_as_codes(const preparation *p, const void *query, meeting *m) {
    const double step = p->args->step, centre = p->args->centre;
    int32_t sum, square;
    ec_active.sumsq_i8(query, p->dimension, 1, p->dimension, 0, &square);
    m->square = m->mul / step * (m->mul / step) * square;
    if (centre == 0) return;
    ec_active.sum_i8(query, p->dimension, 1, p->dimension, 0, &sum);
    m->bias = m->mul * centre * sum;
}

/* Brings a float query into the form for rows of codes that stand for a * code + b, by
 *
 *     q . (a * code + b) = (a * q) . code + q . b
 *
 * a * q is rounded to codes of its own, or stays float where the rows are decoded. q . b is computed from q itself: b
 * may be many steps where each dimension has its range. */
static int32_t meet_integers(const preparation *p, const void *values, void *query, meeting *m) {
    const ec_search_args *args = p->args;
    const float b = args->centre * args->step;
    float *folded = args->decode == EC_DECODE_I8 ? query : p->spare, largest;
    uint32_t bits = ec_active.fold_f32(values, p->dimension, args->steps, args->step, folded);
    if (bits >= EC_INFINITY_BITS) return EC_OUT_OF_RANGE;
    if (args->steps != NULL)
        m->bias = ec_active.weigh_f32(values, p->dimension, args->offsets);
    else if (b != 0)
        m->bias = ec_active.weigh_f32(values, p->dimension, NULL) * b;
    if (args->decode == EC_DECODE_I8) return EC_OK;
    memcpy(&largest, &bits, 4);
    m->mul = (double)largest / 127;
    ec_active.round_f32(folded, p->dimension, m->mul > 0 ? 1 / m->mul : 0, query);
    if (args->metric == EC_COST_COSINE && args->steps == NULL) meet_as_codes(p, query, m);
    return EC_OK;
}

/* One float query, number `at` of its chunk. */
static meeting meet_floats(preparation *p, const void *values, int64_t at, void *query) {
    const ec_search_args *args = p->args;
    meeting m = {.mul = 1, .square = p->squares[at], .status = EC_OK};
    uint32_t largest = ec_active.max_abs_bits_f32(values, p->dimension);
    if (largest >= EC_INFINITY_BITS) return failed(EC_NOT_FINITE);
    if (args->metric == EC_COST_COSINE) values = moderate(p, values, largest, &m.square);
    if (rows_are_bits(args))
        m.status = meet_bits(p, values, query, &m);
    else if (args->family == EC_DOT_I8 || args->decode == EC_DECODE_I8)
        m.status = meet_integers(p, values, query, &m);
    else if (query)
        memcpy(query, values, (size_t)p->dimension * 4);
    return m;
}

/* One query of codes that stand for scale * (code + centre), number `at` of its chunk. The rows' codes stand for step *
 * (code + centre), times a scale of the row that the scan multiplies by. */
static meeting meet_codes(const preparation *p, const uint8_t *values, int64_t at, double scale, uint8_t *query) {
    const double step = p->args->step, centre = p->args->centre;
    const double rest = centre * centre * (double)p->dimension;
    meeting m = {.mul = step * scale, .status = EC_OK};
    if (centre != 0) m.bias = m.mul * (centre * p->sums[at] + rest);
    m.square = scale * scale * (p->squares_i32[at] + 2 * centre * p->sums[at] + rest);
    for (int64_t d = 0; query && d < p->dimension; d++) query[d] = (uint8_t)(values[d] ^ p->args->flip);
    return m;
}

/* One query of bits that stand for -1 and +1: the dot is the number of dimensions less twice the number of those that
 * differ, the raw score. For Jaccard the bias is the number of bits set. */
static meeting meet_signs(const preparation *p, const uint8_t *values) {
    const ec_search_args *args = p->args;
    meeting m = {.mul = -2, .bias = (double)p->dimension, .square = (double)p->dimension, .status = EC_OK};
    if (args->metric == EC_COST_JACCARD) {
        m.bias = 0;
        for (int64_t j = 0; j < ec_words_u1(args->width); j++)
            m.bias += ec_count_ones_u64(ec_row_word(values, args->width, j));
    }
    return m;
}

/* Writes the mul, bias and square of query q, with the metric folded in. All rows of bits have the same length, so that
 * their cosines and distances are dots up to constants. */
static int32_t put_terms(const preparation *p, int64_t q, const meeting *m, void *terms) {
    const ec_search_args *args = p->args;
    const int bits = rows_are_bits(args);
    double values[3] = {m->mul, m->bias, 0};
    if (args->metric == EC_COST_COSINE) {
        double length = sqrt(m->square) * (bits ? sqrt((double)p->dimension) : 1),
               inverse = length > 0 ? 1 / length : 0;
        values[0] *= inverse;
        values[1] *= inverse;
    } else if (args->metric == EC_COST_L2 && bits) { /* minus the squared distance: 2 * dot - both squares */
        values[0] *= 2;
        values[1] = 2 * values[1] - (m->square + (double)p->dimension);
    } else if (args->metric == EC_COST_L2) {
        values[2] = m->square;
    }
    for (int i = 0; i < 3; i++) {
        if (!(fabs(values[i]) <= FLT_MAX)) return EC_OUT_OF_RANGE;
        ec_store_f32_at(terms, i * args->n_queries + q, (float)values[i]);
    }
    return EC_OK;
}

int64_t ec_search_queries_scratch_bytes(int64_t dimension) { return 2 * 4 * ec_round_up(dimension, 16); }

/* Sums of the values of up to CHUNK queries, as the metric needs them. */
static void sum_chunk(preparation *p, const uint8_t *values, int32_t type, int64_t n) {
    const ec_search_args *args = p->args;
    const uint8_t flip = (uint8_t)args->flip;
    const int64_t dimension = p->dimension;
    const int squares = args->metric == EC_COST_COSINE || args->metric == EC_COST_L2;
    if (type == EC_FLOAT32 && squares) ec_active.sumsq_f32(values, 4 * dimension, n, dimension, p->squares);
    if (type == EC_FLOAT32 || args->family == EC_HAMMING_U1) return;
    if (args->centre != 0) ec_active.sum_i8(values, dimension, n, dimension, flip, p->sums);
    if (squares) ec_active.sumsq_i8(values, dimension, n, dimension, flip, p->squares_i32);
}

ec_result ec_search_queries(const ec_search_args *args, const void *values, int32_t type, int64_t dimension,
                            const void *scales, uint32_t flags, void *queries, void *terms, void *scratch) {
    preparation p = {
        .args = args,
        .dimension = dimension,
        .flags = flags,
        .row = scratch,
        .spare = (float *)scratch + ec_round_up(dimension, 16),
    };
    int64_t stride = args->family == EC_HAMMING_U1 ? args->width : dimension * ec_type_bytes(type);
    for (int64_t q = 0; q < args->n_queries; q++) {
        const uint8_t *from = (const uint8_t *)values + q * stride;
        uint8_t *to = queries ? (uint8_t *)queries + q * ec_search_query_bytes(args) : NULL;
        if (q % CHUNK == 0) sum_chunk(&p, from, type, ec_min_i64(CHUNK, args->n_queries - q));
        meeting m;
        if (type == EC_FLOAT32)
            m = meet_floats(&p, from, q % CHUNK, to);
        else if (args->family == EC_HAMMING_U1)
            m = meet_signs(&p, from);
        else
            m = meet_codes(&p, from, q % CHUNK, (double)args->step * (scales ? ec_load_f32_at(scales, q) : 1), to);
        if (m.status == EC_OK) m.status = put_terms(&p, q, &m, terms);
        if (m.status != EC_OK) {
            ec_result failure = {q, q, m.status};
            return failure;
        }
    }
    ec_result done = {args->n_queries, p.moderated, EC_OK};
    return done;
}
