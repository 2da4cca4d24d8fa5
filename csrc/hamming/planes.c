/* Sorts the dimensions of four queries into groups: see planes.h. */
#include "planes.h"

enum { PIECE_DIMENSIONS = 8 * EC_PIECE_BYTES };

/* Numbers of 16 bits that a piece of `width` bytes takes at most. Of a group only the last places of a part are filled
 * up, and there are as many parts as its largest group needs. */
static int64_t piece_numbers(int64_t width) {
    const int64_t most_parts = 8 * width / EC_MOST_OF_GROUP + 1;
    return EC_FOUR + 1 + 8 * width + most_parts * (EC_GROUPS + 3 * EC_GROUPS);
}

int64_t ec_planes_four_bytes(int64_t width) {
    return ec_round_up(2 * ec_n_pieces(width) * piece_numbers(ec_min_i64(width, EC_PIECE_BYTES)), 64);
}

/* The bits of a byte as bytes of 0 or 1, the lowest first. */
EC_INLINE uint64_t bits_of(uint8_t byte) {
    const uint64_t bits = byte * 0x0101010101010101u & 0x8040201008040201u;
    return (bits + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u;
}

/* The groups of the dimensions of a piece, in the order of the parts: twice the pattern, and 1 more for side 0. */
static void find_groups(const uint8_t *const four[EC_FOUR], int64_t width, uint8_t *groups, int64_t *counts) {
    memset(counts, 0, EC_GROUPS * sizeof *counts);
    for (int64_t i = 0; i < width; i++) {
        const uint8_t first = four[0][i];
        uint64_t eight = bits_of((uint8_t)~first);
        for (int q = 1; q < EC_FOUR; q++) eight |= bits_of(first ^ four[q][i]) << q;
        for (int b = 0; b < 8; b++) {
            groups[8 * i + b] = (uint8_t)(eight >> 8 * b);
            counts[groups[8 * i + b]]++;
        }
    }
}

/* Writes a piece's numbers and returns where they end. */
static uint16_t *put_piece(const uint8_t *const four[EC_FOUR], int64_t width, uint16_t *out) {
    uint8_t groups[PIECE_DIMENSIONS];
    uint16_t sorted[PIECE_DIMENSIONS], *next[EC_GROUPS];
    int64_t counts[EC_GROUPS], most = 0, start = 0;
    find_groups(four, width, groups, counts);
    for (int g = 0; g < EC_GROUPS; g++) {
        next[g] = sorted + start;
        start += counts[g];
        most = ec_max_i64(most, counts[g]);
    }
    for (int64_t d = 0; d < 8 * width; d++) *next[groups[d]]++ = (uint16_t)((d + 1) * EC_PLACES);
    for (int q = 0; q < EC_FOUR; q++) {
        int64_t ones = 0;
        for (int64_t j = 0; j < ec_words_u1(width); j++) ones += ec_count_ones_u64(ec_row_word(four[q], width, j));
        *out++ = (uint16_t)ones;
    }
    const int64_t n_parts = (most + EC_MOST_OF_GROUP - 1) / EC_MOST_OF_GROUP;
    *out++ = (uint16_t)n_parts;
    for (int64_t part = 0; part < n_parts; part++) {
        uint16_t *fours = out, *from = sorted;
        out += EC_GROUPS;
        for (int g = 0; g < EC_GROUPS; from += counts[g], g++) {
            const int64_t begin = counts[g] * part / n_parts, n = counts[g] * (part + 1) / n_parts - begin;
            fours[g] = (uint16_t)((n + 3) / 4);
            memcpy(out, from + begin, (size_t)n * sizeof *out);
            for (int64_t i = n; i < 4 * fours[g]; i++) out[i] = 0;
            out += 4 * fours[g];
        }
    }
    return out;
}

/* In a four of fewer queries the first stands for the others too. */
void ec_planes_prepare(const void *queries, int64_t n_queries, int64_t width, void *prepared) {
    const int64_t four_bytes = ec_planes_four_bytes(width);
    for (int64_t q = 0; q < n_queries; q += EC_FOUR) {
        uint16_t *out = (uint16_t *)((uint8_t *)prepared + q / EC_FOUR * four_bytes);
        for (int64_t at = 0, n; at < width; at += n) {
            const uint8_t *four[EC_FOUR];
            n = ec_piece_width(width, at);
            for (int64_t i = 0; i < EC_FOUR; i++)
                four[i] = (const uint8_t *)queries + (q + (q + i < n_queries ? i : 0)) * width + at;
            out = put_piece(four, n, out);
        }
    }
}
