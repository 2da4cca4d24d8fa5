/* Shared by the tiers that round rows of floats to codes for screening, and by what screens with them:
 * search/screening.h. */
#ifndef EC_SCREEN_H
#define EC_SCREEN_H

#include "../dot/dot.h"

/* Largest magnitudes of rows that are screened. Sums of 2^16 squares of 1e10 are below 1e25, and half a step of rows of
 * 1e-10, whose square is 1e-25, is still told: both are far from the ends of float32, 3e38 and 1e-38. */
#define EC_SCREEN_LEAST 1e-10f
#define EC_SCREEN_MOST 1e10f

/* Lengths from above. A sum of 2^16 squares in 16 parts has 2^12 roundings of 2^-24 and some: it may fall short by 2^-12, a
 * length by half of that; the rest of 2^-9 is for what is squared, and for compilers that sum in another order. */
#define EC_SCREEN_WIDER (1 + 0x1p-9f)

/* The step of a row whose largest magnitude has these bits, and its inverse; 0 for one that does not fit. */
EC_INLINE int ec_screen_step(int32_t largest_bits, float *step, float *inverse) {
    float largest;
    memcpy(&largest, &largest_bits, 4);
    const int fits = largest >= EC_SCREEN_LEAST && largest <= EC_SCREEN_MOST;
    *step = fits ? largest / 127 : 0;
    *inverse = fits ? 127 / largest : 0;
    return fits || largest == 0;
}

#endif
