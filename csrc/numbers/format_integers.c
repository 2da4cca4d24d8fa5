/* Writes int8 and uint8 as JSON, by a table of the text behind the sign, comma included. */
#include "decimal.h"

/* clang-format off */
#define ONE(x)                                                                                                        \
    {                                                                                                                 \
        (x) > 99 ? '0' + (x) / 100 % 10 : (x) > 9 ? '0' + (x) / 10 % 10 : '0' + (x) % 10,                                         \
        (x) > 99 ? '0' + (x) / 10 % 10 : (x) > 9 ? '0' + (x) % 10 : ',', (x) > 99 ? '0' + (x) % 10 : ',', ','         \
    }
/* clang-format on */
#define FOUR(x) ONE(x), ONE((x) + 1), ONE((x) + 2), ONE((x) + 3)
#define SIXTEEN(x) FOUR(x), FOUR((x) + 4), FOUR((x) + 8), FOUR((x) + 12)
#define SIXTY_FOUR(x) SIXTEEN(x), SIXTEEN((x) + 16), SIXTEEN((x) + 32), SIXTEEN((x) + 48)

static const uint8_t TEXTS[256][4] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192)};

/* Each number stores a sign and four bytes, and the next number overwrites what is too much. Behind the last number
 * there is room, since it is given EC_INTEGER_TEXT bytes. */
int64_t ec_integers_format_scalar(const uint8_t *values, int64_t n, int32_t type, uint8_t *text) {
    uint8_t *p = text;
    *p++ = '[';
    for (int64_t i = 0; i < n; i++) {
        uint32_t x = values[i], negative = type == EC_INT8 && x >= 128;
        uint32_t magnitude = negative ? 256 - x : x;
        *p = '-';
        p += negative;
        memcpy(p, TEXTS[magnitude], 4);
        p += 2 + (magnitude >= 10) + (magnitude >= 100);
    }
    p -= n > 0;
    *p++ = ']';
    return p - text;
}
