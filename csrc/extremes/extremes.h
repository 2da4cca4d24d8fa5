/* The least and the greatest value of each dimension: what calibration asks of a sample first. */
#ifndef EC_EXTREMES_H
#define EC_EXTREMES_H

#include "../bits/bits.h"
#include "../contract/extremes.h"
#include "../dot/dot.h"

/* Lowers low[d] and raises high[d] to what rows have. Returns the bits of the largest magnitude; they are ordered as
 * magnitudes are, with Infinity and NaN above all. NaN itself changes no end. */
EC_INLINE uint32_t ec_loop_extremes(const void *rows, int64_t n_rows, int64_t dimension, float *EC_RESTRICT low,
                                    float *EC_RESTRICT high) {
    enum { AT_ONCE = 4 }; /* rows, so that the ends are loaded and stored more seldom */
    uint32_t largest = 0;
    for (int64_t r = 0; r < n_rows; r += AT_ONCE) {
        const char *row[AT_ONCE];
        for (int64_t i = 0; i < AT_ONCE; i++)
            row[i] = (const char *)rows + 4 * dimension * (r + i < n_rows ? r + i : n_rows - 1);
        for (int64_t d = 0; d < dimension; d++) {
            float least = low[d], most = high[d];
            for (int i = 0; i < AT_ONCE; i++) {
                const float value = ec_load_f32_at(row[i], d);
                uint32_t bits;
                memcpy(&bits, &value, 4);
                bits &= 0x7fffffffu;
                largest = bits > largest ? bits : largest;
                least = value < least ? value : least;
                most = value > most ? value : most;
            }
            low[d] = least;
            high[d] = most;
        }
    }
    return largest;
}

#endif
