/* Reads the text of a number into a decimal: the JSON grammar, byte by byte, and the digits behind the point eight at a
 * time. */
#include "decimal.h"
#include "digits.h"

#define KEPT_DIGITS 19 /* 10^19 - 1 fits in 64 bits */
#define EXPONENT_CAP 1000000

static int32_t stop(int32_t status, int64_t *next, int64_t offset) {
    *next = offset;
    return status;
}

/* Reads the digits at p behind those in *w (modulo 2^64); returns where they end. */
EC_INLINE const uint8_t *read_digits(const uint8_t *p, const uint8_t *end, uint64_t *w) {
#if defined(EC_DIGITS_BY_EIGHT)
    static const uint64_t POWERS[9] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    while (end - p >= 8) {
        uint64_t x = ec_digits_load(p), others = ec_digits_others(x);
        int count = others ? ec_trailing_zeros_u64(others) >> 3 : 8;
        if (count == 0) return p;
        *w = *w * POWERS[count] + ec_digits_value(x << (64 - 8 * count)); /* the shift puts zeros before the digits */
        p += count;
        if (count < 8) return p;
    }
#endif
    for (; p < end && ec_is_digit(*p); p++) *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
}

int32_t ec_decimal_read(const uint8_t *text, int64_t n, int64_t at, ec_decimal *decimal, int64_t *next) {
    const uint8_t *p = text + at, *end = text + n;
    uint64_t w = 0;
    int64_t exponent = 0;

    decimal->negative = *p == '-';
    decimal->cut = 0;
    decimal->lowest = 0;
    p += decimal->negative;
    if (p == end) return stop(EC_TRUNCATED, next, n);
    if (!ec_is_digit(*p)) return stop(EC_BAD_NUMBER, next, p - text);

    const uint8_t *digits = p;
    if (*p == '0') {
        p++;
        if (p < end && ec_is_digit(*p)) return stop(EC_BAD_NUMBER, next, p - text);
    } else {
        while (p < end && ec_is_digit(*p)) w = w * 10 + (uint64_t)(*p++ - '0');
    }
    const uint8_t *point = p;
    int64_t count = p - digits; /* digits that went into w, leading zeros included */
    if (p < end && *p == '.') {
        p++;
        if (p == end) return stop(EC_TRUNCATED, next, n);
        if (!ec_is_digit(*p)) return stop(EC_BAD_NUMBER, next, p - text);
        p = read_digits(p, end, &w);
        exponent = -(p - point - 1);
        count -= exponent;
    }
    const uint8_t *digits_end = p;
    if (p < end && (*p | 0x20) == 'e') {
        int negative = 0;
        int64_t written = 0;
        p++;
        if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
        if (p == end) return stop(EC_TRUNCATED, next, n);
        if (!ec_is_digit(*p)) return stop(EC_BAD_NUMBER, next, p - text);
        for (; p < end && ec_is_digit(*p); p++)
            if (written < EXPONENT_CAP) written = written * 10 + (*p - '0');
        exponent += negative ? -written : written;
    }
    if (p - (text + at) > EC_MAX_NUMBER) return stop(EC_NUMBER_TOO_LONG, next, at);

    if (count > KEPT_DIGITS) { /* w may have wrapped: read the first 19 significant digits again */
        const uint8_t *q = digits;
        while (q < digits_end && (*q == '0' || *q == '.')) {
            count -= *q == '0';
            q++;
        }
        if (count > KEPT_DIGITS) {
            int kept = 0;
            for (w = 0; kept < KEPT_DIGITS; q++) {
                if (*q == '.') continue;
                w = w * 10 + (uint64_t)(*q - '0');
                kept++;
            }
            exponent += count - KEPT_DIGITS;
            int64_t power = exponent;
            for (; q < digits_end; q++) {
                power -= *q != '.';
                if (*q == '.' || *q == '0') continue;
                decimal->cut = 1;
                decimal->lowest = power;
            }
        }
    }
    decimal->significand = w;
    decimal->exponent = exponent;
    *next = p - text;
    return EC_OK;
}

int32_t ec_decimal_to_integer(const ec_decimal *decimal, int32_t *out) {
    uint64_t w = decimal->significand;
    int64_t exponent = decimal->exponent;
    *out = 0;
    if (w == 0) return EC_OK;
    if (decimal->cut) return decimal->lowest < 0 ? EC_NOT_INTEGRAL : EC_OUT_OF_RANGE;
    for (; exponent < 0; exponent++) { /* at most 19 rounds: w is not zero */
        if (w % 10 != 0) return EC_NOT_INTEGRAL;
        w /= 10;
    }
    for (; w <= 999 && exponent > 0; exponent--) w *= 10;
    if (w > 999) return EC_OUT_OF_RANGE;
    *out = decimal->negative ? -(int32_t)w : (int32_t)w;
    return EC_OK;
}
