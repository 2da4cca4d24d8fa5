/* Every string of 1 to 4 bytes through the base64 decoder, on every tier: those of up to 3 alone and as the end of a
 * long text; those of 4 where the tier's vector code meets them. What is expected is worked out from the definition,
 * position by position.
 *
 *     base64 [first bytes to try, 1 to 256]      256 is all of them: 2^32 strings of 4 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "embcodec.h"

/* The lead of 140 characters is long enough for a step of four blocks of AVX2; the end lies in its last, odd block. */
enum { LEAD = 140 };

static int value_of[256]; /* -1: not of the alphabet, -2: the padding */

static void learn_alphabet(bool urlsafe) {
    const char *characters = urlsafe ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                                     : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int c = 0; c < 256; c++) value_of[c] = -1;
    for (int i = 0; i < 64; i++) value_of[(unsigned char)characters[i]] = i;
    value_of['='] = -2;
}

/* What n <= 4 bytes at the end of a sound text must give; offsets count from their first. */
static ec_result expect(const uint8_t *s, int n, bool optional, uint8_t bytes[3]) {
    int letters = 0;
    while (letters < n && value_of[s[letters]] >= 0) letters++;
    ec_result r = {n, 0, EC_OK};
    if (letters < n && (value_of[s[letters]] == -1 || letters < 2)) {
        r.status = value_of[s[letters]] == -1 ? EC_BAD_CHARACTER : EC_BAD_PADDING;
        r.consumed = letters;
        return r;
    }
    if (letters == 1) {
        r.status = EC_TRUNCATED;
        return r;
    }
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++) bits = bits << 6 | (i < letters ? (uint32_t)value_of[s[i]] : 0);
    for (int i = 0; i < 3; i++) bytes[i] = (uint8_t)(bits >> (16 - 8 * i));
    if (letters == 4) {
        r.produced = 3;
        return r;
    }
    bool stray = bytes[letters - 1] != 0;
    if (letters < n || optional) {
        if (stray) {
            r.status = EC_BAD_PADDING;
            r.consumed = letters - 1;
            return r;
        }
        if (letters == n) {
            r.produced = letters - 1;
            return r;
        }
    }
    for (int i = letters; i < 4; i++) {
        if (i < n && value_of[s[i]] == -2) continue;
        r.status = i < n && value_of[s[i]] == -1 ? EC_BAD_CHARACTER : EC_BAD_PADDING;
        r.consumed = i;
        return r;
    }
    r.produced = letters - 1;
    return r;
}

static void check(const uint8_t *text, int lead, int n, int32_t flags) {
    uint8_t wanted[3], found[LEAD / 4 * 3 + 3];
    ec_result e = expect(text + lead, n, flags & EC_BASE64_NO_PADDING, wanted);
    ec_result r = ec_base64_decode(text, lead + n, found, sizeof found, flags);
    int64_t produced = e.status == EC_OK ? e.produced + lead / 4 * 3 : r.produced;
    if (r.status == e.status && r.consumed == e.consumed + lead && r.produced == produced &&
        (e.status != EC_OK || memcmp(found + lead / 4 * 3, wanted, (size_t)e.produced) == 0))
        return;
    fprintf(stderr, "\n%s, flags %d, after %d:", ec_isa_name(ec_isa_active()), flags, lead);
    for (int i = 0; i < n; i++) fprintf(stderr, " %02x", text[lead + i]);
    fprintf(stderr, "\nstatus %d at %lld, not %d at %lld\n", r.status, (long long)r.consumed, e.status,
            (long long)e.consumed + lead);
    exit(1);
}

/* Every string of n bytes that starts with one of the first `firsts` bytes of a fixed order, the alphabet's among them. */
static void all_strings(int lead, int n, int firsts, int32_t flags) {
    uint8_t text[LEAD + 4];
    for (int i = 0; i < lead; i++) text[i] = (uint8_t)"QUJD"[i % 4];
    uint32_t rest = 1u << (8 * (n - 1));
    for (int first = 0; first < firsts; first++) {
        text[lead] = (uint8_t)(first * 37 + 'A');
        for (uint32_t i = 0; i < rest; i++) {
            for (int k = 1; k < n; k++) text[lead + k] = (uint8_t)(i >> (8 * (k - 1)));
            check(text, lead, n, flags);
        }
    }
}

int main(int argc, char **argv) {
    int firsts = argc > 1 ? atoi(argv[1]) : 256;
    for (uint32_t tier = EC_ISA_SCALAR; *ec_isa_name(tier); tier <<= 1) {
        if (!ec_isa_select(tier)) continue;
        for (int32_t flags = 0; flags < 4; flags++) {
            learn_alphabet(flags & EC_BASE64_URLSAFE);
            for (int lead = 0; lead <= LEAD; lead += LEAD)
                for (int n = 1; n <= 3; n++) all_strings(lead, n, 256, flags);
            int lead = tier == EC_ISA_SCALAR || tier == EC_ISA_AVX512 ? 0 : LEAD;
            if (flags <= EC_BASE64_URLSAFE) all_strings(lead, 4, flags ? 1 : firsts, flags);
            printf("%-7s flags %d: agree\n", ec_isa_name(tier), flags);
            fflush(stdout);
        }
    }
    return 0;
}
