/* What this machine allows: read bandwidth of each level of memory, and vector instructions a second.
 *
 *     gcc -O2 -std=gnu11 -o ceilings ceilings.c && ./ceilings
 *
 * Prints one JSON object. Bandwidth: GB/s of one core that reads a working set of the given size over and over, and of
 * two threads at once. Instructions: 10^9 of 512 bits a second, twelve independent chains, so that latency is hidden. */
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vnni,avx512vpopcntdq"), noinline))

/* Read n bytes (a multiple of 1,024) `times` over; what is read is folded into the result, so that it must be read. */
TARGET static uint64_t read_all(const uint8_t *p, size_t n, size_t times) {
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    for (size_t t = 0; t < times; t++)
        for (size_t i = 0; i < n; i += 256) {
            a = _mm512_xor_si512(a, _mm512_load_si512(p + i));
            b = _mm512_xor_si512(b, _mm512_load_si512(p + i + 64));
            c = _mm512_xor_si512(c, _mm512_load_si512(p + i + 128));
            d = _mm512_xor_si512(d, _mm512_load_si512(p + i + 192));
        }
    return (uint64_t)_mm512_reduce_add_epi64(_mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d)));
}

static volatile uint64_t sink;

typedef struct {
    const uint8_t *p;
    size_t n, times;
    pthread_barrier_t *both;
} share;

enum { ROUNDS = 5 };

/* The other thread's rounds: both begin and end together. */
static void *read_rounds(void *argument) {
    const share *s = argument;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(s->both);
        sink += read_all(s->p, s->n, s->times);
        pthread_barrier_wait(s->both);
    }
    return NULL;
}

/* Bytes a second of the best of several rounds, each of at least 256 MB, by one thread or two with a half each. */
static double bandwidth(const uint8_t *p, size_t n, int threads) {
    const size_t part = n / (size_t)threads / 1024 * 1024, times = ((size_t)256 << 20) / n + 1;
    pthread_barrier_t both;
    share other = {p + part, part, times, &both};
    pthread_t thread;
    double best = 0;
    if (threads == 2 &&
        (pthread_barrier_init(&both, NULL, 2) != 0 || pthread_create(&thread, NULL, read_rounds, &other) != 0))
        return 0;
    for (int round = 0; round < ROUNDS; round++) {
        if (threads == 2) pthread_barrier_wait(&both);
        double start = now();
        sink += read_all(p, part, times);
        if (threads == 2) pthread_barrier_wait(&both);
        double rate = (double)part * threads * (double)times / (now() - start);
        if (rate > best) best = rate;
    }
    if (threads == 2) pthread_join(thread, NULL);
    return best;
}

/* A kernel of twelve chains; OP(x) is an instruction that depends on x. */
/* clang-format off */
#define CHAIN(OP, x) x = OP(x); __asm__ volatile("" : "+v"(x))
#define PORT(name, OP)                                                                                        \
    TARGET static uint64_t name(size_t times) {                                                               \
        __m512i k = _mm512_set1_epi64(0x0102030405060708);                                                    \
        __m512 f = _mm512_set1_ps(0.5f);                                                                      \
        __m512i a = k, b = k, c = k, d = k, e = k, g = k, h = k, i = k, j = k, l = k, m = k, n = k;           \
        __asm__ volatile("" : "+v"(k), "+v"(f));                                                              \
        for (size_t t = 0; t < times; t++) {                                                                  \
            CHAIN(OP, a); CHAIN(OP, b); CHAIN(OP, c); CHAIN(OP, d); CHAIN(OP, e); CHAIN(OP, g);               \
            CHAIN(OP, h); CHAIN(OP, i); CHAIN(OP, j); CHAIN(OP, l); CHAIN(OP, m); CHAIN(OP, n);               \
        }                                                                                                     \
        return (uint64_t)_mm512_reduce_add_epi64(a ^ b ^ c ^ d ^ e ^ g ^ h ^ i ^ j ^ l ^ m ^ n);              \
    }
/* clang-format on */
#define XOR(x) _mm512_xor_si512(x, k)
#define ADD(x) _mm512_add_epi64(x, k)
#define POPCNT(x) _mm512_popcnt_epi64(x)
#define VPERMB(x) _mm512_permutexvar_epi8(x, k)
#define VPSHUFB(x) _mm512_shuffle_epi8(k, x)
#define DPBUSD(x) _mm512_dpbusd_epi32(x, k, k)
#define FMA(x) _mm512_castps_si512(_mm512_fmadd_ps(_mm512_castsi512_ps(x), f, f))
PORT(port_xor, XOR)
PORT(port_add, ADD)
PORT(port_popcnt, POPCNT)
PORT(port_vpermb, VPERMB)
PORT(port_vpshufb, VPSHUFB)
PORT(port_dpbusd, DPBUSD)
PORT(port_fma, FMA)

static double instructions(uint64_t (*kernel)(size_t)) {
    const size_t times = 4000000;
    double best = 0;
    for (int round = 0; round < 5; round++) {
        double start = now();
        sink += kernel(times);
        double rate = 12.0 * (double)times / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

/* Clock: a chain of dependent additions, one a cycle. */
static double clock_rate(void) {
    double best = 0;
    for (int round = 0; round < 5; round++) {
        double start = now();
        uint64_t x = 1;
        for (size_t t = 0; t < 100000000; t++) {
            x += t;
            __asm__ volatile("" : "+r"(x));
        }
        sink += x;
        double rate = 1e8 / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

int main(void) {
    const size_t sizes[] = {24 << 10, 512 << 10, 12800000 / 1024 * 1024, 102400000, 409600000};
    const char *names[] = {"24 KB", "512 KB", "12.8 MB", "102 MB", "410 MB"};
    uint8_t *memory = aligned_alloc((size_t)2 << 20, (size_t)448 << 20);
    if (memory == NULL) return 1;
    madvise(memory, (size_t)448 << 20, MADV_HUGEPAGE); /* as NumPy asks for its large arrays */
    memset(memory, 1, (size_t)448 << 20);
    printf("{\"clock_GHz\": %.2f", clock_rate() * 1e-9);
    for (int threads = 1; threads <= 2; threads++) {
        printf(",\n \"read_GB_per_s%s\": {", threads == 1 ? "" : "_two_threads");
        for (int i = 0; i < 5; i++)
            printf("%s\"%s\": %.1f", i ? ", " : "", names[i],
                   bandwidth(memory, sizes[i] / 1024 * 1024, threads) * 1e-9);
        printf("}");
    }
    const struct {
        const char *name;
        uint64_t (*kernel)(size_t);
    } ports[] = {{"vpxorq", port_xor},    {"vpaddq", port_add},      {"vpopcntq", port_popcnt},
                 {"vpermb", port_vpermb}, {"vpshufb", port_vpshufb}, {"vpdpbusd", port_dpbusd},
                 {"vfmadd", port_fma}};
    printf(",\n \"instructions_G_per_s\": {");
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
        printf("%s\"%s\": %.2f", i ? ", " : "", ports[i].name, instructions(ports[i].kernel) * 1e-9);
    printf("}}\n");
    free(memory);
    return 0;
}
