/* Shared by the tiers that round rows of floats to codes, and by screening (search/screening.c), which uses the
 * codes. */
#ifndef EC_SCREEN_H
#define EC_SCREEN_H

#include "../dot/dot.h"

#include <math.h>

/* Rows are screened if their largest magnitude lies between these. Sums of 2^16 squares of at most 1e20 each stay below
 * 1e25. Half a step of the smallest rows is 4e-13, and its square, 1.6e-25, a normal float. Both are far from the ends
 * of float32, 3e38 and 1e-38. */
#define EC_SCREEN_LEAST 1e-10f
#define EC_SCREEN_MOST 1e10f

/* Lengths times this are bounds from above, whatever their few roundings of at most 2^-24. */
#define EC_SCREEN_WIDER (1 + 0x1p-9f)

/* Codes of rows, and of queries that are met by all of dot_i8_tile. */
enum { EC_SCREEN_LEVELS = 127 };

/* Values are counted in 256ths of a step, EC_SCREEN_FINE, which for the largest code fits 16 bits. With half a step added,
 *
 *     fine = value / step * 256 + 128, rounded = 256 * code + rest + 128,       -128 <= rest < 128
 *
 * the high byte is the code, the nearest to the value, and the low byte, less 128, what the code leaves. */
enum { EC_SCREEN_FINE = 256, EC_SCREEN_HALF = 128 };

/* The step of a row whose largest magnitude has these bits and the code `levels`, and the 256ths of a step in 1: both 0
 * for a row of zeros. Returns 0 where the row cannot be screened. */
EC_INLINE int ec_screen_step(int32_t largest_bits, int32_t levels, float *step, float *factor) {
    float largest;
    memcpy(&largest, &largest_bits, 4);
    const int fits = largest >= EC_SCREEN_LEAST && largest <= EC_SCREEN_MOST;
    *step = fits ? largest / (float)levels : 0;
    *factor = fits ? (float)(levels * EC_SCREEN_FINE) / largest : 0;
    return fits || largest == 0;
}

/* Bounds from above on the length of a row and of what its codes leave of it, from the sums of the squares of the codes
 * and, in 256ths of a step, of the rests. Each rest is rounded by at most half of a 256th, and a 512th of one where the
 * value is made, which for all of them adds at most sqrt(width) times that much. */
#define EC_SCREEN_ROUNDED (0.5f + 0x1p-9f)
EC_INLINE void ec_screen_lengths(int32_t squares, int32_t rests, int64_t width, float step, float *error,
                                 float *length) {
    const float rounded = EC_SCREEN_ROUNDED * sqrtf((float)width);
    *error = (sqrtf((float)rests) + rounded) * step / EC_SCREEN_FINE * EC_SCREEN_WIDER;
    *length = sqrtf((float)squares) * step * EC_SCREEN_WIDER + *error;
}

/* What is written of a row whose codes mean nothing. */
EC_INLINE void ec_screen_unfit(void *codes, int64_t width, float *step, float *error, float *length) {
    memset(codes, 0, (size_t)width);
    *step = -1;
    *error = *length = 0;
}

#endif
