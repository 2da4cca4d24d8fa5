/* Codes in principal directions, eight directions to a byte. */
#ifndef EC_PRINCIPAL_H
#define EC_PRINCIPAL_H

#include "../lowbit/lowbit.h"

/* How a chain of directions is coded: see contract/principal.h. */
struct ec_chain {
    int64_t count;               /* directions, whole groups */
    int64_t remembering;         /* those before this one have a memory */
    int64_t apart;               /* those from this one on are coded by themselves */
    const uint8_t *bits;         /* of groups */
    const float *tables, *steps; /* (16, 256), (16,) */
    const float *costs;          /* (count,) */
};

enum { EC_CHAIN_STATES = 16, EC_CHAIN_BITS = 4, EC_CHAIN_WORDS = 256, EC_CHAIN_KINDS = 16 };

/* A number of bits in a chain: how many are coarse, and its levels. */
typedef struct {
    int32_t coarse, fine;
    const float *table;
    float step, half; /* half of the fine levels */
} ec_link;

EC_INLINE ec_link ec_link_of(const ec_chain *chain, int64_t direction) {
    const int32_t bits = chain->bits[direction / 8];
    const int kind = bits - 1 + (direction < chain->remembering ? 0 : 8);
    ec_link link = {bits < EC_CHAIN_BITS ? bits : EC_CHAIN_BITS, 0, chain->tables + EC_CHAIN_WORDS * kind,
                    chain->steps[kind], 0.5f};
    link.fine = bits - link.coarse;
    link.half = 0.5f * (float)(1 << link.fine);
    return link;
}

/* The level of a word with a fine number. */
EC_INLINE float ec_link_level(const ec_link *link, int word, int number) {
    return link->fine ? link->table[word] + ((float)number + 0.5f - link->half) * link->step : link->table[word];
}

/* The number of the fine level that is nearest to what a coarse one leaves. */
EC_INLINE int32_t ec_link_fine(const ec_link *link, float left) {
    const float most = 2 * link->half - 1;
    float place = left * (1 / link->step) + link->half;
    place = place > 0 ? place : 0; /* NaN, too */
    return (int32_t)(place < most ? place : most);
}

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
