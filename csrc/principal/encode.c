/* The public functions of the family, which code rows of floats to bits of principal directions, a block of rows at a
 * time:
 *
 *     rows --(- center)--> centred --(panels)--> along the directions --(levels)--> planes, and the levels themselves */
#include "../chain/chain.h"
#include "../pool/pool.h"
#include "principal.h"

enum {
    BLOCK_FLOATS = 1 << 16, /* of the centred rows, or of their values along the directions */
    MOST_ROWS = 192,
    GAP = 16, /* so that rows of a power of two bytes do not meet in the same cache sets */
    LEVELS = 30,
    THRESHOLDS = 26,
    STEPS = 4,
    CHAIN_BYTES = EC_CHAIN_ROWS * (4 * EC_CHAIN_STATES + 1), /* of a direction: costs of states, and numbers */
    VALUES = 510,
};

#define MOST_DIMENSIONS ((int64_t)1 << 40) /* below this no size overflows */

/* The arrays of a block, one after the other; strides in bytes. */
typedef struct {
    int64_t rows, stride, along_stride;
    char *centred, *along, *copies, *weighted, *planes, *squares, *numbers, *kept;
} block_arrays;

/* The levels of 1 to 4 bits, where the planes of a row begin, and what chains take. */
typedef struct {
    ec_levels levels[EC_SEARCHED_BITS + 1];
    int64_t begins[EC_MOST_BITS];
    ec_chain chain;
    ec_words words[EC_CHAIN_KINDS];
} tables;

static int64_t n_panels(int64_t groups) { return (groups * EC_GROUP + EC_PANEL - 1) / EC_PANEL; }

/* Whether the arrays have as many elements as the numbers beside them say, and bits are 1 .. 8 and never rise. */
static int32_t is_whole(const ec_principal_scheme *scheme) {
    const int64_t dimension = scheme->dimension, groups = scheme->groups;
    if (dimension < 1 || dimension > MOST_DIMENSIONS || groups < 1 || groups > MOST_DIMENSIONS) return 0;
    if (!scheme->bits.items || !ec_holds(scheme->bits.count, groups, 1, 1)) return 0;
    if (!scheme->variances.items || !ec_holds(scheme->variances.count, EC_GROUP, groups, 1)) return 0;
    const uint8_t *bits = scheme->bits.items;
    for (int64_t g = 0, most = EC_MOST_BITS; g < groups; most = bits[g++])
        if (bits[g] < 1 || bits[g] > most) return 0;
    return 1;
}

/* Whether directions are coded in a chain, and have what that takes. */
static int32_t is_chained(const ec_principal_scheme *scheme) { return scheme->chains.items != NULL; }

static int32_t has_chain(const ec_principal_scheme *scheme) {
    return scheme->chain_steps.items && scheme->chains.count >= EC_CHAIN_KINDS * EC_CHAIN_WORDS &&
           scheme->chain_steps.count >= EC_CHAIN_KINDS && scheme->costs.items &&
           ec_holds(scheme->costs.count, EC_GROUP, scheme->groups, 1);
}

static ec_chain chain_of(const ec_principal_scheme *scheme) {
    ec_chain chain = {.count = EC_GROUP * scheme->groups,
                      .bits = scheme->bits.items,
                      .tables = scheme->chains.items,
                      .steps = scheme->chain_steps.items,
                      .costs = scheme->costs.items};
    int32_t before = 0; /* bits */
    for (chain.remembering = chain.count; chain.remembering > 0 && before < EC_CHAIN_BITS; chain.remembering--)
        before += chain.bits[(chain.remembering - 1) / EC_GROUP];
    int64_t several = scheme->groups; /* groups of several bits */
    while (several > 0 && chain.bits[several - 1] == 1) several--;
    chain.apart = ec_min_i64(EC_GROUP * several + (several ? EC_CHAIN_BITS : 0), chain.count);
    return chain;
}

static int32_t can_code(const ec_principal_scheme *scheme) {
    return is_whole(scheme) && scheme->panels.items && scheme->levels.items && scheme->patterns.items &&
           scheme->thresholds.items && scheme->steps.items &&
           ec_holds(scheme->panels.count, n_panels(scheme->groups), scheme->dimension, EC_PANEL) &&
           (!scheme->center.items || ec_holds(scheme->center.count, scheme->dimension, 1, 1)) &&
           (!is_chained(scheme) || has_chain(scheme)) && scheme->levels.count >= LEVELS &&
           scheme->patterns.count >= LEVELS && scheme->thresholds.count >= THRESHOLDS && scheme->steps.count >= STEPS;
}

int64_t ec_principal_row_bytes(const ec_principal_scheme *scheme) {
    if (!is_whole(scheme)) return -1;
    int64_t bytes = 0;
    for (int64_t g = 0; g < scheme->groups; g++) bytes += ((const uint8_t *)scheme->bits.items)[g];
    return bytes;
}

static block_arrays lay_out(const ec_principal_scheme *scheme, int64_t rows) {
    block_arrays block = {0};
    block.stride = 4 * (scheme->dimension + GAP);
    block.along_stride = 4 * (EC_PANEL * n_panels(scheme->groups) + GAP);
    const int64_t longest = block.stride > block.along_stride ? block.stride : block.along_stride;
    const int64_t fitting = 4 * BLOCK_FLOATS / longest;
    block.rows = ec_min_i64(ec_min_i64(fitting < 6 ? 6 : fitting, MOST_ROWS), rows);
    return block;
}

/* Of rows of `count` values along directions. */
static void place(block_arrays *block, int64_t count, char *scratch) {
    block->squares = scratch; /* double: of the centred rows */
    block->centred = block->squares + 8 * block->rows;
    block->along = block->centred + block->rows * block->stride;
    block->copies = block->along + block->rows * block->along_stride; /* of rows that are coded at a time */
    block->weighted = block->copies + EC_CHAIN_ROWS * block->along_stride;
    block->planes = block->weighted + block->along_stride; /* of one number of bits, before they go to their places */
    block->kept = block->planes;                           /* in a chain, and numbers behind it */
    block->numbers = block->kept + 4 * EC_CHAIN_ROWS * EC_CHAIN_STATES * count;
}

int64_t ec_principal_scratch_bytes(const ec_principal_scheme *scheme, int64_t rows) {
    if (rows < 0 || !is_whole(scheme)) return -1;
    const block_arrays block = lay_out(scheme, rows);
    const int64_t bytes = block.rows * (8 + block.stride + block.along_stride) +
                          (EC_CHAIN_ROWS + 1) * block.along_stride +
                          (is_chained(scheme) ? CHAIN_BYTES * EC_GROUP : EC_MOST_BITS) * scheme->groups;
    return (bytes + 63) / 64 * 64; /* so that what follows is aligned as this is */
}

static void fill_tables(const ec_principal_scheme *scheme, tables *to) {
    const uint8_t *bits = scheme->bits.items;
    int64_t begin = 0, groups = scheme->groups;
    if (is_chained(scheme)) to->chain = chain_of(scheme);
    for (int p = 0; p < EC_MOST_BITS; p++) {
        while (groups > 0 && bits[groups - 1] <= p) groups--;
        to->begins[p] = begin;
        begin += groups;
    }
    if (!scheme->levels.items) return;
    const float *levels = scheme->levels.items, *edges = scheme->thresholds.items;
    const uint8_t *patterns = scheme->patterns.items;
    for (int32_t b = 1; b <= EC_SEARCHED_BITS; b++) {
        ec_levels *one = &to->levels[b];
        memset(one, 0, sizeof *one);
        one->bits = b;
        one->n_levels = 1 << b;
        memcpy(one->levels, levels, (size_t)one->n_levels * 4);
        memcpy(one->edges, edges, (size_t)(one->n_levels - 1) * 4);
        memcpy(one->patterns, patterns, (size_t)one->n_levels);
        levels += one->n_levels;
        edges += one->n_levels - 1;
        patterns += one->n_levels;
    }
}

/* Codes one row in place, group after group of the same number of bits. */
static void code_row(const ec_principal_scheme *scheme, const tables *by, char *values, float factor, uint8_t *planes,
                     uint8_t *packed) {
    const uint8_t *bits = scheme->bits.items;
    for (int64_t g = 0, end; g < scheme->groups; g = end) {
        const int32_t b = bits[g];
        for (end = g; end < scheme->groups && bits[end] == b; end++) {
        }
        char *first = values + 4 * EC_GROUP * g;
        if (b <= EC_SEARCHED_BITS)
            ec_active.lowbit_code_f32(&by->levels[b], first, EC_GROUP * (end - g), factor, planes, end - g);
        else
            ec_active.principal_steps_f32((float *)(void *)first, EC_GROUP * (end - g), factor, b,
                                          ((const float *)scheme->steps.items)[b - EC_SEARCHED_BITS - 1], planes,
                                          end - g);
        for (int32_t p = 0; p < b; p++) memcpy(packed + by->begins[p] + g, planes + p * (end - g), (size_t)(end - g));
    }
}

/* The same of some rows whose directions are in a chain. The first plane has the first, highest bits of their numbers. */
static void code_chains(const ec_principal_scheme *scheme, const tables *by, const block_arrays *block, float *values,
                        const float *factors, int64_t n, uint8_t *packed, int64_t row_bytes) {
    const uint8_t *bits = scheme->bits.items;
    uint8_t *numbers = (uint8_t *)block->numbers;
    ec_active.chain_code_f32(&by->chain, factors, values, block->along_stride / 4, n, numbers,
                             (float *)(void *)block->kept);
    for (int64_t r = 0; r < n; r++, packed += row_bytes)
        for (int64_t g = 0; g < scheme->groups; g++, numbers += EC_GROUP) {
            uint64_t rows = 0;
            for (int i = 0; i < EC_GROUP; i++) rows = rows << 8 | numbers[i];
            const uint64_t planes = ec_transpose_bits_u64(rows);
            for (int32_t p = 0; p < bits[g]; p++)
                packed[by->begins[p] + g] = (uint8_t)(planes >> 8 * (bits[g] - 1 - p));
        }
}

/* Codes n <= EC_CHAIN_ROWS rows of a block from row r on, and computes their cosines with what the codes stand for. */
static void code_rows(const ec_principal_scheme *scheme, const tables *by, const block_arrays *block, int64_t r,
                      int64_t n, uint8_t *packed, int64_t row_bytes, char *cosines, char *lengths) {
    const int64_t count = EC_GROUP * scheme->groups, stride = block->along_stride;
    const double *squares = (const double *)(const void *)block->squares;
    char *along = block->along + r * stride;
    float factors[EC_CHAIN_ROWS];
    memcpy(block->copies, along, (size_t)(n * stride));
    for (int64_t i = 0; i < n; i++) factors[i] = squares[r + i] > 0 ? (float)(1 / sqrt(squares[r + i])) : 0;
    if (is_chained(scheme))
        code_chains(scheme, by, block, (float *)(void *)along, factors, n, packed + r * row_bytes, row_bytes);
    else
        for (int64_t i = 0; i < n; i++)
            code_row(scheme, by, along + i * stride, factors[i], (uint8_t *)block->planes,
                     packed + (r + i) * row_bytes);
    for (int64_t i = 0; i < n; i++) {
        const double length = sqrt(squares[r + i]);
        float *levels = (float *)(void *)(along + i * stride), *weighted = (float *)(void *)block->weighted;
        ec_active.principal_weigh_f32(levels, scheme->variances.items, count, weighted);
        const double dot = ec_active.weigh_f32(block->copies + i * stride, count, weighted);
        const double square = ec_active.weigh_f32(levels, count, weighted);
        ec_store_f32_at(cosines, r + i, (float)(length > 0 && square > 0 ? dot / (length * sqrt(square)) : 0));
        ec_store_f32_at(lengths, r + i, (float)length);
    }
}

/* Codes the n rows of a block. */
static void encode_block(const ec_principal_scheme *scheme, const tables *by, const block_arrays *block, int64_t n,
                         uint8_t *packed, int64_t row_bytes, char *cosines, char *lengths) {
    ec_active.sumsq_f32(block->centred, block->stride, n, scheme->dimension, (double *)(void *)block->squares);
    for (int64_t p = 0; p < n_panels(scheme->groups); p++)
        ec_active.lowbit_panel_f32(block->centred, block->stride, n, scheme->dimension,
                                   (const char *)scheme->panels.items + 4 * EC_PANEL * p * scheme->dimension,
                                   ec_min_i64(EC_PANEL, EC_GROUP * scheme->groups - EC_PANEL * p),
                                   block->along + 4 * EC_PANEL * p, block->along_stride, 0);
    for (int64_t r = 0; r < n; r += EC_CHAIN_ROWS)
        code_rows(scheme, by, block, r, ec_min_i64(EC_CHAIN_ROWS, n - r), packed, row_bytes, cosines, lengths);
}

typedef struct {
    const ec_principal_scheme *scheme;
    const ec_lowbit_rows *to;
    block_arrays block; /* without a place */
    tables by;
    int64_t bytes, row_bytes; /* of a thread's scratch, and of planes */
} encoding;

static ec_result encode_rows(const void *of, int32_t thread, int64_t begin, int64_t n) {
    const encoding *all = of;
    const ec_principal_scheme *scheme = all->scheme;
    const ec_lowbit_rows *to = all->to;
    block_arrays block = all->block;
    place(&block, EC_GROUP * scheme->groups, (char *)to->scratch + thread * all->bytes);
    const ec_result result =
        ec_take_rows(to, begin, n, scheme->dimension, scheme->center.items, block.centred, block.stride);
    if (result.status != EC_OK) return result;
    encode_block(scheme, &all->by, &block, n, (uint8_t *)to->packed + begin * all->row_bytes, all->row_bytes,
                 (char *)to->scales + 4 * begin, (char *)to->lengths + 4 * begin);
    return result;
}

ec_result ec_principal_encode_f32(const ec_principal_scheme *scheme, int64_t rows, const ec_lowbit_rows *to,
                                  int32_t threads) {
    ec_result result = {0, 0, EC_OK};
    const int64_t dimension = scheme->dimension, bytes = ec_principal_scratch_bytes(scheme, rows);
    const int64_t row_bytes = ec_principal_row_bytes(scheme);
    if (bytes < 0 || bytes > to->scratch_bytes || !can_code(scheme) ||
        !ec_holds(to->values_count, rows, dimension, 1) || rows > to->capacity ||
        !ec_holds(to->packed_bytes, rows, row_bytes, 1))
        result.status = EC_BAD_ARGUMENT;
    if (result.status != EC_OK || rows == 0) return result;
    encoding all = {.scheme = scheme, .to = to, .block = lay_out(scheme, rows), .bytes = bytes, .row_bytes = row_bytes};
    fill_tables(scheme, &all.by);
    if (is_chained(scheme)) {
        ec_chain_fill(&all.by.chain, all.by.words);
        all.by.chain.words = all.by.words;
    }
    threads = (int32_t)ec_min_i64(threads, to->scratch_bytes / bytes);
    result = ec_pool_steps(threads, rows, all.block.rows, encode_rows, &all);
    if (result.status != EC_OK) return result;
    result.consumed = 4 * rows * dimension;
    result.produced = rows;
    return result;
}

/* The squared lengths of what a row of planes stands for, summed for each place in groups. */
static void add_squares(const ec_principal_scheme *scheme, const tables *by, const float *levels, const uint8_t *row,
                        double sums[EC_GROUP]) {
    const uint8_t *bits = scheme->bits.items;
    const float *variances = scheme->variances.items;
    for (int64_t g = 0; g < scheme->groups; g++) {
        const float *of_pattern = levels + (1 << bits[g]) - 2;
        uint64_t planes = 0;
        for (int p = 0; p < bits[g]; p++) planes |= (uint64_t)row[by->begins[p] + g] << 8 * p;
        uint64_t patterns = ec_transpose_bits_u64(planes); /* the first direction's in the highest byte */
        for (int i = 0; i < EC_GROUP; i++, patterns <<= 8) {
            const double level = of_pattern[patterns >> 56];
            sums[i] += level * level * variances[EC_GROUP * g + i];
        }
    }
}

/* The squared levels of words of each kind in a chain, exact, where all bits are coarse. */
typedef struct {
    double of_words[EC_CHAIN_KINDS][EC_CHAIN_WORDS];
} level_squares;

static void fill_squares(const ec_principal_scheme *scheme, level_squares *squares) {
    const float *levels = scheme->chains.items;
    for (int kind = 0; kind < EC_CHAIN_KINDS; kind++)
        for (int word = 0; word < EC_CHAIN_WORDS; word++, levels++)
            squares->of_words[kind][word] = (double)*levels * *levels;
}

/* Adds the squares of a group of so many bits, whose `numbers` have the last direction's in the lowest byte; returns the
 * state behind it. */
EC_INLINE uint32_t add_group(const int bits, const ec_chain *chain, const level_squares *squares, int64_t group,
                             uint64_t numbers, uint32_t state, const float *variances, double sums[EC_GROUP]) {
    const int coarse = bits < EC_CHAIN_BITS ? bits : EC_CHAIN_BITS, fine = bits - coarse;
    const double *remembering = squares->of_words[bits - 1];
    const double *others = squares->of_words[bits - 1 + EC_CHAIN_KINDS / 2];
#pragma GCC unroll 8
    for (int i = EC_GROUP - 1; i >= 0; i--, numbers >>= 8) {
        const int64_t direction = EC_GROUP * group + i;
        const uint32_t number = numbers & 0xff, word = state << coarse | number >> fine;
        double square;
        if (fine) {
            const ec_link link = ec_link_of(chain, direction);
            const double level = ec_link_level(&link, (int)word, (int)(number & ((1u << fine) - 1)));
            square = level * level;
        } else {
            square = (direction < chain->remembering ? remembering : others)[word];
        }
        sums[i] += square * variances[direction];
        state = word % EC_CHAIN_STATES;
    }
    return state;
}

/* The same of directions in a chain. */
static void add_squares_of_chain(const ec_principal_scheme *scheme, const tables *by, const level_squares *squares,
                                 const uint8_t *row, double sums[EC_GROUP]) {
    const ec_chain *chain = &by->chain;
    const float *variances = scheme->variances.items;
    uint32_t state = 0;
    for (int64_t g = scheme->groups - 1; g >= 0; g--) {
        uint64_t planes = 0;
        for (int p = 0; p < chain->bits[g]; p++) planes = planes << 8 | row[by->begins[p] + g];
        const uint64_t numbers = ec_transpose_bits_u64(planes);
        switch (chain->bits[g]) {
        case 1: state = add_group(1, chain, squares, g, numbers, state, variances, sums); break;
        case 2: state = add_group(2, chain, squares, g, numbers, state, variances, sums); break;
        case 3: state = add_group(3, chain, squares, g, numbers, state, variances, sums); break;
        case 4: state = add_group(4, chain, squares, g, numbers, state, variances, sums); break;
        case 5: state = add_group(5, chain, squares, g, numbers, state, variances, sums); break;
        case 6: state = add_group(6, chain, squares, g, numbers, state, variances, sums); break;
        case 7: state = add_group(7, chain, squares, g, numbers, state, variances, sums); break;
        default: state = add_group(8, chain, squares, g, numbers, state, variances, sums); break;
        }
    }
}

ec_result ec_principal_squares(const ec_principal_scheme *scheme, ec_array values, ec_array packed, int64_t rows,
                               void *squares, int64_t capacity) {
    ec_result result = {0, 0, EC_OK};
    const int64_t row_bytes = ec_principal_row_bytes(scheme);
    if (row_bytes < 0 || rows < 0 || values.count < VALUES || !ec_holds(packed.count, rows, row_bytes, 1) ||
        rows > capacity || (is_chained(scheme) && !has_chain(scheme)))
        result.status = EC_BAD_ARGUMENT;
    if (result.status != EC_OK) return result;
    const uint8_t *row = packed.items;
    tables by;
    level_squares of_chain;
    fill_tables(scheme, &by);
    if (is_chained(scheme)) fill_squares(scheme, &of_chain);
    for (int64_t r = 0; r < rows; r++, row += row_bytes) {
        double sums[EC_GROUP] = {0};
        if (is_chained(scheme))
            add_squares_of_chain(scheme, &by, &of_chain, row, sums);
        else
            add_squares(scheme, &by, values.items, row, sums);
        for (int i = 4; i > 0; i /= 2)
            for (int j = 0; j < i; j++) sums[j] += sums[i + j];
        ((double *)squares)[r] = sums[0];
    }
    result.produced = rows;
    return result;
}
