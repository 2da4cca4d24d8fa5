/* What avx2_ends.c and avx512_single.c know of two bytes side by side: whether the second may stand behind the first.
 *
 *     text         -  0  .  5  ,  7        allowed behind a digit: digits, '.', ',', 'e'
 *     before       ,  -  0  .  5  ,        behind ',':             digits, '-', white space
 *
 * What the pairs do not tell, the second passes check on the numbers that they have loaded anyway: that each begins where it
 * is thought to and, unless it is read alone, has its only point behind its first digits, and its only exponent at its
 * end. */
#ifndef EC_NUMBERS_PAIRS_H
#define EC_NUMBERS_PAIRS_H

#include "batch.h"

/* What a byte is; the sets of those bits that may not stand behind one. */
enum {
    DIGIT = 1,
    POINT = 2,
    MINUS = 4,
    COMMA = 8,
    SPACE = 16,
    PLUS = 32,
    EXPONENT = 64, /* 'e' and 'E', where these are looked for */
    OTHER = 128,
    BEHIND_DIGIT = MINUS | SPACE | PLUS | OTHER,
    BEHIND_SIGN = 255 - DIGIT, /* and behind a point */
    BEHIND_COMMA = POINT | COMMA | PLUS | EXPONENT | OTHER,
    BEHIND_EXPONENT = 255 - (DIGIT | MINUS | PLUS),
    BEHIND_OTHER = BEHIND_COMMA, /* as behind white space, and before a chunk; behind 'e' there may be a '+' */
    SAMPLE = 4                   /* blocks that tell how many numbers there are in one, and whether a chunk is dense */
};

/* How many bytes of a block, the last before `to`, are chosen from the place `from` of its chunk on: less than a block. */
EC_INLINE int32_t ec_count_between(uint64_t chosen, int64_t from, int64_t to) {
    return from < to ? (int32_t)ec_count_ones_u64(chosen >> (BLOCK - (to - from))) : 0;
}

#endif
