/* The shuffles that put signs, points and zeros between the digits of floats. */
#include "format.h"

/* clang-format off */
#define FORMS(...) { \
    {__VA_ARGS__ 9, 10, 9, 9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7}, /* 0.000123456789 */ \
    {__VA_ARGS__ 9, 10, 9, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7},    /* 0.00123456789 */ \
    {__VA_ARGS__ 9, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7},       /* 0.0123456789 */ \
    {__VA_ARGS__ 9, 10, 8, 0, 1, 2, 3, 4, 5, 6, 7},          /* 0.123456789 */ \
    {__VA_ARGS__ 8, 10, 0, 1, 2, 3, 4, 5, 6, 7},             /* 1.23456789 */ \
    {__VA_ARGS__ 8, 0, 10, 1, 2, 3, 4, 5, 6, 7},             /* 12.3456789 */ \
    {__VA_ARGS__ 8, 0, 1, 10, 2, 3, 4, 5, 6, 7},             /* 123.456789 */ \
    {__VA_ARGS__ 8, 0, 1, 2, 10, 3, 4, 5, 6, 7},             /* 1234.56789 */ \
    {__VA_ARGS__ 8, 0, 1, 2, 3, 10, 4, 5, 6, 7},             /* 12345.6789 */ \
    {__VA_ARGS__ 8, 0, 1, 2, 3, 4, 10, 5, 6, 7},             /* 123456.789 */ \
    {__VA_ARGS__ 8, 0, 1, 2, 3, 4, 5, 10, 6, 7},             /* 1234567.89 */ \
    {__VA_ARGS__ 8, 0, 1, 2, 3, 4, 5, 6, 10, 7},             /* 12345678.9 */ \
    {__VA_ARGS__ 8, 0, 1, 2, 3, 4, 5, 6, 7, 10, 9},          /* 123456789.0 */ \
}
#define WITH_EXPONENT(SIGN, EXPONENT) { \
    {SIGN 8, EXPONENT},                                 /* 1e-38 */ \
    {SIGN 8, 10, 0, EXPONENT},                          /* 1.2e-38 */ \
    {SIGN 8, 10, 0, 1, EXPONENT}, \
    {SIGN 8, 10, 0, 1, 2, EXPONENT}, \
    {SIGN 8, 10, 0, 1, 2, 3, EXPONENT}, \
    {SIGN 8, 10, 0, 1, 2, 3, 4, EXPONENT}, \
    {SIGN 8, 10, 0, 1, 2, 3, 4, 5, EXPONENT}, \
    {SIGN 8, 10, 0, 1, 2, 3, 4, 5, 6, EXPONENT}, \
    {SIGN 8, 10, 0, 1, 2, 3, 4, 5, 6, 7, EXPONENT},     /* 1.23456789e-38 */ \
}
#define NO_SIGN
#define MINUS 11,
#define ONE 12, 14             /* e9 */
#define TWO 12, 13, 14         /* e38 */
#define MINUS_ONE 12, 11, 14
#define MINUS_TWO 12, 11, 13, 14
/* clang-format on */

const ec_float_form_table ec_float_forms = {
    {FORMS(), FORMS(11, )},
    {{{WITH_EXPONENT(NO_SIGN, ONE), WITH_EXPONENT(NO_SIGN, TWO)},
      {WITH_EXPONENT(NO_SIGN, MINUS_ONE), WITH_EXPONENT(NO_SIGN, MINUS_TWO)}},
     {{WITH_EXPONENT(MINUS, ONE), WITH_EXPONENT(MINUS, TWO)},
      {WITH_EXPONENT(MINUS, MINUS_ONE), WITH_EXPONENT(MINUS, MINUS_TWO)}}},
};
