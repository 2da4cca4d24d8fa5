/* Rounds rows of floats to int8 codes for screening (search/screening.c), in plain C: the specification. */
#include "screen.h"

/* most[lane] = the magnitude of the element in each of 16 lanes, as bits, where it is larger. Bits of floats without
 * their signs are ordered as the floats are. */
EC_INLINE void raise_i32x16(const uint8_t *elements, int32_t most[16]) {
    int32_t bits[16];
    memcpy(bits, elements, sizeof bits);
    for (int lane = 0; lane < 16; lane++) {
        bits[lane] &= 0x7fffffff;
        most[lane] = bits[lane] > most[lane] ? bits[lane] : most[lane];
    }
}

/* Rounds 16 elements to codes: see EC_SCREEN_FINE. Adding 1.5 * 2^23 leaves a float no bits for a fraction, so that it is
 * rounded to the nearest integer, which subtracting it gives. The squares of the codes are added to `squares`, those of
 * what the codes leave to `rests`. */
EC_INLINE void round_f32x16(const uint8_t *elements, float factor, uint8_t *codes, int32_t squares[16],
                            int32_t rests[16]) {
    const float integral = 0x1.8p23f;
    float values[16];
    int8_t rounded_i8x16[16];
    memcpy(values, elements, sizeof values);
    for (int lane = 0; lane < 16; lane++) {
        const int32_t fine = (int32_t)(ec_fma_f32(values[lane], factor, EC_SCREEN_HALF) + integral - integral);
        const int32_t rest = (fine & (EC_SCREEN_FINE - 1)) - EC_SCREEN_HALF;
        const int32_t code = (fine - EC_SCREEN_HALF - rest) / EC_SCREEN_FINE;
        squares[lane] += code * code;
        rests[lane] += rest * rest;
        rounded_i8x16[lane] = (int8_t)code;
    }
    memcpy(codes, rounded_i8x16, sizeof rounded_i8x16);
}

static int32_t sum_i32x16(const int32_t partial[16]) {
    int32_t sum = 0;
    for (int lane = 0; lane < 16; lane++) sum += partial[lane];
    return sum;
}

/* Rounds rows of floats to int8 codes, without gaps, the nearest multiples of a step a row: row r is about steps[r] *
 * codes. lengths[r] and errors[r] are bounds from above on the length of the row and of what the codes leave of it. A
 * row with an element that is not finite, or whose largest magnitude lies outside EC_SCREEN_LEAST .. EC_SCREEN_MOST,
 * gets the step -1, and its other results mean nothing; a row of zeros has the step 0. What lies from `ahead` on may be
 * prefetched meanwhile. */
static void screen_rows(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int32_t levels,
                        int8_t *codes, float *steps, float *errors, float *lengths, const void *ahead,
                        int64_t ahead_bytes) {
    const int64_t whole = width / 16 * 16;
    const uint8_t *row = rows;
    (void)ahead;
    (void)ahead_bytes;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, codes += width) {
        uint8_t tail[64] = {0}, tail_codes[16];
        int32_t most[16] = {0}, largest = 0;
        int32_t squares[16] = {0}, rests[16] = {0};
        float factor;
        memcpy(tail, row + 4 * whole, (size_t)(width - whole) * 4);
        for (int64_t d = 0; d < whole; d += 16) raise_i32x16(row + 4 * d, most);
        raise_i32x16(tail, most);
        for (int lane = 0; lane < 16; lane++) largest = most[lane] > largest ? most[lane] : largest;
        if (!ec_screen_step(largest, levels, &steps[r], &factor)) {
            ec_screen_unfit(codes, width, &steps[r], &errors[r], &lengths[r]);
            continue;
        }
        for (int64_t d = 0; d < whole; d += 16) round_f32x16(row + 4 * d, factor, (uint8_t *)codes + d, squares, rests);
        round_f32x16(tail, factor, tail_codes, squares, rests);
        memcpy(codes + whole, tail_codes, (size_t)(width - whole));
        ec_screen_lengths(sum_i32x16(squares), sum_i32x16(rests), width, steps[r], &errors[r], &lengths[r]);
    }
}

/* screen_few() rounds rows as screen_rows() does to EC_SCREEN_LEVELS, and writes the int8 dots of their codes with some
 * queries, of query q from q * scores_stride on. `codes` has room for four rows of whole lines of 64 codes and is aligned
 * to them, as `prepared` is, which screen_few_prepare() makes of the queries' codes. The scores of a row that gets the
 * step -1 mean nothing. Rows that lie behind these in memory may be prefetched. */
static void screen_few_prepare(const void *query_codes, int64_t n_queries, int64_t width, void *prepared) {
    memcpy(prepared, query_codes, (size_t)(n_queries * width));
}

static void screen_few(const void *prepared, int64_t n_queries, const void *rows, int64_t stride_bytes, int64_t n_rows,
                       int64_t width, int8_t *codes, float *steps, float *errors, float *lengths, int32_t *scores,
                       int64_t scores_stride) {
    for (int64_t r = 0; r < n_rows; r++) {
        screen_rows((const uint8_t *)rows + r * stride_bytes, stride_bytes, 1, width, EC_SCREEN_LEVELS, codes,
                    steps + r, errors + r, lengths + r, NULL, 0);
        for (int64_t q = 0; q < n_queries; q++) {
            const int8_t *query = (const int8_t *)prepared + q * width;
            int32_t dot = 0;
            for (int64_t d = 0; d < width; d++) dot += query[d] * codes[d];
            scores[q * scores_stride + r] = dot;
        }
    }
}

/* A tier whose int8 dots are so fast that screening pays says from how many queries on. */
EC_SLOTS(screen, scalar) {
    table->screens = 0;
    table->screen_rows = screen_rows;
    table->most_screen_few = 0;
    table->screen_few_prepare = screen_few_prepare;
    table->screen_few = screen_few;
}

EC_INSTALL(screen, EC_SCALAR(screen) EC_AVX2(screen) EC_AVXVNNI(screen) EC_AVX512(screen))
