/* Random inputs, well-formed and damaged, through every family on every tier of this machine, against scalar.
 *
 *     compare_tiers [cases [seed [family]]]
 *
 * Built with the sanitizers for the machine at hand, and for AArch64 to be run under qemu: see the Makefile. */
#include <stdio.h>
#include <stdlib.h>

#include "subjects.h"

static uint64_t state;

static uint64_t draw(void) { /* splitmix64 */
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int64_t below(int64_t n) { return (int64_t)(draw() % (uint64_t)n); }

/* Mostly short, now and then long, around the widths of vectors. */
static int64_t draw_length(void) {
    switch (below(4)) {
    case 0: return below(20);
    case 1: return 64 * below(5) + below(5);
    case 2: return below(400);
    default: return below(3000);
    }
}

enum { MOST_INPUT = 1 << 17 };
static uint8_t input[MOST_INPUT];
static int64_t used;

static void put(const char *text) {
    int64_t n = (int64_t)strlen(text);
    if (used + n > MOST_INPUT) return;
    memcpy(input + used, text, (size_t)n);
    used += n;
}

static void put_random(int64_t n) {
    for (; n > 0 && used < MOST_INPUT; n--) input[used++] = (uint8_t)draw();
}

static void damage(void) {
    static const char LIKELY[] = "=\"\\[]{},:-+.eE019 \n\x7f/_An";
    for (int64_t times = below(4); times > 0 && used > 1; times--) {
        int64_t at = 1 + below(used - 1);
        uint8_t byte = below(3) ? (uint8_t)LIKELY[below((int64_t)sizeof LIKELY - 1)] : (uint8_t)draw();
        switch (below(4)) {
        case 0: used = at; break;
        case 1:
            memmove(input + at, input + at + 1, (size_t)(used - at - 1));
            used--;
            break;
        default: input[at] = byte;
        }
    }
}

static void put_base64(int64_t bytes, int32_t flags) {
    static uint8_t payload[8192];
    bytes = bytes < (int64_t)sizeof payload ? bytes : (int64_t)sizeof payload;
    for (int64_t i = 0; i < bytes; i++) payload[i] = (uint8_t)draw();
    int64_t n = ec_base64_encoded_length(bytes);
    if (used + n > MOST_INPUT) return;
    ec_base64_encode(payload, bytes, input + used);
    for (int64_t i = used; flags & EC_BASE64_URLSAFE && i < used + n; i++)
        input[i] = input[i] == '+' ? '-' : input[i] == '/' ? '_' : input[i];
    used += n;
    while (flags & EC_BASE64_NO_PADDING && below(2) && used > 0 && input[used - 1] == '=') used--;
}

static void make_base64(void) {
    int32_t flags = (int32_t)below(4);
    input[used++] = (uint8_t)flags;
    put_base64(draw_length(), flags);
}

static void put_number(int style) {
    char text[64];
    uint32_t bits = (uint32_t)draw();
    float value;
    double unit = (double)draw() / 18446744073709551616.0 * 2 - 1;
    memcpy(&value, &bits, 4);
    switch (style) {
    case 0: snprintf(text, sizeof text, "%.9g", (double)(float)(unit / 8)); break;
    case 1: snprintf(text, sizeof text, "%.17g", (double)(float)unit); break;
    case 2: snprintf(text, sizeof text, "%d", (int)below(256) - 128); break;
    case 3: snprintf(text, sizeof text, "%.20f", (double)(int)(unit * 2048) / 4096); break;
    case 4: snprintf(text, sizeof text, "%d", (int)below(256)); break;
    case 5: snprintf(text, sizeof text, "%.*e", (int)below(30), unit * 1e-30); break;
    default: snprintf(text, sizeof text, "%.9g", (double)value); /* NaN, infinities and overflow too */
    }
    put(text);
}

static void put_list(int64_t count, int style) {
    put("[");
    for (int64_t i = 0; i < count; i++) {
        if (i) put(below(20) ? "," : " ,\n ");
        put_number(below(40) ? style : (int)below(7));
    }
    put("]");
}

/* Numbers of one form behind gaps of one width, as printf() and indented JSON have them, and odd ones among them: kernels
 * expect the form of the first ones of all that follow. */
static void put_list_of_a_form(int64_t count) {
    static const char *const FORMS[] = {"%.*fe+%d", "%.*fe-%d", "%.*fe-0%d", "%.*fE+0%d", "%.*f", "%.*f%d"};
    static const char *const GAPS[] = {"", " ", "  ", "   ", "    ", "\n     ", "\t"};
    const char *form = FORMS[below(6)], *gap = GAPS[below(7)];
    int digits = (int)below(10), signs = (int)below(3);
    put("[");
    for (int64_t i = 0; i < count; i++) {
        char text[64];
        bool odd = below(i + 4 < count ? 50 : 3) == 0; /* the last ones are met apart */
        double value = (double)below(1000000000) / (signs && below(signs) ? -1e8 : 1e8);
        if (i) put(",");
        put(odd ? GAPS[below(7)] : gap);
        int precision = odd && below(2) ? (int)below(16) : odd ? 0 : digits;
        snprintf(text, sizeof text, odd && below(2) ? FORMS[below(6)] : form, precision, value, (int)below(10));
        put(text);
    }
    put("]");
}

static void make_numbers(void) {
    input[used++] = (uint8_t)draw();
    int64_t rows = below(3) ? 0 : below(5), count = draw_length() / 3;
    int style = (int)below(11);
    if (rows) put("[");
    for (int64_t r = 0; r < (rows ? rows : 1); r++) {
        if (r) put(", ");
        if (style < 7)
            put_list(count, style);
        else
            put_list_of_a_form(below(2) ? below(100) : count);
    }
    if (rows) put("]");
}

static void put_item(int64_t index, int64_t width, int style) {
    char text[40];
    bool index_first = below(2);
    put(below(3) ? "{\"object\":\"embedding\"," : "{ ");
    if (below(20) == 0) put("\"other\": {\"embedding\": [1, {}], \"e\\u0022\": [true, null, \"\\n\xc3\xa9\"]}, ");
    snprintf(text, sizeof text, "\"index\":%lld", (long long)(below(30) ? index : below(3)));
    if (index_first) {
        put(text);
        put(",");
    }
    put(below(10) ? "\"embedding\":" : "\"\\u0065mbedding\" : ");
    if (style == 7) {
        put("\"");
        put_base64(width * 4, 0);
        put("\"");
    } else if (below(30) == 0) {
        put("null");
    } else {
        put_list(width, style);
    }
    if (!index_first) {
        put(" , ");
        put(text);
    }
    put("}");
}

static void make_response(void) {
    input[used++] = (uint8_t)draw();
    int64_t rows = below(8), width = draw_length() / 8;
    int style = (int)below(8);
    put("{\"id\":\"x\\/\\ud83d\\ude00\",\"object\":\"list\",");
    put(below(9) ? "\"data\":[" : "\"data\":[{\"embedding\":[1]}],\"data\" : [\n");
    for (int64_t i = 0; i < rows; i++) {
        if (i) put(",");
        put_item(i, width, style);
    }
    put("],\"model\":\"m\",\"usage\":{\"prompt_tokens\":1.5e3,\"total_tokens\":[[-0]],\"x\":null}}");
    if (below(5) == 0) put("\n");
}

/* Lines as services write them: the keys in any order, blank lines and failed ones among them. */
static void put_line(int64_t width, int style) {
    static const char *const OTHERS[] = {
        "\"id\":\"batch-1\",",          "\"error\":null,",  "\"x\":[{}, [1e3, \"\\n\"]],",
        "\"custom_id\":\"a\\u00e9b\",", "\"custom_id\":7,", "\"error\":{\"message\":\"no\"},",
    };
    static const char *const USAGE[] = {"",
                                        "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":0,\"total_tokens\":3},",
                                        "\"usage\":{\"prompt_tokens\":12345678901234567,\"x\":{}},"};
    put("{");
    if (below(3)) put(OTHERS[below(below(20) ? 4 : 6)]);
    put(below(20) ? "\"response\":{\"status_code\":200,\"body\":{" : "\"response\":{\"status_code\":500 , \"body\": {");
    put(USAGE[below(3)]);
    put("\"data\":[");
    for (int64_t rows = 1 + below(3), i = 0; i < rows; i++) {
        if (i) put(",");
        put_item(i, width, style);
    }
    put(below(9) ? "]}}" : "],\"model\":\"m\"},\"request_id\":\"r\"}");
    if (below(3) == 0) put(",\"custom_id\":\"b\"");
    put(below(30) ? "}\n" : "} \r\n");
}

static void make_lines(void) {
    static const uint8_t TYPES[] = {0, 1, 2, 3, 0x43, 0x40};
    int64_t width = 1 + below(64);
    int style = (int)below(8);
    input[used++] = below(4) ? TYPES[below(sizeof TYPES)] : (uint8_t)draw();
    input[used++] = (uint8_t)(width - 1);
    input[used++] = (uint8_t)draw();
    for (int64_t lines = below(8); lines > 0; lines--) {
        if (below(12) == 0) put(" \t\n");
        put_line(below(40) ? width : 1 + below(64), style);
    }
}

/* Three bytes of parameters, then floats: of one kind throughout, with an odd one now and then. */
static void make_floats(void) {
    input[used++] = (uint8_t)draw();
    int64_t dimension = draw_length(), count = dimension * (1 + below(4)) + below(3);
    input[used++] = (uint8_t)dimension;
    input[used++] = (uint8_t)(dimension >> 8);
    int kind = (int)below(4);
    for (; count > 0; count--) {
        float value = (float)((double)draw() / 9223372036854775808.0 - 1);
        uint32_t bits;
        if (kind == 1) value *= 0.05f;
        if (kind == 2) value = (float)(below(511) - 255) / 254.0f; /* ties */
        memcpy(&bits, &value, 4);
        if (kind == 3 || below(4000) == 0) bits = (uint32_t)draw();
        if (kind == 3 && (bits & 0x7f800000u) == 0x7f800000u) bits &= 0xbfffffffu;
        memcpy(input + used, &bits, 4);
        used += 4;
    }
}

/* Three bytes of parameters, then a few long vectors or, to fill blocks and the lanes of a panel, many short ones. */
static void make_integers(void) {
    enum { MOST_VALUES = 16000 };
    input[used++] = (uint8_t)draw();
    bool many = below(2);
    int64_t dimension = many ? 1 + below(40) : 1 + draw_length() / 2, vectors = 2 + below(8);
    if (many) vectors += draw_length() / 3;
    vectors = vectors * dimension < MOST_VALUES ? vectors : MOST_VALUES / dimension;
    input[used++] = (uint8_t)(dimension - 1);
    input[used++] = (uint8_t)((dimension - 1) >> 8);
    put_random(dimension * vectors);
    switch (below(8)) {
    case 0: memset(input + 3, 0x80, (size_t)(used - 3)); break; /* the largest products */
    case 1:                                                     /* the most bits that differ */
        memset(input + 3, 0, (size_t)(used - 3));
        memset(input + 3, 0xff, (size_t)(dimension * (1 + below(vectors - 1))));
        break;
    default: break;
    }
}

/* Four bytes of parameters, then bytes to draw values from. */
static void make_slots(void) {
    put_random(4);
    if (below(2)) input[2] = (uint8_t)below(12); /* few rows */
    put_random(20 + draw_length());
}

static const struct {
    const char *name;
    subject *run;
    void (*make)(void);
    bool text;  /* may be damaged */
    long every; /* one case of so many is run, where they are large; 0: all are */
} FAMILIES[] = {
    {.name = "base64", .run = subject_base64, .make = make_base64, .text = true},
    {.name = "numbers", .run = subject_numbers, .make = make_numbers, .text = true},
    {.name = "response", .run = subject_response, .make = make_response, .text = true},
    {.name = "bits", .run = subject_bits, .make = make_floats},
    {.name = "quantize", .run = subject_quantize, .make = make_floats},
    {.name = "hadamard", .run = subject_hadamard, .make = make_floats},
    {.name = "lowbit", .run = subject_lowbit, .make = make_floats},
    {.name = "dot", .run = subject_dot, .make = make_integers},
    {.name = "hamming", .run = subject_hamming, .make = make_integers},
    {.name = "search", .run = subject_search, .make = make_integers},
    {.name = "planes", .run = subject_planes, .make = make_slots, .every = 5},
    {.name = "slots", .run = subject_slots, .make = make_slots},
    {.name = "floats", .run = subject_floats, .make = make_floats},
    {.name = "lines", .run = subject_lines, .make = make_lines, .text = true},
    {.name = "items", .run = subject_items, .make = make_floats},
    {.name = "crc32", .run = subject_crc32, .make = make_floats},
};

static size_t family;

static void make_input(void) {
    used = 0;
    FAMILIES[family].make();
}

int main(int argc, char **argv) {
    long cases = argc > 1 ? atol(argv[1]) : 2000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    bool known = argc <= 3, reached = true;
    printf("tiers:");
    for (uint32_t tier = EC_ISA_SCALAR; *ec_isa_name(tier); tier <<= 1)
        if (ec_isa_available() & tier) printf(" %s", ec_isa_name(tier));
    printf("\n");
    ec_isa_select(EC_ISA_SCALAR); /* the generators encode too */
    for (family = 0; family < sizeof FAMILIES / sizeof FAMILIES[0]; family++) {
        const char *name = FAMILIES[family].name;
        if (argc > 3 && strcmp(argv[3], name) != 0) continue;
        known = true;
        state = seed + family * 0x1000000;
        const long n = FAMILIES[family].every ? cases / FAMILIES[family].every : cases;
        for (long i = 0; i < n; i++) {
            make_input();
            if (FAMILIES[family].text && below(2)) damage();
            compare_tiers(name, FAMILIES[family].run, input, used);
        }
        printf("%-10s %ld cases agree\n", name, n);
        reached &= reach_slots(name, FAMILIES[family].run, make_input, input, &used);
        fflush(stdout);
    }
    if (!known) fprintf(stderr, "no family %s\n", argv[3]);
    return known && reached ? 0 : 2;
}
