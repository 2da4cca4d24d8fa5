/* How the vector tiers read arrays of numbers: in chunks that begin with an element. For floats one pass finds where
 * the numbers of the chunk are, and a second one converts them in batches; a number that a batch does not take (with an
 * exponent, of more than 32 digits, or perhaps halfway between two floats) is converted alone. Where the text is not
 * plain, scalar reads a few elements, to get past that or to name the error. */
#ifndef EC_NUMBERS_BATCH_H
#define EC_NUMBERS_BATCH_H

#include "grammar.h"

enum {
    BLOCK = 64,
    CHUNK = 4096,       /* positions in a chunk fit 13 bits */
    COPIED_CHUNK = 512, /* bytes, of text around which nothing may be read */
    MARGIN = 64,        /* bytes before a chunk that may be read */
    BEHIND = 32,        /* and behind it */
    ELEMENTS = CHUNK / 2 + BLOCK,
    SCALAR_ELEMENTS = 16,
    MOST_UNFIT = 16, /* chunks that the first passes are not tried on, where those before were unfit for them */
    COPY_BYTES = MARGIN + COPIED_CHUNK + BLOCK + BEHIND
};

/* What numbers have in common that differ in their digits and signs alone: AVX2 alone looks for that. */
typedef struct {
    int32_t step; /* bytes from a first digit to where the next number begins, of which `gap` from the comma on; or 0 */
    int32_t gap, before; /* and bytes before the first number of a chunk */
    int32_t digits;      /* behind the point; 0 where there is none */
    int32_t from_e;      /* bytes from a first digit to 'e', or 0 */
    int32_t wait;        /* chunks of which it is not asked, since one had another form than its first numbers */
} ec_number_form;

/* Where the numbers of a chunk are, as offsets in the chunk. */
typedef struct {
    uint16_t first[ELEMENTS]; /* on AVX-512 twice the offset, and 1 more behind a '-' */
    uint16_t point[ELEMENTS];
    uint16_t end[ELEMENTS];
    uint16_t alone[ELEMENTS];   /* the numbers that have exponents, unless the chunk is dense */
    int16_t exponent[ELEMENTS]; /* where it is */
    int32_t count, alone_count;
    int32_t sound; /* whether the whole chunk is plain */
    /* where only the ends are noted, a number begins `gap` behind the one before it, the first behind `before` */
    int32_t gap, before;
    /* whether some have more digits before their points than one, and all seem to be integers of three at most; AVX2 alone
     * looks for that */
    int32_t wide, small;
    /* whether many of them have exponents, which the second pass notes, `point` then being where digits end */
    int32_t dense;
    int32_t alike;     /* bytes of an exponent, with its 'e', where all seem to have as many; AVX2 alone looks */
    int32_t exponents; /* where it is, as many as it has to find at their ends */
    int32_t points;    /* in all of them, as many as it has to find behind first digits */
    ec_number_form form;
    int64_t length, room; /* of the chunk, and for numbers */
} ec_number_index;

/* Notes the numbers with exponents in a block; `ends` is the number of ends before the block. */
EC_INLINE void ec_index_exponents(ec_number_index *index, uint64_t exponents, uint64_t end, int32_t ends) {
    for (; exponents != 0; exponents &= exponents - 1) {
        uint64_t below = (exponents & (0 - exponents)) - 1;
        uint16_t number = (uint16_t)(ends + ec_count_ones_u64(end & below));
        if (index->alone_count == 0 || index->alone[index->alone_count - 1] != number)
            index->alone[index->alone_count++] = number;
    }
}

/* Converts one number by itself, from its first digit to its end. Returns 0 where scalar must decide. */
EC_INLINE int ec_number_alone(const uint8_t *chunk, int64_t first, int64_t end, float *out) {
    ec_decimal decimal;
    int64_t start = first - (chunk[first - 1] == '-'), next;
    if (ec_decimal_read(chunk, end + 1, start, &decimal, &next) != EC_OK || next != end) return 0;
    float value;
    if (!ec_decimal_to_float(&decimal, chunk + start, end - start, &value)) return 0;
    memcpy(out, &value, 4);
    return 1;
}

/* Converts number i of a chunk by itself, in the form that the index of a tier has. Returns 0 where scalar must decide. */
typedef int ec_alone_at(const uint8_t *chunk, const ec_number_index *index, int32_t i, float *out);

/* Converts the numbers i + b for the bits b of a mask. Returns the first of them that scalar must decide, else count. */
EC_INLINE int32_t ec_numbers_in_doubt(ec_alone_at *alone_at, const uint8_t *chunk, const ec_number_index *index,
                                      int32_t i, uint32_t mask, int32_t count, float *out) {
    for (; EC_UNLIKELY(mask != 0); mask &= mask - 1) {
        const int32_t number = i + ec_trailing_zeros_u64(mask);
        if (!alone_at(chunk, index, number, out)) return number;
    }
    return count;
}

/* The same of those before `count` that have exponents. */
EC_INLINE int32_t ec_numbers_with_exponents(ec_alone_at *alone_at, const uint8_t *chunk, const ec_number_index *index,
                                            int32_t count, float *out) {
    for (int32_t i = 0; i < index->alone_count && index->alone[i] < count; i++)
        if (!alone_at(chunk, index, index->alone[i], out)) return index->alone[i];
    return count;
}

/* Turns the bracket at the end of a copy, which it is known to be, into a comma right behind the last number, so that the
 * end of the list is like any other place: white space goes behind it. */
EC_INLINE void ec_bracket_to_comma(uint8_t *copy, int64_t length) {
    int64_t last = length - 1;
    while (last > 0 && ec_is_space(copy[last - 1])) copy[last--] = ' ';
    copy[last] = ',';
}

/* Opens a chunk of the text from `at` on: whole blocks, of at most `longest` bytes, with MARGIN bytes before it and
 * BEHIND bytes after it that may be read. It is the text itself where that is long enough, else a copy, filled up with
 * spaces. In a copy the text's last bracket is a comma, so that the last number is like the others:
 *
 *     text      [ 1 , 2 2 ]
 *     copy        1 , 2 2 , . . .
 *
 * If text follows the array, its bracket comes earlier, which is a byte that is not plain. */
EC_INLINE const uint8_t *ec_chunk_open(const uint8_t *text, int64_t n, int64_t at, int64_t longest,
                                       uint8_t copy[COPY_BYTES], int64_t *length) {
    int64_t left = n - at;
    if (at >= MARGIN && left >= BLOCK + BEHIND) {
        *length = (left - BEHIND < longest ? left - BEHIND : longest) & -BLOCK;
        return text + at;
    }
    size_t filled = (size_t)(left < COPIED_CHUNK ? left : COPIED_CHUNK);
    *length = (int64_t)(filled + BLOCK - 1) & -BLOCK;
    memset(copy, 0, MARGIN);
    memcpy(copy + MARGIN, text + at, filled);
    memset(copy + MARGIN + filled, ' ', BLOCK + BEHIND);
    if (left > 0 && left <= COPIED_CHUNK && text[n - 1] == ']') ec_bracket_to_comma(copy + MARGIN, (int64_t)filled);
    return copy + MARGIN;
}

/* Whether all has been read up to the last bracket: behind a comma that only the copy had. */
EC_INLINE int ec_chunk_is_last(const uint8_t *text, int64_t n, int64_t at) {
    return text[at - 1] != ',' && text[n - 1] == ']';
}

/* Two passes over a chunk. `index` notes where its numbers are, or returns 0 where they are not of the form that the
 * passes are for. `convert` returns how many numbers it has converted, and writes at most index->count; -1 where it is
 * only here seen that they are not of the form, and what is written means nothing. */
typedef struct {
    int (*index)(const uint8_t *chunk, int64_t length, ec_number_index *index);
    int32_t (*convert)(const uint8_t *chunk, ec_number_index *index, float *out);
} ec_float_passes;

/* The passes that take any form, on a chunk. */
EC_INLINE int32_t ec_floats_convert_any(const uint8_t *chunk, int64_t length, ec_number_index *index, float *out,
                                        int64_t room, ec_float_passes any) {
    any.index(chunk, length, index);
    if (index->count > room) {
        index->count = (int32_t)room;
        index->sound = 0;
    }
    return index->count > 0 ? any.convert(chunk, index, out) : 0;
}

/* Reads an array of floats: each chunk by the first passes where they take it, else by the others, which take any. */
EC_INLINE ec_result ec_floats_parse_chunks(const uint8_t *text, int64_t n, float *out, int64_t capacity, int32_t flags,
                                           ec_float_passes first, ec_float_passes any) {
    uint8_t copy[COPY_BYTES];
    ec_number_index index;
    index.wide = index.small = index.dense = index.alike = 0; /* what a tier does not look for holds of no chunk */
    index.form.step = index.form.wait = 0;
    int64_t at = 1, produced = 0, length;
    int unfit = 0, next_unfit = 1; /* chunks that the first passes are not tried on; and behind the next unfit one */
    for (;;) {
        const uint8_t *chunk = ec_chunk_open(text, n, at, CHUNK, copy, &length);
        int32_t done = -1;
        index.room = capacity - produced;
        if (unfit > 0)
            unfit--;
        else if (first.index(chunk, length, &index) && index.count <= index.room) {
            done = first.convert(chunk, &index, out + produced);
            unfit = done < 0 ? next_unfit : 0;
            next_unfit = done >= 0 ? 1 : next_unfit < MOST_UNFIT ? 2 * next_unfit + 1 : MOST_UNFIT;
        }
        if (done < 0) done = ec_floats_convert_any(chunk, length, &index, out + produced, index.room, any);
        if (done > 0) at += index.end[done - 1] + 1;
        produced += done;
        if (done > 0 && ec_chunk_is_last(text, n, at)) return ec_number_result(EC_OK, n, produced);
        if (done > 0 && done == index.count && index.sound) continue;

        ec_result result = ec_floats_parse_from(text, n, at, out, capacity, produced, flags, SCALAR_ELEMENTS);
        if (result.status != EC_OK || text[result.consumed - 1] == ']') return result;
        at = result.consumed;
        produced = result.produced;
    }
}

/* Reads integers from a chunk in one pass:
 *
 *     uint64_t evaluate(const uint8_t *block, uint64_t negative, int32_t type, uint8_t *values)
 *         writes for every byte of a block the value of the up to three digits before it, negated where `negative` is
 *         set; returns the bytes before which there are more digits, or whose value the type does not hold
 *     void pack(const uint8_t *values, uint64_t chosen, int64_t count, uint8_t *out)
 *         writes the `count` chosen ones of 64 values */
EC_INLINE int64_t ec_integers_read(const uint8_t *chunk, int64_t length, uint8_t *out, int64_t room, int32_t type,
                                   int64_t *consumed, ec_number_classes (*classify)(const uint8_t *),
                                   uint64_t (*evaluate)(const uint8_t *, uint64_t, int32_t, uint8_t *),
                                   void (*pack)(const uint8_t *, uint64_t, int64_t, uint8_t *)) {
    ec_number_carry carry = {0, 0, 0, 0, 0};
    uint64_t negative_carry = 0, bad = 0;
    int64_t at = 0, ended = 0, written = 0;
    for (; at < length && bad == 0; at += BLOCK) {
        const uint8_t *block = chunk + at;
        ec_number_classes classes = classify(block);
        ec_number_marks marks = ec_number_mark(&classes, &carry);
        /* Adding the first digit of a negative number to its digits carries to the byte behind them. */
        uint64_t sum = classes.digits + marks.negative, carried = sum + negative_carry;
        uint64_t negative = carried & ~classes.digits;
        negative_carry = (uint64_t)(sum < classes.digits) | (uint64_t)(carried < sum);

        uint8_t values[BLOCK];
        uint64_t wrong = evaluate(block, negative, type, values);
        bad = marks.bad | classes.exponents | (marks.fraction & ~classes.zeros) | (wrong & marks.point);
        uint64_t end = marks.end, point = marks.point;
        if (EC_UNLIKELY(bad != 0)) {
            uint64_t sound = (bad & (0 - bad)) - 1;
            end &= sound;
            point &= sound;
        }
        int64_t count = ec_count_ones_u64(point);
        if (EC_UNLIKELY(count > room - written)) break; /* scalar finds the number that has no room */
        pack(values, point, count, out + written);
        written += count;
        ended += ec_count_ones_u64(end);
        if (bad != 0) {
            if (end != 0) {
                *consumed = at + 64 - ec_leading_zeros_u64(end);
                return ended;
            }
            break;
        }
    }
    /* Numbers whose commas were not reached are read again, so go back to the last comma. */
    while (at > 0 && chunk[at - 1] != ',') at--;
    *consumed = at;
    return ended;
}

/* Reads an array of integers, from an element on of which `produced` are before it, with the pass of a tier:
 *
 *     int64_t read(const uint8_t *chunk, int64_t length, uint8_t *out, int64_t room, int32_t type, int64_t *consumed)
 *
 * returns how many numbers it has written, at most `room`, with *consumed behind the comma of the last one. It stops at
 * the first block that is not plain. */
EC_INLINE ec_result ec_integers_parse_chunks(const uint8_t *text, int64_t n, int64_t at, uint8_t *out, int64_t capacity,
                                             int64_t produced, int32_t type,
                                             int64_t (*read)(const uint8_t *, int64_t, uint8_t *, int64_t, int32_t,
                                                             int64_t *)) {
    uint8_t copy[COPY_BYTES];
    int64_t length;
    for (;;) {
        const uint8_t *chunk = ec_chunk_open(text, n, at, INT64_MAX, copy, &length);
        int64_t consumed = 0;
        produced += read(chunk, length, out + produced, capacity - produced, type, &consumed);
        at += consumed;
        if (consumed > 0 && ec_chunk_is_last(text, n, at)) return ec_number_result(EC_OK, n, produced);
        if (consumed > 0 && consumed + BLOCK > length) continue; /* all of the chunk was plain */

        ec_result result = ec_integers_parse_from(text, n, at, out, capacity, produced, type, SCALAR_ELEMENTS);
        if (result.status != EC_OK || text[result.consumed - 1] == ']') return result;
        at = result.consumed;
        produced = result.produced;
    }
}

#endif
