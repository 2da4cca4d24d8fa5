/* Rounds a decimal to the nearest float32 by the method of Eisel and Lemire with one 64-bit power of ten, and by big
 * integers where that leaves doubt (D. Lemire, "Number parsing at a gigabyte per second", arXiv 2101.11408). All is
 * integer arithmetic, so that the host's rounding mode and flushing to zero do not matter. */
#include "decimal.h"
#include "powers.h"

#define FRACTION_BITS 24 /* of a normal float32, with the hidden one */
#define LOWEST_EXPONENT (-126)
#define HIGHEST_EXPONENT 127

static void store(float *out, int32_t negative, uint32_t bits) {
    bits |= (uint32_t)negative << 31;
    memcpy(out, &bits, 4);
}

int32_t ec_decimal_to_float(const ec_decimal *decimal, const uint8_t *number, int64_t length, float *out) {
    uint64_t w = decimal->significand;
    if (w == 0 || decimal->exponent < EC_POWER_LOWEST) {
        store(out, decimal->negative, 0);
        return 1;
    }
    if (decimal->exponent > EC_POWER_HIGHEST) return 0;

    /* w * 10^q = (w << zeros) * power * 2^(exponent of 10^q - 63 - zeros), where the power is too small by less than 1,
     * and w by less than 1 if digits were cut. So the upper word of the product is too small by less than
     *     1 (power) + 2^zeros (cut: 19 digits, zeros <= 4) + 1 (lower word), doubled by the normalising shift: 36 */
    int32_t q = (int32_t)decimal->exponent;
    int zeros = ec_leading_zeros_u64(w);
    uint64_t high, low = ec_multiply_u64(w << zeros, ec_powers_of_ten[q - EC_POWER_LOWEST], &high);
    int32_t exponent = ec_power_exponent(q) + 64 - zeros; /* of the leading bit */
    int shift = !(high >> 63);                            /* no branch, because both are equally likely */
    high = high << shift | (low >> 63 & (uint64_t)shift);
    low <<= shift;
    exponent -= shift;
    int exact = !decimal->cut && q >= 0 && q <= EC_POWER_EXACT;
    uint64_t slack = decimal->cut ? 36 : 4;

    /* high: 1xxxxxxx xxxxxxxx xxxxxxxx|rrrrrrrr ... r    the upper 24 bits stay (fewer for a subnormal), `drop` bits
     * go */
    int drop = 64 - FRACTION_BITS;
    if (exponent < LOWEST_EXPONENT) {
        drop += LOWEST_EXPONENT - exponent;
        exponent = LOWEST_EXPONENT;
        if (drop > 64) { /* below half of the least subnormal, 2^-150; from there on drop is 64 */
            if (drop > 65 || high <= UINT64_MAX - slack) {
                store(out, decimal->negative, 0);
                return 1;
            }
            drop = 64; /* within the slack of 2^-150: every digit counts */
            high = UINT64_C(1) << 63;
        }
    }
    uint64_t half = UINT64_C(1) << (drop - 1);
    uint64_t rest = drop == 64 ? high : high & ((half << 1) - 1);
    uint64_t mantissa = drop == 64 ? 0 : high >> drop;
    int up = rest > half;
    if (EC_UNLIKELY(rest - (half - slack) <= slack)) { /* just below the middle, or on it */
        if (exact) {
            up = rest == half && (low != 0 || (mantissa & 1));
        } else {
            int order = ec_decimal_compare_midpoint(number, length, (uint32_t)mantissa, exponent - FRACTION_BITS + 1);
            up = order > 0 || (order == 0 && (mantissa & 1));
        }
    }
    mantissa += (uint64_t)up;
    /* The hidden bit of a normal mantissa adds 1 to the exponent field, and so does a carry out of the mantissa. */
    uint32_t bits = (uint32_t)mantissa + ((uint32_t)(exponent - LOWEST_EXPONENT) << (FRACTION_BITS - 1));
    if (exponent > HIGHEST_EXPONENT || bits >= 0x7f800000u) return 0;
    store(out, decimal->negative, bits);
    return 1;
}

/* ---- the exact comparison ---- */

/* A natural number of up to 4,096 bits, the least significant word first. The largest ones here have 1,024 digits
 * (3,402 bits) times 2^150, or 25 bits times 10^1,090 (3,621 bits). */
#define WORDS 128
typedef struct {
    uint32_t word[WORDS];
    int used;
} natural;

static void multiply_add(natural *x, uint32_t factor, uint32_t addend) {
    uint64_t carry = addend;
    for (int i = 0; i < x->used; i++) {
        carry += (uint64_t)x->word[i] * factor;
        x->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0 && x->used < WORDS) x->word[x->used++] = (uint32_t)carry;
}

static const uint32_t SMALL_POWERS[10] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

static void multiply_power_of_ten(natural *x, int64_t exponent) {
    for (; exponent >= 9; exponent -= 9) multiply_add(x, SMALL_POWERS[9], 0);
    multiply_add(x, SMALL_POWERS[exponent], 0);
}

static void shift_left(natural *x, int64_t bits) {
    for (; bits >= 31; bits -= 31) multiply_add(x, UINT32_C(1) << 31, 0);
    multiply_add(x, UINT32_C(1) << bits, 0);
}

static int compare(const natural *a, const natural *b) {
    if (a->used != b->used) return a->used < b->used ? -1 : 1;
    for (int i = a->used - 1; i >= 0; i--)
        if (a->word[i] != b->word[i]) return a->word[i] < b->word[i] ? -1 : 1;
    return 0;
}

int32_t ec_decimal_compare_midpoint(const uint8_t *number, int64_t length, uint32_t mantissa, int32_t exponent) {
    natural left, right;
    left.used = right.used = 0;

    /* left * 10^power is the number, read in groups of 9 digits. */
    int64_t power = 0, i = *number == '-';
    uint32_t group = 0;
    int grouped = 0, behind_point = 0;
    for (; i < length && (number[i] | 0x20) != 'e'; i++) {
        if (number[i] == '.') {
            behind_point = 1;
            continue;
        }
        power -= behind_point;
        group = group * 10 + (uint32_t)(number[i] - '0');
        if (++grouped < 9) continue;
        multiply_add(&left, SMALL_POWERS[9], group);
        group = 0;
        grouped = 0;
    }
    multiply_add(&left, SMALL_POWERS[grouped], group);
    if (i < length) {
        int64_t written = 0;
        int negative = number[++i] == '-';
        for (i += negative || number[i] == '+'; i < length; i++)
            if (written < 1000000) written = written * 10 + (number[i] - '0');
        power += negative ? -written : written;
    }

    /* right is (2 * mantissa + 1) * 2^(exponent - 1). Both sides are multiplied until they are whole. */
    multiply_add(&right, 1, 2 * mantissa + 1);
    if (power >= 0)
        multiply_power_of_ten(&left, power);
    else
        multiply_power_of_ten(&right, -power);
    if (exponent - 1 >= 0)
        shift_left(&right, exponent - 1);
    else
        shift_left(&left, 1 - exponent);
    return compare(&left, &right);
}
