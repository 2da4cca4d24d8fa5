/* Guesses the form that bytes are in, so that a payload that is not as asked is noticed. Elements of embeddings are of
 * ordinary size, within some thirty powers of two. Bytes of another form have exponents anywhere, so that a whole row
 * of them hardly ever lies within that window by chance:
 *
 *     float32   chance of an exponent in the window  34 / 256    float16   14 / 32, below 1
 *     float64                                        34 / 2048   one byte  of 55 / 128
 *     bfloat16                                       34 / 256
 *
 * The least numbers of elements below leave less than one such chance in 10^12. */
#include "floats.h"

enum {
    SAMPLE = 256,
    SHORT_ROW = 64, /* bytes: shorter rows are looked at together */
    MANY_BYTES = 1024
};

typedef struct {
    int32_t payload;
    int bits, fraction;         /* of an element, and of its fraction */
    uint32_t lowest, highest;   /* the exponents of the window */
    int64_t least, least_aided; /* least elements to judge by; where the asked form is out of the question */
} form_window;

/* In this order, because every pair of bfloat16 reads as a float32, too. */
static const form_window WINDOWS[] = {
    {.payload = EC_PAYLOAD_BFLOAT16,
     .bits = 16,
     .fraction = 7,
     .lowest = 97,
     .highest = 130,
     .least = 32,
     .least_aided = 12},
    {.payload = EC_PAYLOAD_BIG_ENDIAN_BFLOAT16,
     .bits = 16,
     .fraction = 7,
     .lowest = 97,
     .highest = 130,
     .least = 32,
     .least_aided = 12},
    {.payload = EC_PAYLOAD_BYTES,
     .bits = 32,
     .fraction = 23,
     .lowest = 97,
     .highest = 130,
     .least = 16,
     .least_aided = 6},
    {.payload = EC_PAYLOAD_BIG_ENDIAN_FLOAT32,
     .bits = 32,
     .fraction = 23,
     .lowest = 97,
     .highest = 130,
     .least = 16,
     .least_aided = 6},
    {.payload = EC_PAYLOAD_FLOAT64,
     .bits = 64,
     .fraction = 52,
     .lowest = 993,
     .highest = 1026,
     .least = 8,
     .least_aided = 3},
    {.payload = EC_PAYLOAD_BIG_ENDIAN_FLOAT64,
     .bits = 64,
     .fraction = 52,
     .lowest = 993,
     .highest = 1026,
     .least = 8,
     .least_aided = 3},
    {.payload = EC_PAYLOAD_FLOAT16,
     .bits = 16,
     .fraction = 10,
     .lowest = 1,
     .highest = 14,
     .least = 64,
     .least_aided = 24},
    {.payload = EC_PAYLOAD_BIG_ENDIAN_FLOAT16,
     .bits = 16,
     .fraction = 10,
     .lowest = 1,
     .highest = 14,
     .least = 64,
     .least_aided = 24},
};
enum { WINDOW_COUNT = sizeof WINDOWS / sizeof WINDOWS[0] };

static uint64_t element(const uint8_t *bytes, int64_t i, int bits, int big_endian) {
    const int size = bits / 8;
    uint64_t value = 0;
    for (int k = 0; k < size; k++) value |= (uint64_t)bytes[i * size + k] << 8 * (big_endian ? size - 1 - k : k);
    return value;
}

static int is_big_endian(int32_t payload) {
    return payload == EC_PAYLOAD_BIG_ENDIAN_FLOAT32 || payload == EC_PAYLOAD_BIG_ENDIAN_FLOAT64 ||
           payload == EC_PAYLOAD_BIG_ENDIAN_FLOAT16 || payload == EC_PAYLOAD_BIG_ENDIAN_BFLOAT16;
}

/* Whether the elements, read in this form, are those of an embedding: they vary, and all are within the window, but for
 * a few zeros and smaller ones. With `both_signs` at least an eighth must have either sign. If `aided`, the asked form
 * is out of the question; then a few may be larger, because values that are no numbers as float32 have been made NaN
 * already. */
static int is_natural(const uint8_t *bytes, int64_t n, const form_window *form, int64_t least, int both_signs,
                      int aided) {
    const int64_t count = n / (form->bits / 8);
    const int big_endian = is_big_endian(form->payload);
    int64_t small = 0, large = 0, negative = 0, various = 0;
    uint64_t first = 0, before[2] = {0, 0};
    if (count < least) return 0;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t value = element(bytes, i, form->bits, big_endian);
        const uint64_t magnitude = value << (65 - form->bits) >> (65 - form->bits);
        const uint64_t exponent = magnitude >> form->fraction;
        small += exponent < form->lowest;
        large += exponent > form->highest;
        if (small * 16 > count || large * 16 > (aided ? count : 0)) return 0;
        negative += magnitude != value;
        various += i && value != first && value != before[0] && value != before[1];
        if (i == 0) first = value;
        before[1] = before[0];
        before[0] = value;
    }
    if (both_signs && (negative * 8 < count || (count - negative) * 8 < count)) return 0;
    return various * 2 >= count - 1;
}

static uint32_t word(const uint8_t *bytes, int64_t i) {
    uint32_t bits;
    memcpy(&bits, bytes + 4 * i, 4);
    return bits;
}

#define EXPONENT(power) ((uint32_t)(127 + (power)) << 23)

/* Whether float32 of one vector are such as no embedding has: some above 2^72 and some below 2^-72, or a quarter above
 * 2^112, whose squares overflow. NaN and infinities do not count. */
static int has_extremes(const uint8_t *bytes, int64_t n, int big_endian) {
    int64_t large = 0, small = 0, largest = 0;
    for (int64_t i = 0; i < n / 4; i++) {
        const uint32_t magnitude = (uint32_t)element(bytes, i, 32, big_endian) & 0x7fffffffu;
        if (magnitude >= EXPONENT(128)) continue;
        large += magnitude >= EXPONENT(72);
        largest += magnitude >= EXPONENT(112);
        small += magnitude > 0 && magnitude < EXPONENT(-72);
    }
    return (large && small) || largest * 4 > n / 4;
}

/* Whether float32 are in truth the halves of float64, shown by their low halves: those of values that once were float32
 * have only three bits, and others are huge as often as not. */
static int has_low_halves(const uint8_t *bytes, int64_t n) {
    int64_t count = n / 8, bare = 0, telling = 0, strange = 0, huge = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t low = word(bytes, 2 * i), magnitude = low & 0x7fffffffu;
        bare += (low & 0x1fffffffu) == 0;
        telling += (low & 0x3fffffffu) == 0x20000000u; /* 2^-63 or 2^65 as float32 */
        huge += magnitude > EXPONENT(40);
        strange += magnitude > EXPONENT(40) || (magnitude && magnitude < EXPONENT(-64));
    }
    if (bare == count) return telling > 0 || count >= 24;
    return huge > 0 && strange * 3 >= count;
}

/* Whether all bytes read as small codes, or as floats of one byte below 1. */
static int has_small_bytes(const uint8_t *bytes, int64_t n) {
    int64_t zeros = 0, various = 0;
    if (n < 64) return 0;
    for (int64_t i = 0; i < n; i++) {
        const int magnitude = bytes[i] & 0x7f;
        if (magnitude >= 0x38) return 0;
        zeros += magnitude == 0;
        various += i > 1 && bytes[i] != bytes[i - 1] && bytes[i] != bytes[i - 2];
    }
    return zeros * 4 <= n && various * 2 >= n;
}

/* Whether most elements are within the window of the form; of bytes in another form half are. */
static int is_mostly(const uint8_t *bytes, int64_t n, const form_window *form) {
    const int64_t count = n / (form->bits / 8);
    const int big_endian = is_big_endian(form->payload);
    int64_t inside = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t magnitude = element(bytes, i, form->bits, big_endian) << (65 - form->bits) >> (65 - form->bits);
        const uint64_t exponent = magnitude >> form->fraction;
        inside += magnitude == 0 || (exponent >= form->lowest && exponent <= form->highest);
    }
    return inside * 8 >= count * 5;
}

static int is_codes(int32_t payload) { return payload >= EC_PAYLOAD_INT8; }

static int is_float32(int32_t payload) {
    return payload == EC_PAYLOAD_BYTES || payload == EC_PAYLOAD_BIG_ENDIAN_FLOAT32;
}

/* Whether bytes are in this form, and not as asked. float64 among float32 that have no extremes is known by its low
 * halves. */
static int is_form(const uint8_t *bytes, int64_t n, const form_window *form, int32_t asked, int aided) {
    if (form->payload == asked) return 0;
    if (asked == EC_PAYLOAD_BYTES && !aided && form->payload == EC_PAYLOAD_FLOAT64)
        return is_natural(bytes, n, form, 2, 0, 0) && has_low_halves(bytes, n);
    return is_natural(bytes, n, form, aided ? form->least_aided : form->least, is_codes(asked), aided);
}

static int32_t guess_form(const uint8_t *bytes, int64_t n, int32_t asked, int aided) {
    for (int k = 0; k < WINDOW_COUNT; k++) {
        const int is_f16 = WINDOWS[k].payload == EC_PAYLOAD_FLOAT16; /* pairs of small bytes read as float16, too */
        if (is_f16 && has_small_bytes(bytes, n)) return is_float32(asked) ? EC_PAYLOAD_E4M3 : asked;
        if (is_form(bytes, n, &WINDOWS[k], asked, aided)) return WINDOWS[k].payload;
    }
    return aided ? ec_codes_nearest(bytes, n) : asked;
}

/* Whether bytes have more than eight values: codes may have fewer, but the fractions of floats do not. */
static int has_many_values(const uint8_t *bytes, int64_t n) {
    uint8_t seen[256] = {0};
    int values = 0;
    for (int64_t i = 0; i < n && values <= 8; i++) {
        values += !seen[bytes[i]];
        seen[bytes[i]] = 1;
    }
    return values > 8;
}

static int32_t guess_row(const uint8_t *bytes, int64_t n, int32_t asked) {
    if (n > SAMPLE) n = SAMPLE;
    if (asked > EC_PAYLOAD_BYTES)
        for (int k = 0; k < WINDOW_COUNT; k++)
            if (WINDOWS[k].payload == asked && is_mostly(bytes, n, &WINDOWS[k])) return asked;
    const int aided = is_float32(asked) && has_extremes(bytes, n, is_big_endian(asked));
    const int32_t found = guess_form(bytes, n, asked, aided);
    return found != asked && is_codes(asked) && !has_many_values(bytes, n) ? asked : found;
}

/* Rows of few float32, looked at as one. An eighth beyond all that an embedding has, on either side, is no chance. */
static int32_t guess_short_rows(const uint8_t *bytes, int64_t n) {
    int64_t large = 0, small = 0;
    const int64_t count = n / 4;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t magnitude = word(bytes, i) & 0x7fffffffu;
        large += magnitude >= EXPONENT(72);
        small += magnitude > 0 && magnitude < EXPONENT(-72);
    }
    if (count < 16 || large * 8 < count || small * 8 < count) return EC_PAYLOAD_BYTES;
    return guess_form(bytes, n, EC_PAYLOAD_BYTES, 1);
}

int32_t ec_payload_guess(const void *matrix, int64_t rows, int64_t row_bytes, int32_t asked, int64_t *row) {
    const uint8_t *bytes = matrix;
    const int64_t n = rows * row_bytes, many = n < MANY_BYTES ? n : MANY_BYTES;
    if (row) *row = 0;
    if (asked == EC_PAYLOAD_NONE) return ec_codes_nearest(bytes, many);
    if (asked == EC_PAYLOAD_E4M3 || asked == EC_PAYLOAD_E5M2) return asked; /* any bytes may be these */
    for (int64_t r = 0; r < rows && r < EC_GUESS_ROWS; r++) {
        const int32_t found = guess_row(bytes + r * row_bytes, row_bytes, asked);
        if (found == asked) continue;
        if (row) *row = r;
        return found;
    }
    if (is_codes(asked)) return ec_codes_guess(bytes, rows, row_bytes, asked);
    if (asked != EC_PAYLOAD_BYTES || row_bytes >= SHORT_ROW || rows < 2) return asked;
    return guess_short_rows(bytes, many);
}
