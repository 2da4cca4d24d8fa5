/* The list of all families of kernels. dispatch.c calls the ec_<family>_install() of each. */
#ifndef EC_FAMILIES_H
#define EC_FAMILIES_H

/* clang-format off */
#define EC_FAMILIES(X) \
    X(base64)          \
    X(bits)            \
    X(chain)           \
    X(crc32)           \
    X(dot)             \
    X(dot_u1)          \
    X(extremes)        \
    X(floats)          \
    X(fold)            \
    X(hadamard)        \
    X(hamming)         \
    X(lowbit)          \
    X(numbers)         \
    X(principal)       \
    X(quantize)        \
    X(response)        \
    X(screen)          \
    X(search)          \
    X(shape)           \
    X(tables)
/* clang-format on */

#endif
