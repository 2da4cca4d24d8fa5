/* Bits, quantized codes, rotations and dots: arrays of numbers, where any bits are a value. */
#include "contract/testing.h"
#include "subjects.h"

/* A matrix of float32 from the input: its dimension from two bytes, its values from the bits of the rest. */
typedef struct {
    int64_t rows, dimension, count;
    const uint8_t *values;
} matrix;

static bool read_matrix(const uint8_t *input, int64_t n, matrix *m) {
    if (n < 3 + 4 || n > MOST_BYTES / 8) return false;
    m->count = (n - 3) / 4;
    m->dimension = (input[1] | input[2] << 8) % m->count + 1;
    m->rows = m->count / m->dimension;
    m->count = m->rows * m->dimension;
    m->values = place_copy(input + 3, m->count * 4);
    return true;
}

void subject_floats(const uint8_t *input, int64_t n) {
    matrix m;
    if (!read_matrix(input, n, &m)) return;
    int32_t payload = input[0] % (EC_PAYLOAD_E5M2 + 1);
    int64_t size = ec_payload_bytes(payload), codes = m.count * 4 / size;
    uint8_t *wide = place(codes * 4), *narrow = place(m.count * size);
    ec_floats_widen(m.values, codes, payload, wide);
    record(wide, codes * 4);
    ec_result result = ec_floats_narrow(m.values, m.count, payload, narrow);
    record_result(result);
    record(narrow, result.produced * size);
    HOLDS((result.status == EC_OK) == (result.produced == m.count));
}

/* Matrices of some rows are one range; for several see tests/test_threads.py. */
enum { THREADS = 2 };

void subject_bits(const uint8_t *input, int64_t n) {
    matrix m;
    if (!read_matrix(input, n, &m)) return;
    uint32_t flags = input[0] & 15;
    float threshold = input[0] & 16 ? 0.25f : 0.0f;
    int64_t bytes = m.rows * ((m.dimension + 7) / 8);
    uint8_t *packed = place(bytes), *bits = place(m.count), *signs = place(m.count * 4);
    ec_result result = ec_pack_bits_f32(m.values, m.rows, m.dimension, threshold, flags, packed, bytes, THREADS);
    record_result(result);
    if (result.status != EC_OK) return;
    record(packed, bytes);
    record_result(ec_unpack_bits_u8(packed, m.rows, m.dimension, flags, bits, m.count, THREADS));
    record(bits, m.count);
    record_result(ec_unpack_bits_f32(packed, m.rows, m.dimension, flags, signs, m.count, THREADS));
    record(signs, m.count * 4);
}

void subject_quantize(const uint8_t *input, int64_t n) {
    matrix m;
    if (!read_matrix(input, n, &m)) return;
    int32_t type = input[0] & 1 ? EC_INT8 : EC_UINT8;
    uint8_t *codes = place(m.count), *back = place(m.count * 4), *scales = place(m.rows * 4);
    uint8_t *low = place_copy(m.values, m.dimension * 4), *step = place(m.dimension * 4);
    uint8_t *reciprocal = input[0] & 2 ? place(m.dimension * 4) : NULL;
    for (int64_t i = 0; i < m.dimension; i++) {
        float value = 0.001f * (float)(i % 7 + 1) + 1e-6f * (float)input[i % n];
        memcpy(step + 4 * i, &value, 4);
        value = 1 / value;
        if (reciprocal) memcpy(reciprocal + 4 * i, &value, 4);
    }
    ec_result result = ec_check_finite_f32(m.values, m.count);
    record_result(result);
    bool finite = result.status == EC_OK;

    result = ec_quantize_unit_f32(m.values, m.rows, m.dimension, type, codes, THREADS);
    record_result(result);
    HOLDS((result.status == EC_OK) == finite);
    if (!finite) return;
    record(codes, m.count);
    record_result(ec_dequantize_unit_f32(codes, m.rows, m.dimension, type, back, THREADS));
    record(back, m.count * 4);

    record_result(ec_quantize_per_vector_f32(m.values, m.rows, m.dimension, type, 1, scales, codes, THREADS));
    record(scales, m.rows * 4);
    record(codes, m.count);
    record_result(ec_dequantize_per_vector_f32(codes, m.rows, m.dimension, type, scales, back, THREADS));
    record(back, m.count * 4);

    record_result(ec_quantize_ranges_f32(m.values, m.rows, m.dimension, type, low, step, reciprocal, codes, THREADS));
    record(codes, m.count);
    record_result(ec_dequantize_ranges_f32(codes, m.rows, m.dimension, type, low, step, back, THREADS));
    record(back, m.count * 4);
    /* And next to whole numbers of steps, where the last bit of a quotient decides. */
    memset(low, 0, (size_t)m.dimension * 4);
    for (int64_t i = 0; i < m.count; i++) {
        float value;
        memcpy(&value, step + 4 * (i % m.dimension), 4);
        value *= (float)(1 + (i * 37 + input[1]) % 256);
        uint32_t bits;
        memcpy(&bits, &value, 4);
        bits += (uint32_t)(i / 3 % 5) - 2;
        memcpy(back + 4 * i, &bits, 4);
    }
    record_result(ec_quantize_ranges_f32(back, m.rows, m.dimension, type, low, step, reciprocal, codes, THREADS));
    record(codes, m.count);
}

void subject_crc32(const uint8_t *input, int64_t n) {
    if (n < 4) return;
    uint32_t before;
    memcpy(&before, input, 4);
    const int64_t half = (n - 4) / 3;
    const uint32_t whole = ec_crc32(before, input + 4, n - 4);
    record(&whole, 4);
    HOLDS(ec_crc32(ec_crc32(before, input + 4, half), input + 4 + half, n - 4 - half) == whole);
}

void subject_hadamard(const uint8_t *input, int64_t n) {
    matrix m;
    if (!read_matrix(input, n, &m)) return;
    int32_t rounds = 1 + input[0] % 3, inverse = input[0] >> 2 & 1;
    uint8_t *values = place_copy(m.values, m.count * 4), *factors = place(rounds * m.dimension * 4);
    for (int64_t i = 0; i < rounds * m.dimension; i++) {
        float factor = (i * 7 ^ i >> 3) & 4 ? 0.3f : -0.3f;
        memcpy(factors + 4 * i, &factor, 4);
    }
    const ec_array all = {factors, rounds * m.dimension}, fewer = {factors, rounds * m.dimension - 1};
    HOLDS(ec_rotate_f32(values, m.count, m.rows, m.dimension, fewer, rounds, inverse).status == EC_BAD_ARGUMENT);
    HOLDS(ec_rotate_f32(values, m.count - 1, m.rows, m.dimension, all, rounds, inverse).status == EC_BAD_ARGUMENT);
    record_result(ec_rotate_f32(values, m.count, m.rows, m.dimension, all, rounds, inverse));
    record_floats(values, m.count);
}

/* Whether no value is so small or so large that its sign could be lost by scaling. */
static bool moderate(const uint8_t *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, values + 4 * i, 4);
        value = value < 0 ? -value : value;
        if (value != 0 && !(value > 1e-9f && value < 1e9f)) return false;
    }
    return true;
}

/* An array that is one element short, or a number that has grown, is seen before anything is read or written. */
static void shorten_one(ec_lowbit_scheme scheme, int64_t rows, ec_lowbit_rows to, int which) {
    const int64_t dimension = scheme.dimension, blocks = (dimension + 63) / 64, directions = scheme.directions;
    switch (which) {
    case 0: scheme.levels.count--; break;
    case 1: scheme.thresholds.count--; break;
    case 2: scheme.patterns.count--; break;
    case 3: scheme.dimension = INT64_MAX; break;
    case 4: rows = INT64_MAX; break;
    case 5: scheme.bits = 5; break;
    case 6: to.values_count--; break;
    case 7: to.packed_bytes--; break;
    case 8: to.scratch_bytes--; break;
    case 9: to.capacity--; break;
    default:
        if (scheme.center.items)
            scheme.center.count = dimension - 1;
        else if (scheme.factors.items)
            scheme.factors.count = scheme.rounds * dimension - 1;
        else if (scheme.panels.items && which == 10)
            scheme.panels.count = 64 * blocks * (scheme.dense ? dimension : 64) - 1;
        else if (scheme.shapes && which == 12)
            scheme.shaping.count = scheme.shapes * dimension - 1;
        else if (scheme.shapes && which == 13)
            scheme.gradients.count = 64 * blocks * scheme.shapes - 1;
        else if (scheme.shapes && which == 14)
            scheme.couplings.count = 64 * 64 * blocks - 1;
        else if (scheme.shapes && which == 15)
            scheme.curvatures.count = 64 * blocks - 1;
        else if (scheme.shared && which == 16)
            scheme.gains.count = directions - 1;
        else if (directions && which == 11)
            scheme.along.count = directions * dimension - 1;
        else if (directions)
            scheme.weights.count = directions - 1;
        else
            return;
    }
    HOLDS(ec_lowbit_encode_f32(&scheme, rows, &to, 2).status == EC_BAD_ARGUMENT);
}

/* Codes of the same rows in principal directions, whose bits fall from what the input says, each by itself or chained. */
static void record_principal(const matrix *m, int first_bits, ec_array weights, int chained) {
    const int64_t groups = (m->dimension + 7) / 8;
    ec_principal_scheme scheme = {.dimension = m->dimension, .groups = groups, .panels = weights};
    float levels[30], thresholds[26], steps[4] = {0.19f, 0.1f, 0.06f, 0.03f}, values[510];
    uint8_t patterns[30], *bits = place(groups), *variances = place(32 * groups);
    for (int b = 1, l = 0, t = 0; b <= 4; b++)
        for (int i = 0; i < 1 << b; i++, l++) {
            levels[l] = 0.4f * (float)(2 * i - (1 << b) + 1);
            patterns[l] = (uint8_t)i;
            if (i) thresholds[t++] = (levels[l - 1] + levels[l]) / 2;
        }
    for (int i = 0; i < 510; i++) values[i] = (float)(i % 7) - 3;
    for (int64_t g = 0; g < groups; g++) bits[g] = (uint8_t)(g < first_bits ? first_bits - g : 1);
    const float half = 0.5f;
    for (int64_t i = 0; i < 8 * groups; i++) memcpy(variances + 4 * i, &half, 4);
    scheme.bits = (ec_array){bits, groups};
    scheme.variances = (ec_array){variances, 8 * groups};
    scheme.levels = (ec_array){levels, 30};
    scheme.patterns = (ec_array){patterns, 30};
    scheme.thresholds = (ec_array){thresholds, 26};
    scheme.steps = (ec_array){steps, 4};
    static float chains[16 * 256], chain_steps[16];
    for (int i = 0; i < 16 * 256; i++) chains[i] = (float)(i * 37 % 101 - 50) / 20;
    for (int i = 0; i < 16; i++) chain_steps[i] = 0.05f;
    if (chained) {
        scheme.chains = (ec_array){chains, 16 * 256};
        scheme.chain_steps = (ec_array){chain_steps, 16};
        scheme.costs = (ec_array){variances, 8 * groups};
    }
    const int64_t bytes = m->rows * ec_principal_row_bytes(&scheme);
    ec_lowbit_rows to = {.values = m->values, .values_count = m->count, .packed_bytes = bytes, .capacity = m->rows};
    to.scratch_bytes = ec_principal_scratch_bytes(&scheme, m->rows);
    if (to.scratch_bytes > MOST_BYTES || bytes > MOST_BYTES) return;
    uint8_t *planes = place(bytes), *scales = place(4 * m->rows), *lengths = place(4 * m->rows);
    double *squares = (double *)(void *)place(8 * m->rows);
    to.scratch = place(to.scratch_bytes);
    to.packed = planes;
    to.scales = scales;
    to.lengths = lengths;
    to.squares = squares;
    ec_lowbit_rows less = to;
    less.packed_bytes--;
    HOLDS(ec_principal_encode_f32(&scheme, m->rows, &less, 2).status == EC_BAD_ARGUMENT);
    const ec_result result = ec_principal_encode_f32(&scheme, m->rows, &to, 2);
    record_result(result);
    if (result.status != EC_OK) return;
    record(planes, bytes);
    record_floats(scales, m->rows);
    record_floats(lengths, m->rows);
    const ec_array by_pattern = {values, 510}, short_of_one = {planes, bytes - 1}, packed = {planes, bytes};
    HOLDS(ec_principal_squares(&scheme, by_pattern, short_of_one, m->rows, squares, m->rows).status == EC_BAD_ARGUMENT);
    HOLDS(ec_principal_squares(&scheme, by_pattern, packed, m->rows, squares, m->rows).status == EC_OK);
    record((const uint8_t *)squares, 8 * m->rows);
    bits[0] = 9;
    HOLDS(ec_principal_row_bytes(&scheme) == -1);
}

void subject_lowbit(const uint8_t *input, int64_t n) {
    matrix m;
    if (!read_matrix(input, n, &m)) return;
    int32_t bits = 1 << input[0] % 3, n_levels = 1 << bits, map = input[0] / 3 % 6;
    float levels[16], thresholds[15];
    uint8_t patterns[16];
    for (int i = 0; i < n_levels; i++) {
        levels[i] = 0.4f * (float)(2 * i - n_levels + 1);
        patterns[i] = (uint8_t)i;
        if (i) thresholds[i - 1] = (levels[i - 1] + levels[i]) / 2;
    }
    ec_lowbit_scheme scheme = {0};
    scheme.dimension = m.dimension;
    scheme.bits = bits;
    scheme.levels = (ec_array){levels, n_levels};
    scheme.thresholds = (ec_array){thresholds, n_levels - 1};
    scheme.patterns = (ec_array){patterns, n_levels};
    int64_t blocks = (m.dimension + 63) / 64, bytes = m.rows * ((m.dimension + 7) / 8);
    int64_t directions = input[0] & 64 ? 128 : 64, longer = m.dimension > directions ? m.dimension : directions;
    int64_t n_weights = blocks * 64 * longer;
    int64_t most_scratch = ec_lowbit_scratch_bytes(&scheme, m.rows) + 8 * directions * m.rows;
    if (4 * n_weights > MOST_BYTES || most_scratch > MOST_BYTES) return;
    uint8_t *weights = place(4 * n_weights); /* for all that a map takes; exact, between -1 and 1 */
    for (int64_t i = 0; i < n_weights; i++) {
        float weight = (float)((i * 37 ^ i >> 4) % 65 - 32) / 32;
        memcpy(weights + 4 * i, &weight, 4);
    }
    const ec_array whole = {weights, n_weights};
    if (map == 1) scheme.center = whole;
    if (map == 2) {
        scheme.rounds = 2;
        scheme.factors = whole;
    }
    if (map >= 3) scheme.panels = whole;
    scheme.dense = map == 3;
    if (map == 5) {
        scheme.directions = directions;
        scheme.along = scheme.turned = scheme.added = scheme.weights = whole;
    }
    if (input[0] & 128) {
        scheme.shared = map == 5 && directions == 128;
        scheme.shapes = scheme.shared ? directions : 64;
        if (scheme.shared) scheme.gains = whole;
        scheme.shaping = scheme.gradients = scheme.couplings = scheme.curvatures = whole;
        scheme.rest = 0.5f;
    }
    if (m.rows) record_principal(&m, 1 + input[0] % 8, whole, input[0] >> 3 & 1);
    ec_lowbit_rows to = {0};
    to.values = m.values;
    to.values_count = m.count;
    to.scratch_bytes = ec_lowbit_scratch_bytes(&scheme, m.rows);
    to.packed_bytes = bits * bytes;
    to.capacity = m.rows;
    uint8_t *planes = place(bits * bytes), *scales = place(m.rows * 4), *lengths = place(m.rows * 4);
    to.scratch = place(to.scratch_bytes);
    to.packed = planes;
    to.scales = scales;
    to.lengths = lengths;
    to.squares = place(m.rows * 8);
    shorten_one(scheme, m.rows, to, input[0] % 17);
    ec_result result = ec_lowbit_encode_f32(&scheme, m.rows, &to, 2);
    record_result(result);
    if (result.status != EC_OK) {
        HOLDS(result.consumed == ec_check_finite_f32(m.values, m.count).consumed);
        return;
    }
    record_result(ec_check_finite_f32(m.values, m.count));
    record(planes, bits * bytes);
    record_floats(scales, m.rows);
    record_floats(lengths, m.rows);
    if (bits == 1 && map == 0 && !scheme.shapes && moderate(m.values, m.count)) { /* a plane of signs */
        uint8_t *signs = place(bytes);
        HOLDS(ec_pack_bits_f32(m.values, m.rows, m.dimension, 0.0f, 0, signs, bytes, THREADS).status == EC_OK);
        HOLDS(memcmp(planes, signs, (size_t)bytes) == 0);
    }
}

/* Small integers, so that sums of floats are exact in any order. */
static uint8_t *place_floats(const uint8_t *bytes, int64_t count) {
    uint8_t *values = place(count * 4);
    for (int64_t i = 0; i < count; i++) {
        float value = (float)(int8_t)bytes[i];
        memcpy(values + 4 * i, &value, 4);
    }
    return values;
}

static void *aligned(uint8_t *scratch) { return scratch + (64 - (uintptr_t)scratch % 64) % 64; }

void subject_dot(const uint8_t *input, int64_t n) {
    if (n < 4 || n > 1 << 14) return;
    int64_t count = n - 3, dimension = (input[1] | input[2] << 8) % count + 1, vectors = count / dimension;
    int64_t queries = vectors == 1 ? 1 : 1 + input[0] % 8 % (vectors - 1), rows = vectors == 1 ? 1 : vectors - queries;
    int32_t flip = input[0] & 8 ? 0x80 : 0;
    bool floats = input[0] & 16;
    const uint8_t *q = input + 3, *r = input + 3 + (vectors == 1 ? 0 : queries * dimension);
    int64_t scratch =
        floats ? ec_dot_f32_panel_bytes(EC_DOT_BLOCK, dimension) : ec_dot_i8_panel_bytes(EC_DOT_BLOCK, dimension);
    int64_t prepared =
        floats ? ec_dot_f32_prepared_bytes(queries, dimension) : ec_dot_i8_prepared_bytes(queries, dimension);
    if (scratch + 64 > MOST_BYTES || prepared + 64 > MOST_BYTES) return;
    const uint8_t *left = floats ? place_floats(q, queries * dimension) : place_copy(q, queries * dimension);
    const uint8_t *right = floats ? place_floats(r, rows * dimension) : place_copy(r, rows * dimension);
    void *panel = aligned(place(scratch + 64)), *ready = aligned(place(prepared + 64));
    uint8_t *scores = place(queries * rows * 4), *sums = place(rows * 8);
    if (floats) {
        HOLDS(ec_dot_f32(left, queries, right, dimension * 4, rows, dimension, ready, panel, scores) == 1);
        record(scores, queries * rows * 4);
        HOLDS(ec_dot_f32_rows(left, right, dimension * 4, rows, dimension, scores) == 1);
        record(scores, rows * 4);
        HOLDS(ec_sumsq_f32(right, dimension * 4, rows, dimension, sums) == 1);
        record(sums, rows * 8);
    } else {
        HOLDS(ec_dot_i8(left, queries, right, dimension, rows, dimension, flip, ready, panel, scores) == 1);
        record(scores, queries * rows * 4);
        HOLDS(ec_dot_i8_rows(left, right, dimension, rows, dimension, flip, scores) == 1);
        record(scores, rows * 4);
        HOLDS(ec_sum_i8(right, dimension, rows, dimension, flip, sums) == 1);
        record(sums, rows * 4);
        HOLDS(ec_sumsq_i8(right, dimension, rows, dimension, flip, sums) == 1);
        record(sums, rows * 4);
    }
}
