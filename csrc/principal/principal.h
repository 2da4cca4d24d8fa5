/* Codes in principal directions, eight directions to a byte. */
#ifndef EC_PRINCIPAL_H
#define EC_PRINCIPAL_H

#include "../lowbit/lowbit.h"

enum { EC_GROUP = 8, EC_MOST_BITS = 8, EC_SEARCHED_BITS = 4 /* more are rounded to equal steps */ };

/* Exchanges rows and columns of an 8 x 8 matrix of bits, a byte a row, its first row and column highest:
 *
 *     a0 a1 ...      a0 b0 ...
 *     b0 b1 ...  ->  a1 b1 ... */
EC_INLINE uint64_t ec_transpose_bits_u64(uint64_t x) {
    uint64_t swapped = (x ^ x >> 7) & 0x00aa00aa00aa00aau;
    x ^= swapped ^ swapped << 7;
    swapped = (x ^ x >> 14) & 0x0000cccc0000ccccu;
    x ^= swapped ^ swapped << 14;
    swapped = (x ^ x >> 28) & 0x00000000f0f0f0f0u;
    return x ^ swapped ^ swapped << 28;
}

#endif
