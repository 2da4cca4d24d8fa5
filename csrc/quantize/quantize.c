/* The public functions of the family: they turn the three kinds of scale into the factors, clamps and flips that the
 * kernels take, and look for rows that lose much. */
#include "quantize.h"

#include "../pool/pool.h"

#include <float.h>
#include <math.h>

/* What coding and decoding take, of which threads take ranges of rows. Which arrays there are follows from the scale. */
typedef struct {
    const char *values;
    uint8_t *codes;
    int64_t dimension;
    int32_t type;
    void *scales;
    ec_steps steps;
} coding;

typedef struct {
    const uint8_t *codes;
    char *values;
    int64_t dimension;
    int32_t type;
    const void *scales, *first, *step;
} decoding;

static ec_result done(int64_t count) {
    ec_result r = {count, count, EC_OK};
    return r;
}

static ec_result not_finite(const void *values, int64_t before, int64_t count) {
    ec_result r = ec_check_finite_f32((const char *)values + 4 * before, count);
    r.consumed += before;
    return r;
}

/* Whether a value of the row lies half a step or more beyond -1 .. 1. */
static int is_clipped(const char *values, int64_t dimension, float factor) {
    uint32_t bits = ec_active.max_abs_bits_f32(values, dimension);
    float largest;
    memcpy(&largest, &bits, 4);
    return largest > 1.0f + 0.5f / factor;
}

/* Whether rounding takes a tenth or more of a row's squared length. Rounding takes a twelfth of a squared step a
 * dimension, so these are rows whose squared length is below ten times dimension / 12 squared steps. A zero row loses
 * nothing. */
#define TENTH_OF_TWELVE 1.2
static int is_short(const char *values, int64_t dimension, float factor) {
    double squares = 0;
    for (int64_t i = 0; i < dimension; i += EC_DOT_MAX_DIMENSION) {
        double some;
        int64_t count = dimension - i < EC_DOT_MAX_DIMENSION ? dimension - i : EC_DOT_MAX_DIMENSION;
        ec_active.sumsq_f32(values + 4 * i, 4 * count, 1, count, &some);
        squares += some;
    }
    return squares > 0 && squares < (double)dimension / (TENTH_OF_TWELVE * factor * factor);
}

/* Counts the rows that may lose much at this scale, among at least 8 rows or one in 32, spread over the matrix, the
 * last one included. Sums of squares of their codes, which are in the cache, clear most rows. Where a value is clipped,
 * the sum is 127 * 127 or more. Where a row is too short, it is less than 5 / 4 a dimension: 10 / 12 for the row, 1 /
 * 12 for rounding, and a third to spare for chance. */
static int64_t rows_in_doubt(const char *values, int64_t rows, int64_t dimension, float factor, const uint8_t *codes,
                             uint8_t flip) {
    enum { LEAST = 8, MOST_APART = 32, BLOCK = 32 };
    int64_t doubtful = 0, apart = rows / LEAST < MOST_APART ? rows / LEAST : MOST_APART;
    int unknown = dimension > EC_DOT_MAX_DIMENSION;
    if (apart < 1) apart = 1;
    if (!rows) return 0;
    for (int64_t row = (rows - 1) % apart; row < rows; row += apart * BLOCK) {
        int64_t left = (rows - row + apart - 1) / apart, n = left < BLOCK ? left : BLOCK;
        int32_t squares[BLOCK] = {0};
        if (!unknown) ec_active.sumsq_i8(codes + row * dimension, apart * dimension, n, dimension, flip, squares);
        for (int64_t i = 0; i < n; i++) {
            const char *from = values + 4 * (row + i * apart) * dimension;
            int clipped = (unknown || squares[i] >= 127 * 127) && is_clipped(from, dimension, factor);
            int tiny = (unknown || squares[i] * 4.0 <= dimension * 5.0) && is_short(from, dimension, factor);
            doubtful += clipped || tiny;
        }
    }
    return doubtful;
}

static float unit_factor(int32_t type) { return type == EC_INT8 ? 127.0f : 127.5f; }

static ec_result quantize_unit(const void *of, int64_t first, int64_t rows) {
    const coding *to = of;
    const int64_t begin = first * to->dimension, count = rows * to->dimension;
    const float factor = unit_factor(to->type);
    const char *values = to->values + 4 * begin;
    uint8_t *codes = to->codes + begin;
    int finite = to->type == EC_INT8
                     ? ec_active.quantize_affine_f32(values, count, factor, 0.0f, -127.0f, 127.0f, 0, codes)
                     : ec_active.quantize_affine_f32(values, count, factor, factor, 0.0f, 255.0f, 0, codes);
    return finite ? done(count) : not_finite(to->values, begin, count);
}

ec_result ec_quantize_unit_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, void *codes,
                               int32_t threads) {
    const coding to = {values, codes, dimension, type, NULL, {NULL, NULL, NULL}};
    ec_result r = ec_pool_rows(threads, rows, 4 * dimension, quantize_unit, &to);
    if (r.status != EC_OK) return r;
    r.consumed = rows * dimension;
    r.produced = rows_in_doubt(values, rows, dimension, unit_factor(type), codes, type == EC_INT8 ? 0 : 0x80);
    return r;
}

static ec_result dequantize_unit(const void *of, int64_t first, int64_t rows) {
    const decoding *to = of;
    const int64_t begin = first * to->dimension, count = rows * to->dimension;
    ec_active.dequantize_unit_f32(to->codes + begin, count, to->type == EC_INT8, to->values + 4 * begin);
    return done(count);
}

ec_result ec_dequantize_unit_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, void *values,
                                 int32_t threads) {
    const decoding to = {codes, values, dimension, type, NULL, NULL, NULL};
    ec_pool_rows(threads, rows, 4 * dimension, dequantize_unit, &to);
    return done(rows * dimension);
}

#define SMALLEST 0x1p-149 /* the least float32 above zero, of which all subnormal ones are multiples */

/* The scale of a row. A zero row takes that of vectors of unit length. A subnormal scale is coarse, and is rounded up,
 * so that no code is above 127. */
static float scale_of(float max_abs) {
    const float scale = max_abs > 0.0f ? max_abs / 127.0f : 1.0f / 127.0f;
    if (scale >= FLT_MIN) return scale;
    return (float)(ceil((double)max_abs / SMALLEST / 127) * SMALLEST);
}

/* Codes a row at a subnormal scale, whose reciprocal would overflow. Values and scale are multiplied by 2^64, which
 * makes scales of 2^-149 .. 2^-126 normal and keeps their reciprocals finite. A value that becomes infinite is far
 * above 127 steps and is clamped. */
static void quantize_at_subnormal(const char *values, int64_t count, float scale, uint8_t flip, uint8_t *codes) {
    enum { SOME = 256 };
    const float larger = 0x1p64f, factor = 1.0f / (scale * larger);
    float some[SOME];
    for (int64_t begin = 0; begin < count; begin += SOME) {
        const int64_t n = count - begin < SOME ? count - begin : SOME;
        for (int64_t i = 0; i < n; i++) some[i] = ec_load_f32_at(values, begin + i) * larger;
        ec_active.quantize_affine_f32(some, n, factor, 0.0f, -127.0f, 127.0f, flip, codes + begin);
    }
}

/* Codes rows at the scales that it measures. The largest magnitude of a row is found two rows ahead, while another row
 * is coded: so values are read from memory once, and nothing waits for the scale that follows from the magnitude. */
static ec_result measure_and_quantize(const void *of, int64_t first, int64_t rows) {
    enum { AHEAD = 2 };
    const coding *all = of;
    const int64_t dimension = all->dimension, end = first + rows;
    const uint8_t flip = all->type == EC_UINT8 ? 0x80 : 0;
    uint32_t largest[AHEAD] = {0};
    for (int64_t row = first; row < first + AHEAD && row < end; row++)
        largest[row % AHEAD] = ec_active.max_abs_bits_f32(all->values + 4 * row * dimension, dimension);
    for (int64_t row = first; row < end; row++) {
        const char *from = all->values + 4 * row * dimension;
        uint32_t *bits = &largest[row % AHEAD];
        if (*bits >= EC_INFINITY_BITS) return not_finite(all->values, row * dimension, dimension);
        float max_abs;
        memcpy(&max_abs, bits, 4);
        float scale = scale_of(max_abs);
        ec_store_f32_at(all->scales, row, scale);
        const char *ahead = row + AHEAD < end ? from + 4 * AHEAD * dimension : from;
        uint8_t *to = all->codes + row * dimension;
        if (scale >= FLT_MIN) {
            *bits = ec_active.quantize_scaled_f32(from, dimension, 1.0f / scale, flip, to, ahead);
        } else {
            quantize_at_subnormal(from, dimension, scale, flip, to);
            *bits = ec_active.max_abs_bits_f32(ahead, dimension);
        }
    }
    return done(rows * dimension);
}

/* Codes rows at the scales that are given. */
static ec_result quantize_at_scales(const void *of, int64_t first, int64_t rows) {
    const coding *all = of;
    const int64_t dimension = all->dimension;
    const uint8_t flip = all->type == EC_UINT8 ? 0x80 : 0;
    for (int64_t row = first; row < first + rows; row++) {
        const char *from = all->values + 4 * row * dimension;
        const float scale = ec_load_f32_at(all->scales, row);
        uint8_t *to = all->codes + row * dimension;
        int finite = 1;
        if (scale >= FLT_MIN) {
            finite = ec_active.quantize_affine_f32(from, dimension, 1.0f / scale, 0.0f, -127.0f, 127.0f, flip, to);
        } else {
            finite = ec_active.max_abs_bits_f32(from, dimension) < EC_INFINITY_BITS;
            quantize_at_subnormal(from, dimension, scale, flip, to);
        }
        if (!finite) return not_finite(all->values, row * dimension, dimension);
    }
    return done(rows * dimension);
}

ec_result ec_quantize_per_vector_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, int32_t measure,
                                     void *scales, void *codes, int32_t threads) {
    const coding to = {values, codes, dimension, type, scales, {NULL, NULL, NULL}};
    const ec_result r =
        ec_pool_rows(threads, rows, 4 * dimension, measure ? measure_and_quantize : quantize_at_scales, &to);
    return r.status != EC_OK ? r : done(rows * dimension);
}

static ec_result dequantize_per_vector(const void *of, int64_t first, int64_t rows) {
    const decoding *to = of;
    const uint8_t flip = to->type == EC_UINT8 ? 0x80 : 0;
    for (int64_t row = first; row < first + rows; row++)
        ec_active.dequantize_scaled_f32(to->codes + row * to->dimension, to->dimension, flip,
                                        ec_load_f32_at(to->scales, row), to->values + 4 * row * to->dimension);
    return done(rows * to->dimension);
}

ec_result ec_dequantize_per_vector_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type,
                                       const void *scales, void *values, int32_t threads) {
    const decoding to = {codes, values, dimension, type, scales, NULL, NULL};
    ec_pool_rows(threads, rows, 4 * dimension, dequantize_per_vector, &to);
    return done(rows * dimension);
}

/* The number of the n codes, 0 .. 255 once flipped, that are at an end of their ranges. */
static uint32_t codes_at_ends(const uint8_t *codes, int64_t n, uint8_t flip) {
    uint32_t ends = 0;
    for (int64_t i = 0; i < n; i++) ends += (uint8_t)((codes[i] ^ flip) + 1) < 2;
    return ends;
}

static uint32_t sum_of_differences(const uint8_t *a, const uint8_t *b, int64_t n, uint8_t flip) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        int difference = (a[i] ^ flip) - (b[i] ^ flip);
        sum += (uint32_t)(difference < 0 ? -difference : difference);
    }
    return sum;
}

/* Counts the rows that may lose much with these ranges, among at most 16 rows spread over the matrix, the last one
 * included: rows with a tenth of their first codes at an end of the range, or with codes that hardly differ from those
 * of the row before, or, if there is only one row, from the middle. */
static int64_t rows_out_of_ranges(const uint8_t *codes, int64_t rows, int64_t dimension, uint8_t flip) {
    enum { MOST_ROWS = 16, MOST_CODES = 512, NEAR = 2, ABOUT = 16, PART = 10 };
    int64_t doubtful = 0, n = dimension < MOST_CODES ? dimension : MOST_CODES;
    int64_t apart = (rows + MOST_ROWS - 1) / MOST_ROWS;
    uint8_t middle[MOST_CODES];
    const uint8_t *before = rows == 1 ? memset(middle, 0x80 ^ flip, sizeof middle) : NULL;
    for (int64_t row = rows ? (rows - 1) % apart : rows; row < rows; row += apart) {
        const uint8_t *code = codes + row * dimension;
        doubtful += PART * codes_at_ends(code, n, flip) > n ||
                    (before && sum_of_differences(code, before, n, flip) < (rows == 1 ? ABOUT : NEAR) * n);
        before = code;
    }
    return doubtful;
}

static ec_result quantize_ranges(const void *of, int64_t first, int64_t rows) {
    enum { STRIP = 2048 }; /* dimensions whose ranges, 24 KB, stay in the first-level cache while all rows pass */
    const coding *to = of;
    const int64_t dimension = to->dimension, at = first * dimension;
    const uint8_t flip = to->type == EC_INT8 ? 0x80 : 0;
    for (int64_t begin = 0; begin < dimension; begin += STRIP) {
        int64_t count = dimension - begin < STRIP ? dimension - begin : STRIP;
        ec_steps steps = {(const char *)to->steps.low + 4 * begin, (const char *)to->steps.step + 4 * begin,
                          to->steps.reciprocal ? (const char *)to->steps.reciprocal + 4 * begin : NULL};
        if (!ec_active.quantize_ranges_f32(to->values + 4 * (at + begin), dimension, rows, count, &steps, flip,
                                           to->codes + at + begin))
            return not_finite(to->values, at, rows * dimension);
    }
    return done(rows * dimension);
}

ec_result ec_quantize_ranges_f32(const void *values, int64_t rows, int64_t dimension, int32_t type, const void *low,
                                 const void *step, const void *reciprocal, void *codes, int32_t threads) {
    const coding to = {values, codes, dimension, type, NULL, {low, step, reciprocal}};
    ec_result r = ec_pool_rows(threads, rows, 4 * dimension, quantize_ranges, &to);
    if (r.status != EC_OK) return r;
    r.consumed = rows * dimension;
    r.produced = rows_out_of_ranges(codes, rows, dimension, type == EC_INT8 ? 0x80 : 0);
    return r;
}

static ec_result dequantize_ranges(const void *of, int64_t first, int64_t rows) {
    const decoding *to = of;
    const uint8_t flip = to->type == EC_INT8 ? 0x80 : 0;
    for (int64_t row = first; row < first + rows; row++)
        ec_active.dequantize_ranges_f32(to->codes + row * to->dimension, to->dimension, flip, to->first, to->step,
                                        to->values + 4 * row * to->dimension);
    return done(rows * to->dimension);
}

ec_result ec_dequantize_ranges_f32(const void *codes, int64_t rows, int64_t dimension, int32_t type, const void *first,
                                   const void *step, void *values, int32_t threads) {
    const decoding to = {codes, values, dimension, type, NULL, first, step};
    ec_pool_rows(threads, rows, 4 * dimension, dequantize_ranges, &to);
    return done(rows * dimension);
}

ec_result ec_truncate_f32(const void *values, int64_t stride, int64_t rows, int64_t dimension, void *kept) {
    for (int64_t row = 0; row < rows; row++) {
        const char *from = (const char *)values + 4 * row * stride;
        char *to = (char *)kept + 4 * row * dimension;
        double squares;
        ec_active.sumsq_f32(from, 4 * dimension, 1, dimension, &squares);
        if (!(squares <= DBL_MAX)) { /* no sum of squares of float32 is larger */
            ec_result bad = not_finite(from, 0, dimension);
            bad.consumed += row * dimension;
            return bad;
        }
        double factor = squares > 0 ? 1 / sqrt(squares) : 1;
        for (int64_t i = 0; i < dimension; i++) ec_store_f32_at(to, i, (float)(ec_load_f32_at(from, i) * factor));
    }
    return done(rows * dimension);
}
