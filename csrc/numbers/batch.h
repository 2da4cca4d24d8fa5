/* How the vector tiers read an array of floats: in chunks, each begun at the start of an element. One pass finds where
 * the chunk's numbers lie, a second converts them in batches; what a batch does not take (exponents, more than 32 digits,
 * a value that may lie halfway between two floats) is converted alone. Where the text is not plain, scalar reads a few
 * elements, to go past it or to name the error. */
#ifndef EC_NUMBERS_BATCH_H
#define EC_NUMBERS_BATCH_H

#include "grammar.h"

enum {
    BLOCK = 64,
    CHUNK = 4096,       /* positions in a chunk fit in 13 bits */
    COPIED_CHUNK = 512, /* of text whose surroundings must not be read */
    MARGIN = 64,        /* bytes before a chunk that may be read */
    ELEMENTS = CHUNK / 2 + BLOCK,
    SCALAR_ELEMENTS = 16
};

/* Where the numbers of a chunk are. */
typedef struct {
    uint16_t first[ELEMENTS]; /* twice the position of the first digit, 1 more behind a '-' */
    uint16_t point[ELEMENTS];
    uint16_t end[ELEMENTS];
    uint16_t alone[ELEMENTS]; /* numbers with exponents */
    int32_t count, alone_count;
    int32_t sound; /* the whole chunk is plain */
} ec_number_index;

/* Notes the numbers with exponents in a block; `ends` of the chunk's numbers lie before it. */
EC_INLINE void ec_index_exponents(ec_number_index *index, uint64_t exponents, uint64_t end, int32_t ends) {
    for (; exponents != 0; exponents &= exponents - 1) {
        uint64_t below = (exponents & (0 - exponents)) - 1;
        uint16_t number = (uint16_t)(ends + ec_count_ones_u64(end & below));
        if (index->alone_count == 0 || index->alone[index->alone_count - 1] != number)
            index->alone[index->alone_count++] = number;
    }
}

/* Converts number i of the chunk on its own. 0 where scalar must have its say. */
EC_INLINE int ec_number_alone(const uint8_t *chunk, const ec_number_index *index, int32_t i, float *out) {
    ec_decimal decimal;
    int64_t start = (index->first[i] >> 1) - (index->first[i] & 1), next;
    int64_t end = index->end[i];
    if (ec_decimal_read(chunk, end + 1, start, &decimal, &next) != EC_OK || next != end) return 0;
    float value;
    if (!ec_decimal_to_float(&decimal, chunk + start, end - start, &value)) return 0;
    memcpy(out + i, &value, 4);
    return 1;
}

/* Reads an array with a tier's two passes:
 *     void index_chunk(const uint8_t *chunk, int32_t length, ec_number_index *index)    length: a multiple of 64
 *     int32_t convert(const uint8_t *chunk, ec_number_index *index, float *out)  numbers done, in order; writes no more
 *                                                                               than index->count floats */
EC_INLINE ec_result ec_floats_parse_chunks(const uint8_t *text, int64_t n, float *out, int64_t capacity, int32_t flags,
                                           void (*index_chunk)(const uint8_t *, int32_t, ec_number_index *),
                                           int32_t (*convert)(const uint8_t *, ec_number_index *, float *)) {
    uint8_t copy[MARGIN + COPIED_CHUNK + BLOCK];
    ec_number_index index;
    int64_t at = 1, produced = 0;
    memset(copy, 0, MARGIN);
    for (;;) {
        int64_t left = n - at;
        const uint8_t *chunk = text + at;
        int32_t length;
        if (at >= MARGIN && left >= BLOCK) {
            length = (int32_t)(left < CHUNK ? left : CHUNK) & -BLOCK;
        } else {
            int32_t filled = (int32_t)(left < COPIED_CHUNK ? left : COPIED_CHUNK);
            length = (filled + BLOCK - 1) & -BLOCK;
            memcpy(copy + MARGIN, chunk, (size_t)filled);
            memset(copy + MARGIN + filled, 0, BLOCK);
            chunk = copy + MARGIN;
        }
        index_chunk(chunk, length, &index);
        if (index.count > capacity - produced) {
            index.count = (int32_t)(capacity - produced);
            index.sound = 0;
        }
        int32_t done = index.count > 0 ? convert(chunk, &index, out + produced) : 0;
        if (done > 0) at += index.end[done - 1] + 1;
        produced += done;
        if (done > 0 && done == index.count && index.sound) continue;

        ec_result result = ec_floats_parse_from(text, n, at, out, capacity, produced, flags, SCALAR_ELEMENTS);
        if (result.status != EC_OK || text[result.consumed - 1] == ']') return result;
        at = result.consumed;
        produced = result.produced;
    }
}

#endif
