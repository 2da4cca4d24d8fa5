/* Guesses which codes bytes are. The values of embeddings lie about 0 and have either sign, so the mean distance of the
 * bytes to 0x00, around the circle of 256, tells the codes:
 *
 *     int8     0x00 0x01 .. and 0xff 0xfe ..    near: 3 of 128 at 1,024 dimensions and unit scale, 32 for a full range
 *     uint8    0x80 0x81 .. and 0x7f 0x7e ..    far, by as much
 *     bits     evenly spread                    64 in the mean, as are codes of evenly spread values: nothing in one
 *                                               row tells these from bits
 *
 * For a verdict the mean must be eight standard deviations from that of evenly spread bytes (one such chance in 10^14),
 * and other reasons for it must be ruled out: rows that are alike, values at the ends of their range, values of one
 * sign, and bits that are mostly set, or mostly not. */
#include "floats.h"

enum {
    MOST_ROWS = 8,
    PIECES = 8,  /* of a row, spread over it */
    PIECE = 128, /* bytes */
    MOST_ROW = PIECES * PIECE,
    MOST_DISTANCE = 38, /* mean distance to the centre: of a normal distribution cut at 2.7 standard deviations */
    WIDE = 16,     /* mean distance from which on codes are wide; at the unit scale it is less from 48 dimensions on */
    LEAST = 64,    /* least number of bytes to judge by */
    MANY = 512,    /* bytes that can tell wide codes from values at the ends of a range */
    DEVIATION = 37 /* standard deviation of the distance of evenly spread bytes */
};

/* ---- a sample, and counts of it ---- */

/* Whether a row is one byte again and again, which tells nothing. */
static int is_constant(const uint8_t *row, int64_t n) { return memcmp(row, row + 1, (size_t)(n - 1)) == 0; }

/* Fills `sample`, which has room for MOST_ROWS * MOST_ROW bytes; returns the number of bytes in it. */
static int64_t take_sample(const uint8_t *matrix, int64_t rows, int64_t row_bytes, uint8_t *sample) {
    const int64_t every = (rows + MOST_ROWS - 1) / MOST_ROWS, pieces = row_bytes > MOST_ROW ? PIECES : 1;
    const int64_t length = pieces > 1 ? PIECE : row_bytes, stride = (row_bytes - length) / (PIECES - 1);
    int64_t n = 0;
    for (int64_t r = 0; r < rows && row_bytes; r += every) {
        const uint8_t *row = matrix + r * row_bytes;
        if (is_constant(row, row_bytes)) continue;
        for (int64_t k = 0; k < pieces; k++, n += length) memcpy(sample + n, row + k * stride, (size_t)length);
    }
    return n;
}

/* The sum of the distances of bytes to 0x00 around the circle. */
static int64_t distance_of(const uint8_t *bytes, int64_t n) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += bytes[i] < 128 ? bytes[i] : 256u - bytes[i];
    return sum;
}

typedef struct {
    int64_t count, distance;
    int64_t high, low, second, unequal; /* with bit 7 set, bit 0 set, bit 1 set, just one of bits 0 and 1 set */
    int64_t of[256];                    /* the number of each byte */
} byte_spread;

static byte_spread spread_of(const uint8_t *bytes, int64_t n) {
    byte_spread spread = {n, distance_of(bytes, n), 0, 0, 0, 0, {0}};
    for (int64_t i = 0; i < n; i++) spread.of[bytes[i]]++;
    for (int64_t byte = 0; byte < 256; byte++) {
        const int64_t count = spread.of[byte];
        spread.high += byte & 0x80 ? count : 0;
        spread.low += byte & 1 ? count : 0;
        spread.second += byte & 2 ? count : 0;
        spread.unequal += (byte ^ byte >> 1) & 1 ? count : 0;
    }
    return spread;
}

/* The number of bytes at most `most` away from a centre. */
static int64_t within(const byte_spread *spread, int centre, int most) {
    int64_t sum = 0;
    for (int way = -most; way <= most; way++) sum += spread->of[(centre + way) & 0xff];
    return sum;
}

/* Whether `part` of the whole, and the rest of it, are at least that many percent. */
static int is_part(int64_t part, int64_t least_percent, int64_t whole) {
    return part * 100 >= whole * least_percent && (whole - part) * 100 >= whole * least_percent;
}

/* Whether the mean distance to a centre is less than evenly spread bytes have by chance. */
static int is_near(int64_t n, int64_t distance, int64_t row_bytes) {
    const int64_t nearer = 64 * n - distance;
    if (n < LEAST || nearer <= 0 || distance > MOST_DISTANCE * n || (distance > WIDE * n && n < MANY)) return 0;
    if (nearer * nearer < 64 * DEVIATION * DEVIATION * n) return 0;
    /* If all rows were the same: still five and a half standard deviations. */
    return nearer * nearer / n * row_bytes >= 30 * DEVIATION * DEVIATION * n;
}

/* Whether bytes that are near a centre are codes about it, and not values at the ends of another range. Those make a
 * peak at the centre, or beside it, and a tail that does not become thinner. */
static int is_about(const byte_spread *spread, int centre, int64_t distance) {
    const int64_t n = spread->count, mean = distance / n, window = mean < WIDE ? 1 : mean / 8;
    const int64_t peak = within(spread, centre, (int)window), bulk = within(spread, centre, (int)mean);
    const int64_t few = within(spread, centre, 95), farthest = n - few, far = few - within(spread, centre, 63);
    /* of a normal distribution .5 in three values times the mean distance, of Laplace's one and a half */
    if (peak * 4 > 3 * n || peak * distance * 12 > 7 * (2 * window + 1) * n * n) return 0;
    /* within the mean distance these have .58 and .63, within half of it .31 and .39 */
    if ((mean > 1 && bulk * 4 > 3 * n) || (mean > 3 && within(spread, centre, (int)mean / 2) * 100 > 48 * n)) return 0;
    if (farthest * 2 > far + n / 64 + 2 || !is_part(spread->high, 20, n)) return 0;
    for (int half = 4; half <= 32; half *= 2) {
        const int64_t inner = within(spread, centre, half - 1), outer = within(spread, centre, 2 * half - 1) - inner;
        const int64_t more = 4 * outer - 5 * inner; /* by more than two standard deviations */
        if (more > 0 && more * more > 100 * (inner + outer)) return 0;
    }
    return 1;
}

/* Whether the two lowest bits of bytes are set as often as not, and independently of each other. Those of codes are;
 * those of bits are only where dimensions have either sign equally often. */
static int has_fair_low_bits(const byte_spread *spread, int64_t least_percent) {
    return is_part(spread->low, least_percent, spread->count) &&
           is_part(spread->second, least_percent, spread->count) &&
           is_part(spread->unequal, least_percent, spread->count);
}

/* ---- bits among rows ---- */

enum { BIT_ROWS = 32, BIT_COLUMNS = 128, LEAST_BIT_ROWS = 8, LEAST_BIT_COLUMNS = 16 };

/* Whether a row is not almost a copy of one before it. */
static int is_new(const uint8_t *const *before, int64_t count, const uint8_t *row, int64_t n) {
    for (int64_t k = 0; k < count; k++) {
        uint32_t equal = 0;
        for (int64_t i = 0; i < n; i++) equal += row[i] == before[k][i];
        if (equal * 8 > n) return 0;
    }
    return 1;
}

/* Whether the lowest bits of evenly spread bytes lean to one side, each column to its own. Those of bits do, because
 * the dimensions of a model lean; the lowest bits of codes that are so wide are fair in every column. */
static int has_columns_of_bits(const uint8_t *matrix, int64_t rows, int64_t row_bytes) {
    const int64_t n = row_bytes < BIT_COLUMNS ? row_bytes : BIT_COLUMNS;
    const int64_t step = (rows + BIT_ROWS - 1) / BIT_ROWS;
    const uint8_t *sample[BIT_ROWS];
    uint8_t set[2][BIT_COLUMNS];
    int64_t count = 0, leaning = 0;
    if (rows < LEAST_BIT_ROWS || n < LEAST_BIT_COLUMNS) return 0;
    memset(set, 0, sizeof set);
    for (int64_t r = 0; r < rows; r += step) {
        const uint8_t *row = matrix + r * row_bytes;
        if (!is_new(sample, count, row, n)) continue;
        sample[count++] = row;
        for (int64_t i = 0; i < n; i++) {
            set[0][i] = (uint8_t)(set[0][i] + (row[i] & 1));
            set[1][i] = (uint8_t)(set[1][i] + (row[i] >> 1 & 1));
        }
    }
    if (count < LEAST_BIT_ROWS) return 0;
    for (int64_t i = 0; i < 2 * n; i++) {
        const int64_t more = 2 * set[i / n][i % n] - count;
        leaning += more * more;
    }
    /* of fair bits the mean square is `count`; ten standard deviations of the sum of 2 n squares */
    leaning -= 2 * n * count;
    return leaning > 0 && leaning * leaning >= 100 * count * count * 4 * n;
}

/* ---- the verdict ---- */

int32_t ec_codes_nearest(const uint8_t *bytes, int64_t n) {
    const int64_t most = 45,
                  distance = distance_of(bytes, n); /* between that of full codes and of evenly spread bytes */
    if (distance <= most * n) return EC_PAYLOAD_INT8;
    return 128 * n - distance <= most * n ? EC_PAYLOAD_UINT8 : EC_PAYLOAD_BITS;
}

int32_t ec_codes_guess(const uint8_t *matrix, int64_t rows, int64_t row_bytes, int32_t asked) {
    uint8_t bytes[MOST_ROWS * MOST_ROW];
    const int64_t n = take_sample(matrix, rows, row_bytes, bytes), distance = distance_of(bytes, n);
    const int64_t width = row_bytes < MOST_ROW ? row_bytes : MOST_ROW;
    const int are_bits = asked == EC_PAYLOAD_BITS;
    if (asked != EC_PAYLOAD_INT8 && is_near(n, distance, width)) {
        const byte_spread spread = spread_of(bytes, n);
        return is_about(&spread, 0, distance) && (!are_bits || has_fair_low_bits(&spread, 30)) ? EC_PAYLOAD_INT8
                                                                                               : asked;
    }
    if (asked != EC_PAYLOAD_UINT8 && is_near(n, 128 * n - distance, width)) {
        const byte_spread spread = spread_of(bytes, n);
        const int is_other =
            is_about(&spread, 0x80, 128 * n - distance) && (!are_bits || has_fair_low_bits(&spread, 30));
        return is_other ? EC_PAYLOAD_UINT8 : asked;
    }
    if (are_bits || rows < LEAST_BIT_ROWS || !is_part(distance, 40, 128 * n)) return asked;
    const byte_spread spread = spread_of(bytes, n);
    /* Values at the ends of a range lean, too. */
    if (within(&spread, 0, 1) * 20 > n || within(&spread, 0x80, 1) * 20 > n || !has_fair_low_bits(&spread, 40))
        return asked;
    return has_columns_of_bits(matrix, rows, row_bytes) ? EC_PAYLOAD_BITS : asked;
}

/* ---- lists ---- */

enum { LEAST_LISTED = 16, MOST_LISTED = 256 };

/* The byte of a whole number within -128 .. 255; -1 for any other number. */
static int byte_of(float value) {
    const int number = value >= -128 && value <= 255 ? (int)value : -1000;
    return (float)number == value ? number & 0xff : -1;
}

/* Codes have either sign, or lie about 128, or are evenly spread as bits are; counts, pixels and ramps are not so. */
static int32_t guess_listed_row(const uint8_t *row, int64_t width) {
    const int64_t n = width < MOST_LISTED ? width : MOST_LISTED;
    uint8_t bytes[MOST_LISTED];
    int64_t negative = 0, beyond_one = 0, beyond_int8 = 0, turns = 0;
    if (n < LEAST_LISTED) return EC_PAYLOAD_BYTES;
    for (int64_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, row + 4 * i, 4);
        const int byte = byte_of(value);
        if (byte < 0) return EC_PAYLOAD_BYTES;
        bytes[i] = (uint8_t)byte;
        negative += value < 0;
        beyond_one += value < -1 || value > 1;
        beyond_int8 += value > 127;
        turns += i > 1 && (uint8_t)(bytes[i] - bytes[i - 1]) != (uint8_t)(bytes[i - 1] - bytes[i - 2]);
    }
    if (beyond_one * 4 < n || turns * 2 < n) return EC_PAYLOAD_BYTES;
    const int32_t found = ec_codes_nearest(bytes, n);
    if (negative)
        return beyond_int8 || !is_part(negative, 12, n) || found == EC_PAYLOAD_UINT8 ? EC_PAYLOAD_BYTES : found;
    return beyond_int8 && found != EC_PAYLOAD_INT8 ? found : EC_PAYLOAD_BYTES;
}

int32_t ec_payload_guess_listed(const void *matrix, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows && r < EC_GUESS_ROWS; r++) {
        const int32_t found = guess_listed_row((const uint8_t *)matrix + 4 * r * width, width);
        if (found != EC_PAYLOAD_BYTES) return found;
    }
    return EC_PAYLOAD_BYTES;
}
