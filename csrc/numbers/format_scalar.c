/* Writes floats as JSON: the shortest decimal that reads back to the same float32, by the method of R. Giulietti ("The
 * Schubfach way to render doubles"), for float32 in 64-bit integers. The specification of the slot. */
#include "decimal.h"
#include "powers.h"

typedef struct {
    uint32_t digits; /* at most 9 of them */
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

    uint32_t s = value / 4, tens = s / 10;
    shortest result;
    if (s >= 10) {
        int down_inside = lowest <= 40 * tens, up_inside = 40 * tens + 40 <= highest;
        if (down_inside != up_inside) {
            result.digits = tens + (uint32_t)up_inside;
            result.exponent = k + 1;
            while (result.digits % 10 == 0) {
                result.digits /= 10;
                result.exponent++;
            }
            return result;
        }
    }
    int down_inside = lowest <= 4 * s, up_inside = 4 * s + 4 <= highest;
    if (down_inside != up_inside) {
        result.digits = s + (uint32_t)up_inside;
    } else {
        uint32_t middle = 4 * s + 2;
        result.digits = s + (value > middle || (value == middle && (s & 1)));
    }
    result.exponent = k;
    if (result.digits == 10) { /* 9.8e-45, of which the shortest is 1e-44 */
        result.digits = 1;
        result.exponent++;
    }
    return result;
}

static uint8_t *write_digits(uint8_t *p, uint32_t digits, int count) {
    for (int i = count - 1; i >= 0; i--) {
        p[i] = (uint8_t)('0' + digits % 10);
        digits /= 10;
    }
    return p + count;
}

static int count_digits(uint32_t x) {
    int count = 1;
    for (; x >= 10; x /= 10) count++;
    return count;
}

static uint8_t *write_float(uint8_t *p, uint32_t bits) {
    if (bits >> 31) *p++ = '-';
    bits &= 0x7fffffffu;
    if (bits == 0) {
        memcpy(p, "0.0", 3);
        return p + 3;
    }
    shortest x = shorten(bits);
    int count = count_digits(x.digits);
    int point = count + x.exponent; /* the digits before the point if there were no exponent */
    if (point < -3 || point > 9) {  /* 1.2345678e-5 */
        write_digits(p + 1, x.digits, count);
        p[0] = p[1];
        p[1] = '.';
        p += count > 1 ? count + 1 : 1;
        *p++ = 'e';
        if (point <= 0) *p++ = '-';
        uint32_t exponent = (uint32_t)(point <= 0 ? 1 - point : point - 1);
        return write_digits(p, exponent, 1 + (exponent >= 10));
    }
    if (point <= 0) { /* 0.00012345678 */
        memcpy(p, "0.000", 5);
        return write_digits(p + 2 - point, x.digits, count);
    }
    if (x.exponent >= 0) { /* 120.0 */
        p = write_digits(p, x.digits, count);
        for (int i = 0; i < x.exponent; i++) *p++ = '0';
        *p++ = '.';
        *p++ = '0';
        return p;
    }
    write_digits(p + 1, x.digits, count); /* 12.345678 */
    memmove(p, p + 1, (size_t)point);
    p[point] = '.';
    return p + count + 1;
}

int64_t ec_floats_format_scalar(const float *values, int64_t n, uint8_t *text) {
    uint8_t *p = text;
    *p++ = '[';
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = ec_load_u32(values + i);
        if ((bits & 0x7f800000u) == 0x7f800000u) return -1 - i;
        if (i > 0) *p++ = ',';
        p = write_float(p, bits);
    }
    *p++ = ']';
    return p - text;
}
