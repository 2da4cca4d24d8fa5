/* Shared by the tiers that round rows of floats to codes, and by screening (search/screening.c), which uses the
 * codes. */
#ifndef EC_SCREEN_H
#define EC_SCREEN_H

#include "../dot/dot.h"

/* Rows are screened if their largest magnitude lies between these. Sums of 2^16 squares of at most 1e20 each stay below
 * 1e25. Half a step of the smallest rows is 4e-13, and its square, 1.6e-25, a normal float. Both are far from the ends
 * of float32, 3e38 and 1e-38. */
#define EC_SCREEN_LEAST 1e-10f
#define EC_SCREEN_MOST 1e10f

/* Lengths times this are bounds from above. A sum of 2^16 squares in 16 parts takes 2^12 roundings of at most 2^-24, so
 * that it may fall short by 2^-12 of itself, and its root by 2^-13. The rest of 2^-9 is for the rounding of what is
 * squared, and for compilers that sum in another order. */
#define EC_SCREEN_WIDER (1 + 0x1p-9f)

/* Codes of rows, and of queries that are met by all of dot_i8_tile. */
enum { EC_SCREEN_LEVELS = 127 };

/* The step of a row whose largest magnitude has these bits and the code `levels`, and the inverse of the step: both 0 for a row of zeros.
 * Returns 0 where the row cannot be screened. */
EC_INLINE int ec_screen_step(int32_t largest_bits, int32_t levels, float *step, float *inverse) {
    float largest;
    memcpy(&largest, &largest_bits, 4);
    const int fits = largest >= EC_SCREEN_LEAST && largest <= EC_SCREEN_MOST;
    *step = fits ? largest / (float)levels : 0;
    *inverse = fits ? (float)levels / largest : 0;
    return fits || largest == 0;
}

#endif
