/* Single numbers of a chunk of which AVX2 has noted the ends: converted one by itself, and counted, for the second passes. */
#ifndef EC_NUMBERS_AVX2_ALONE_H
#define EC_NUMBERS_AVX2_ALONE_H

#include "avx2.h"
#include "plain.h"

#if defined(EC_X86_64)

EC_TARGET_AVX2

EC_INLINE int32_t ec_first_of(const uint8_t *chunk, const ec_number_index *index, int32_t i) {
    int32_t start = (i > 0 ? index->end[i - 1] : index->before) + index->gap;
    return start + (chunk[start] < '.');
}

/* Whether the number whose first digit is here begins behind a comma or white space, as the first of a chunk always does. Where
 * the gap before it is narrower than that of the others, what is taken for its first digit lies inside it: the 9 of 5e+9. */
EC_INLINE int ec_begins_number(const uint8_t *chunk, int32_t i, int64_t first) {
    const uint8_t *start = chunk + first - (chunk[first - 1] == '-');
    return i == 0 || start[-1] == ',' || ec_is_space(start[-1]);
}

static EC_NOINLINE int ec_alone_avx2(const uint8_t *chunk, const ec_number_index *index, int32_t i, float *out) {
    const int64_t first = ec_first_of(chunk, index, i), start = first - (chunk[first - 1] == '-'), end = index->end[i];
    if (!ec_begins_number(chunk, i, first)) return 0;
    if (first >= end) return 0; /* and from behind the end on less may be read than of a number */
    uint32_t bits = 0;
    if (ec_plain_read(chunk + start, &bits) != end - start) return ec_number_alone(chunk, first, end, out + i);
    memcpy(out + i, &bits, 4);
    return 1;
}

/* Whether a number has a point behind its first digit, or behind more of them. */
EC_INLINE int ec_has_point(const uint8_t *chunk, const ec_number_index *index, int32_t i) {
    const int32_t first = ec_first_of(chunk, index, i);
    if (index->end[i] - first < 2 || (chunk[first + 1] != '.' && !ec_is_digit(chunk[first + 1]))) return 0;
    return memchr(chunk + first, '.', (size_t)(index->end[i] - first)) != NULL;
}

/* Counts the numbers from i on that have points. Returns -1 where one does not begin where it is thought to, or with
 * a zero that may not be there. */
EC_INLINE int32_t ec_count_points(const uint8_t *chunk, const ec_number_index *index, int32_t i) {
    int32_t points = 0;
    for (; i < index->count; i++) {
        const int32_t first = ec_first_of(chunk, index, i), length = index->end[i] - first;
        if (length < 1 || !ec_begins_number(chunk, i, first) || !ec_is_digit(chunk[first])) return -1;
        if (length > 1 && chunk[first] == '0' && ec_is_digit(chunk[first + 1])) return -1;
        points += ec_has_point(chunk, index, i);
    }
    return points;
}

EC_TARGET_END

#endif
#endif
