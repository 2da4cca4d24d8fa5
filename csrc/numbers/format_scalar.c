/* Writes floats as JSON: the shortest decimal that reads back to the same float32, by the method of R. Giulietti ("The
 * Schubfach way to render doubles"), for float32 in 64-bit integers. The specification of the slot. */
#include "decimal.h"
#include "powers.h"

typedef struct {
    uint32_t digits; /* at most 9 of them, with zeros at their end or without */
    int32_t exponent;
} shortest;

/* floor(power * factor / 2^64), made odd where bits were lost, so that comparisons with even numbers stay right. */
EC_INLINE uint32_t product_odd(uint64_t power, uint32_t factor) {
    uint64_t high, low = ec_multiply_u64(power, factor, &high);
    return (uint32_t)high | ((uint32_t)(low >> 32) > 1);
}

/* The shortest decimal within the rounding interval of a positive finite float32, and of those the nearest. */
static shortest shorten(uint32_t bits) {
    uint32_t fraction = bits & 0x7fffffu, biased = bits >> 23;
    uint32_t mantissa = biased ? fraction | 0x800000u : fraction;
    int32_t exponent = biased ? (int32_t)biased - 150 : -149;
    int narrow = fraction == 0 && biased > 1; /* the float below is half as far away */

    /* The value, and the middles between it and its neighbours, in quarters of an ulp, multiplied by 10^-k, with which
     * an ulp is 1 to 10. */
    int32_t k = (exponent * 1262611 - (narrow ? 524031 : 0)) >> 22; /* floor(log10(ulp)), or of 3/4 ulp if narrow */
    int32_t shift = exponent + ec_power_exponent(-k) + 1;
    uint64_t power = ec_powers_of_ten[-k - EC_POWER_LOWEST] + (k > 0 || k < -EC_POWER_EXACT);
    uint32_t value = product_odd(power, (4 * mantissa) << shift);
    uint32_t below = product_odd(power, (4 * mantissa - 2 + (uint32_t)narrow) << shift);
    uint32_t above = product_odd(power, (4 * mantissa + 2) << shift);
    uint32_t lowest = below + (mantissa & 1),
             highest = above - (mantissa & 1); /* the ends count if the mantissa is even */

    /* Of tens just one may lie within the interval, or else of ones; else the nearer one is taken. There are no branches,
     * because what is the case cannot be foreseen. */
    uint32_t s = value / 4, tens = s / 10, middle = 4 * s + 2;
    uint32_t ten_below = lowest <= 40 * tens, ten_above = 40 * tens + 40 <= highest;
    uint32_t one_below = lowest <= 4 * s, one_above = 4 * s + 4 <= highest;
    uint32_t nearer = (value > middle) | ((value == middle) & s & 1);
    uint32_t one = s + (one_below != one_above ? one_above : nearer);
    int of_tens = (s >= 10) & (ten_below != ten_above);
    shortest result = {of_tens ? tens + ten_above : one, k + of_tens};
    return result;
}

enum { MOST_DIGITS = 9 };

static const uint32_t POWERS[MOST_DIGITS + 1] = {1,      10,      100,      1000,      10000,
                                                 100000, 1000000, 10000000, 100000000, 1000000000};

/* The number of digits of x, which is not 0. */
static int count_digits(uint32_t x) {
    int count = (64 - ec_leading_zeros_u64(x)) * 1233 >> 12; /* floor(bits * log10(2)), so one less or right */
    return count + (x >= POWERS[count]);
}

/* The eight digits of x as bytes, the first one lowest: halves are parted, and their halves, each in its own place. */
EC_INLINE uint64_t eight_digits(uint32_t x) {
    uint64_t fours = x / 10000 | (uint64_t)(x % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    uint64_t pairs = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (pairs * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (pairs - 10 * tens) << 8;
}

/* Copies are longer than what counts of them, since lengths that vary cannot be foreseen. */
uint8_t *ec_float_format(uint32_t bits, uint8_t *p) {
    *p = '-';
    p += bits >> 31;
    bits &= 0x7fffffffu;
    if (bits == 0) {
        memcpy(p, "0.0", 3);
        return p + 3;
    }
    shortest x = shorten(bits);
    int count = count_digits(x.digits);
    int point = count + x.exponent; /* the digits before the point if there were no exponent */
    uint32_t nine = x.digits * POWERS[MOST_DIGITS - count];
    uint64_t rest = eight_digits(nine % 100000000);
    uint8_t first = (uint8_t)('0' + nine / 100000000);
    count = rest ? MOST_DIGITS - ec_leading_zeros_u64(rest) / 8 : 1; /* without the zeros at the end */
    rest |= UINT64_C(0x3030303030303030);
    if (EC_LIKELY(point <= 0 && point >= -3)) { /* 0.00012345678 */
        memcpy(p, "0.000", 5);
        p += 2 - point;
        p[0] = first;
        memcpy(p + 1, &rest, 8);
        return p + count;
    }
    p[0] = first;
    if (point < -3 || point > MOST_DIGITS) { /* 1.2345678e-5 */
        p[1] = '.';
        memcpy(p + 2, &rest, 8);
        p += count > 1 ? count + 1 : 1;
        *p++ = 'e';
        if (point <= 0) *p++ = '-';
        uint32_t exponent = (uint32_t)(point <= 0 ? 1 - point : point - 1);
        if (exponent >= 10) *p++ = (uint8_t)('0' + exponent / 10);
        *p++ = (uint8_t)('0' + exponent % 10);
        return p;
    }
    if (count <= point) { /* 120.0 */
        memcpy(p + 1, &rest, 8);
        memcpy(p + point, ".0", 2);
        return p + point + 2;
    }
    const int before = 8 * (point - 1); /* 12.345678: the bits of the digits between the first one and the point */
    const uint64_t whole = rest & ((UINT64_C(1) << before) - 1);
    const uint64_t pointed = whole | (uint64_t)'.' << before | (rest - whole) << 8;
    memcpy(p + 1, &pointed, 8);
    p[9] = (uint8_t)(rest >> 56);
    return p + count + 1;
}

int64_t ec_floats_format_scalar(const float *values, int64_t n, uint8_t *text) {
    uint8_t *p = text;
    *p++ = '[';
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = ec_load_u32(values + i);
        if ((bits & 0x7f800000u) == 0x7f800000u) return -1 - i;
        if (i > 0) *p++ = ',';
        p = ec_float_format(bits, p);
    }
    *p++ = ']';
    return p - text;
}
