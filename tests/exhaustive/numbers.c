/* Number text against every float32 there is, on one tier:
 *     round trip   every bit pattern: finite ones are written and read back bit by bit, others are refused
 *     texts        every bit pattern: the text is that of the scalar writer
 *     midpoints    every positive float: the decimal halfway to the next, and texts just below and above it, with and
 *                  without an exponent, are read as glibc's strtof reads them
 *     random       decimals of up to 40 digits, as strtof reads them
 *
 *     numbers                                   every pattern and one block in 64 of the others, on every tier: minutes
 *     numbers TIER CHECK [FIRST LAST [STATE]]
 *
 * CHECK is round-trip, texts, midpoints or random. The 2^32 patterns (2^31 for midpoints) are 4,096 blocks; FIRST to LAST (not
 * included) are run, all by default. A random block is 2^18 decimals. With STATE, a file, the next block is kept there and
 * a later run goes on from it. Progress goes to stderr; the exit status is 1 at the first difference, which is printed. */
#define _GNU_SOURCE
#include "numbers/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 4096
#define BATCH 1024
#define LONGEST 512

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

static void fail(const char *what, const char *text, float got, float wanted) {
    printf("%s: %s gave %a (%08x), not %a (%08x)\n", what, text, got, bits_of(got), wanted, bits_of(wanted));
    exit(1);
}

/* ---- every pattern written and read ---- */

static void round_trip(uint32_t block) {
    static float values[BATCH], back[BATCH];
    static char text[BATCH * EC_FLOAT_TEXT + 2];
    uint32_t first = block << 20;
    for (uint32_t at = 0; at < 1u << 20; at += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            uint32_t bits = first + at + i;
            memcpy(values + i, &bits, 4);
        }
        int64_t length = ec_floats_format(values, BATCH, text);
        if (!isfinite(values[0])) { /* BATCH divides the patterns of one exponent: none is finite, or all are */
            if (length != -1) fail("written", "no text", values[0], values[0]);
            continue;
        }
        ec_result result = ec_floats_parse(text, length, back, BATCH, 0);
        if (result.status != EC_OK || result.produced != BATCH || result.consumed != length)
            fail("status", "of a batch", values[0], (float)result.status);
        for (int i = 0; i < BATCH; i++)
            if (bits_of(back[i]) != bits_of(values[i])) fail("round trip", "a text", back[i], values[i]);
    }
}

/* ---- every text against the scalar writer's ---- */

static void same_texts(uint32_t block) {
    static float values[BATCH];
    static uint8_t text[BATCH * EC_FLOAT_TEXT + 2], wanted[BATCH * EC_FLOAT_TEXT + 2];
    uint32_t first = block << 20;
    for (uint32_t at = 0; at < 1u << 20; at += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++) {
            uint32_t bits = first + at + i;
            memcpy(values + i, &bits, 4);
        }
        int64_t length = ec_floats_format(values, BATCH, text), scalar = ec_floats_format_scalar(values, BATCH, wanted);
        if (length != scalar) fail("length", "a batch's text", (float)length, (float)scalar);
        if (length > 0 && memcmp(text, wanted, (size_t)length) != 0) fail("text", "a batch", values[0], values[0]);
    }
}

/* ---- texts against strtof ---- */

typedef struct {
    char text[BATCH * LONGEST];
    int64_t length, count;
    float wanted[BATCH];
    int64_t start[BATCH];
} batch;

static void flush(batch *b, const char *what) {
    static float got[BATCH];
    if (b->count == 0) return;
    b->text[b->length - 1] = ']';
    ec_result result = ec_floats_parse(b->text, b->length, got, BATCH, 0);
    for (int64_t i = 0; i < result.produced; i++) {
        if (bits_of(got[i]) == bits_of(b->wanted[i])) continue;
        b->text[strcspn(b->text + b->start[i], ",]") + (size_t)b->start[i]] = 0;
        fail(what, b->text + b->start[i], got[i], b->wanted[i]);
    }
    if (result.status != EC_OK || result.produced != b->count) {
        b->text[b->length] = 0;
        fail("status", b->text + result.consumed, (float)result.status, 0);
    }
    b->count = 0;
}

/* Adds a number. Those beyond float32 are tried alone: they must be refused. */
static void add(batch *b, const char *number, const char *what) {
    float wanted = strtof(number, NULL);
    size_t length = strlen(number);
    if (isinf(wanted)) {
        char alone[LONGEST + 4];
        float got;
        int written = snprintf(alone, sizeof alone, "[%s]", number);
        if (ec_floats_parse(alone, written, &got, 1, 0).status != EC_OUT_OF_RANGE)
            fail("overflow", number, got, wanted);
        return;
    }
    if (b->count == 0) {
        b->text[0] = '[';
        b->length = 1;
    }
    memcpy(b->text + b->length, number, length);
    b->text[b->length + (int64_t)length] = ',';
    b->start[b->count] = b->length;
    b->wanted[b->count++] = wanted;
    b->length += (int64_t)length + 1;
    if (b->count == BATCH) flush(b, what);
}

/* The decimal a little below one of digits and a point: the last digit that is not 0 less one, nines behind it. */
static void lower(char *digits) {
    char *last = digits + strlen(digits) - 1;
    while (*last == '0' || *last == '.') last--;
    --*last;
    for (char *p = last + 1; *p; p++)
        if (*p != '.') *p = '9';
    strcat(digits, "99999");
}

static void midpoints(uint32_t block) {
    static batch b;
    uint32_t first = block << 19;
    for (uint32_t bits = first; bits < first + (1u << 19) && bits < 0x7f800000u; bits++) {
        float low;
        memcpy(&low, &bits, 4);
        uint32_t next = bits + 1;
        float high;
        memcpy(&high, &next, 4);
        double middle = bits == 0x7f7fffffu ? 0x1.ffffffp127 : ((double)low + (double)high) / 2; /* exact */
        char digits[256], number[LONGEST], *exponent;
        snprintf(digits, sizeof digits, "%.112e", middle); /* every digit: a midpoint has at most 113 */
        exponent = strchr(digits, 'e');
        char power[16];
        strcpy(power, exponent);
        while (exponent[-1] == '0' && exponent[-2] != '.') exponent--;
        *exponent = 0;
        snprintf(number, sizeof number, "%s%s", digits, power);
        add(&b, number, "midpoint");
        snprintf(number, sizeof number, "%s0000000001%s", digits, power);
        add(&b, number, "above a midpoint");
        lower(digits);
        snprintf(number, sizeof number, "%s%s", digits, power);
        add(&b, number, "below a midpoint");
        if (middle < 1e-7 || middle > 1e9) continue;
        snprintf(number, sizeof number, "%.*f", 12 + (int)(bits % 15), middle); /* near it, and short: the fast paths */
        add(&b, number, "near a midpoint");
        snprintf(number, sizeof number, "%.17g", middle);
        if (strchr(number, '.')) add(&b, number, "near a midpoint");
    }
    flush(&b, "midpoints");
}

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
    uint64_t x = random_state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void random_decimals(uint32_t block) {
    static batch b;
    random_state = block * UINT64_C(0x1000003);
    for (int i = 0; i < 1 << 18; i++) {
        char number[96], *p = number;
        uint64_t choice = random_u64();
        int digits = 1 + (int)(choice % 40), point = (int)((choice >> 8 & 0xffff) % (uint64_t)(digits + 1));
        if (choice >> 40 & 1) *p++ = '-';
        if (choice >> 41 & 1) point = 0;
        if (point == 0) *p++ = '0';
        for (int j = 0; j < digits; j++) {
            if (j == point) *p++ = '.';
            *p++ = (char)('0' + random_u64() % 10);
            if (j == 0 && point > 0 && p[-1] == '0') p[-1] = '7';
        }
        *p = 0;
        if ((choice >> 42 & 3) == 0) sprintf(p, "e%d", (int)(choice >> 48) % 90 - 50);
        add(&b, number, "random");
    }
    flush(&b, "random");
}

static const struct check {
    const char *name;
    void (*run)(uint32_t block);
    uint32_t stride; /* of the blocks in a short run */
} CHECKS[] = {{"round-trip", round_trip, 1},
              {"texts", same_texts, 64},
              {"midpoints", midpoints, 64},
              {"random", random_decimals, 64}};
#define CHECK_COUNT (sizeof CHECKS / sizeof CHECKS[0])

static void run(const char *tier, const struct check *check, uint32_t first, uint32_t last, uint32_t stride,
                const char *state) {
    for (uint32_t block = first, done = 1; block < last; block += stride, done++) {
        check->run(block);
        FILE *file = state != NULL ? fopen(state, "w") : NULL;
        if (file != NULL) {
            fprintf(file, "%u\n", block + stride);
            fclose(file);
        }
        if (done % 16 == 0) fprintf(stderr, "\r%s %s: block %u of %u ", tier, check->name, block + stride, last);
    }
    fprintf(stderr, "\r");
    printf("%s %s: blocks %u to %u in steps of %u agree\n", tier, check->name, first, last, stride);
    fflush(stdout);
}

int main(int argc, char **argv) {
    int tried = 0;
    for (uint32_t tier = EC_ISA_SCALAR; *ec_isa_name(tier); tier <<= 1) {
        const char *name = ec_isa_name(tier);
        if (argc > 1 && strcmp(name, argv[1]) != 0) continue;
        if (!ec_isa_select(tier)) continue;
        for (size_t i = 0; i < CHECK_COUNT; i++) {
            if (argc > 2 && strcmp(CHECKS[i].name, argv[2]) != 0) continue;
            uint32_t first = argc > 3 ? (uint32_t)atoi(argv[3]) : 0, last = argc > 4 ? (uint32_t)atoi(argv[4]) : BLOCKS;
            FILE *file = argc > 5 ? fopen(argv[5], "r") : NULL;
            uint32_t next;
            if (file != NULL && fscanf(file, "%u", &next) == 1 && next > first) first = next;
            if (file != NULL) fclose(file);
            run(name, &CHECKS[i], first, last, argc > 2 ? 1 : CHECKS[i].stride, argc > 5 ? argv[5] : NULL);
            tried++;
        }
    }
    if (tried == 0) fprintf(stderr, "usage: numbers [TIER [CHECK [FIRST LAST [STATE]]]]\n");
    return tried == 0 ? 2 : 0;
}
