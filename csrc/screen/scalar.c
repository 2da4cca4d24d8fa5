/* Rows of floats to int8 codes for screening in plain C: the specification. */
#include "screen.h"

#include <math.h>

/* The magnitude of each of 16 elements, as bits, if it is the largest so far. */
EC_INLINE void raise_i32x16(const uint8_t *elements, int32_t most[16]) {
    int32_t bits[16];
    memcpy(bits, elements, sizeof bits);
    for (int lane = 0; lane < 16; lane++) {
        bits[lane] &= 0x7fffffff;
        most[lane] = bits[lane] > most[lane] ? bits[lane] : most[lane];
    }
}

/* Codes of 16 elements, rounded by adding and taking off what leaves no place for a fraction; squares += theirs, rests +=
 * those of what the codes leave. */
EC_INLINE void round_f32x16(const uint8_t *elements, float step, float inverse, uint8_t *codes, float squares[16],
                            float rests[16]) {
    const float integral = 0x1.8p23f;
    float values[16];
    int8_t rounded_i8x16[16];
    memcpy(values, elements, sizeof values);
    for (int lane = 0; lane < 16; lane++) {
        const float rounded = (values[lane] * inverse + integral) - integral, rest = values[lane] - rounded * step;
        squares[lane] += values[lane] * values[lane];
        rests[lane] += rest * rest;
        rounded_i8x16[lane] = (int8_t)(int32_t)rounded;
    }
    memcpy(codes, rounded_i8x16, sizeof rounded_i8x16);
}

/* A length from above, of sixteen partial sums of squares. */
EC_INLINE float length_above(const float partial[16]) {
    double sum = 0;
    for (int lane = 0; lane < 16; lane++) sum += partial[lane];
    return (float)sqrt(sum) * EC_SCREEN_WIDER;
}

/* Rows of floats as int8 codes, rounded to the nearest, without gaps, and the step of each: a row is about step * code.
 * errors and lengths: bounds from above on the length of what that leaves of a row, and of the row. A row with an element
 * that is not finite, or whose largest lies outside EC_SCREEN_LEAST .. EC_SCREEN_MOST, gets the step -1 and no meaning. */
static void screen_rows(const void *rows, int64_t stride_bytes, int64_t n_rows, int64_t width, int8_t *codes,
                        float *steps, float *errors, float *lengths) {
    const int64_t whole = width / 16 * 16;
    const uint8_t *row = rows;
    for (int64_t r = 0; r < n_rows; r++, row += stride_bytes, codes += width) {
        uint8_t tail[64] = {0}, tail_codes[16];
        int32_t most[16] = {0}, largest = 0;
        float squares[16] = {0}, rests[16] = {0}, inverse;
        memcpy(tail, row + 4 * whole, (size_t)(width - whole) * 4);
        for (int64_t d = 0; d < whole; d += 16) raise_i32x16(row + 4 * d, most);
        raise_i32x16(tail, most);
        for (int lane = 0; lane < 16; lane++) largest = most[lane] > largest ? most[lane] : largest;
        if (!ec_screen_step(largest, &steps[r], &inverse)) {
            memset(codes, 0, (size_t)width);
            steps[r] = -1;
            errors[r] = lengths[r] = 0;
            continue;
        }
        for (int64_t d = 0; d < whole; d += 16)
            round_f32x16(row + 4 * d, steps[r], inverse, (uint8_t *)codes + d, squares, rests);
        round_f32x16(tail, steps[r], inverse, tail_codes, squares, rests);
        memcpy(codes + whole, tail_codes, (size_t)(width - whole));
        errors[r] = length_above(rests);
        lengths[r] = length_above(squares);
    }
}

/* A tier sets `screens` where this is so fast that screening pays. */
EC_SLOTS(screen, scalar) {
    table->screens = 0;
    table->screen_rows = screen_rows;
}

EC_INSTALL(screen, EC_SCALAR(screen) EC_AVX512(screen))
