/* Writes int8 and uint8 as JSON, by tables of their texts. */
#include "decimal.h"

/* The text of x, a comma behind it, and in the last byte the length of both. */
/* clang-format off */
#define FIRST(x) (uint8_t)('0' + ((x) > 99 ? (x) / 100 : (x) > 9 ? (x) / 10 : (x)))
#define SECOND(x) (uint8_t)((x) > 99 ? '0' + (x) / 10 % 10 : (x) > 9 ? '0' + (x) % 10 : ',')
#define THIRD(x) (uint8_t)((x) > 99 ? '0' + (x) % 10 : ',')
#define LENGTH(x) (uint8_t)(2 + ((x) > 9) + ((x) > 99))
#define PLUS(x) {FIRST(x), SECOND(x), THIRD(x), ',', 0, 0, 0, LENGTH(x)}
#define MINUS(x) {'-', FIRST(256 - (x)), SECOND(256 - (x)), THIRD(256 - (x)), ',', 0, 0, 1 + LENGTH(256 - (x))}
/* clang-format on */
#define FOUR(SIGN, x) SIGN(x), SIGN((x) + 1), SIGN((x) + 2), SIGN((x) + 3)
#define SIXTEEN(SIGN, x) FOUR(SIGN, x), FOUR(SIGN, (x) + 4), FOUR(SIGN, (x) + 8), FOUR(SIGN, (x) + 12)
#define SIXTY_FOUR(SIGN, x) SIXTEEN(SIGN, x), SIXTEEN(SIGN, (x) + 16), SIXTEEN(SIGN, (x) + 32), SIXTEEN(SIGN, (x) + 48)

typedef uint8_t texts_of[256][8];
static const texts_of UINT8 = {SIXTY_FOUR(PLUS, 0), SIXTY_FOUR(PLUS, 64), SIXTY_FOUR(PLUS, 128), SIXTY_FOUR(PLUS, 192)};
static const texts_of INT8 = {SIXTY_FOUR(PLUS, 0), SIXTY_FOUR(PLUS, 64), SIXTY_FOUR(MINUS, 128),
                              SIXTY_FOUR(MINUS, 192)};

/* Each number stores eight bytes, and the next number overwrites what is too much. The last one stores no more than the
 * EC_INTEGER_TEXT bytes that are its own. */
uint8_t *ec_integers_format_rest(const uint8_t *values, int64_t n, int32_t type, uint8_t *text) {
    const texts_of *texts = type == EC_INT8 ? &INT8 : &UINT8;
    uint8_t *p = text;
    for (int64_t i = 0; i < n - 1; i++) {
        const uint8_t *one = (*texts)[values[i]];
        memcpy(p, one, 8);
        p += one[7];
    }
    if (n > 0) {
        const uint8_t *last = (*texts)[values[n - 1]];
        memcpy(p, last, EC_INTEGER_TEXT);
        p += last[7] - 1;
    }
    *p++ = ']';
    return p;
}

int64_t ec_integers_format_scalar(const uint8_t *values, int64_t n, int32_t type, uint8_t *text) {
    *text = '[';
    return ec_integers_format_rest(values, n, type, text + 1) - text;
}
