/* What this machine allows: read bandwidth of each level of memory, and vector instructions a second.
 *
 *     gcc -O2 -std=gnu11 -pthread -o ceilings ceilings.c && ./ceilings avx512
 *
 * Prints one JSON object, of vectors of 256 bits for "avx2" and of 512 for "avx512". Bandwidth: GB/s of one core that
 * reads a working set of the given size over and over, and of two threads at once. Instructions: 10^9 a second, twelve
 * independent chains, so that latency is hidden; popcnt counts words of 64 bits. */
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

#define AVX2 __attribute__((target("avx2,fma,popcnt"), noinline))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vnni,avx512vpopcntdq"), noinline))

/* Read n bytes (a multiple of 1,024) `times` over; what is read is folded into the result, so that it must be read. */
typedef uint64_t read_function(const uint8_t *p, size_t n, size_t times);

AVX512 static uint64_t read_512(const uint8_t *p, size_t n, size_t times) {
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

AVX2 static uint64_t sum_256(__m256i x) {
    uint64_t lanes[4];
    _mm256_storeu_si256((__m256i *)lanes, x);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

AVX2 static uint64_t read_256(const uint8_t *p, size_t n, size_t times) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    for (size_t t = 0; t < times; t++)
        for (size_t i = 0; i < n; i += 128) {
            a = _mm256_xor_si256(a, _mm256_load_si256((const __m256i *)(p + i)));
            b = _mm256_xor_si256(b, _mm256_load_si256((const __m256i *)(p + i + 32)));
            c = _mm256_xor_si256(c, _mm256_load_si256((const __m256i *)(p + i + 64)));
            d = _mm256_xor_si256(d, _mm256_load_si256((const __m256i *)(p + i + 96)));
        }
    return sum_256(_mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d)));
}

static read_function *read_all;

static volatile uint64_t sink;

typedef struct {
    const uint8_t *p;
    size_t n, times;
    pthread_barrier_t *both;
} share;

enum { ROUNDS = 40, ROUND_BYTES = 16 << 20 };

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

/* Bytes a second of the best of several rounds, each of at least ROUND_BYTES, by one thread or two with a half each. */
static double bandwidth(const uint8_t *p, size_t n, int threads) {
    const size_t part = n / (size_t)threads / 1024 * 1024, times = (size_t)ROUND_BYTES / n + 1;
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
#define CHAIN(OP, x, kind) x = OP(x); __asm__ volatile("" : "+" kind(x))
#define CHAINS(name, TARGET, type, kind, k, sum, OP)                                                               \
    TARGET static uint64_t name(size_t times) {                                                                    \
        type a = k, b = k, c = k, d = k, e = k, g = k, h = k, i = k, j = k, l = k, m = k, n = k;                   \
        for (size_t t = 0; t < times; t++) {                                                                       \
            CHAIN(OP, a, kind); CHAIN(OP, b, kind); CHAIN(OP, c, kind); CHAIN(OP, d, kind); CHAIN(OP, e, kind);    \
            CHAIN(OP, g, kind); CHAIN(OP, h, kind); CHAIN(OP, i, kind); CHAIN(OP, j, kind); CHAIN(OP, l, kind);    \
            CHAIN(OP, m, kind); CHAIN(OP, n, kind);                                                                \
        }                                                                                                          \
        return sum(a ^ b ^ c ^ d ^ e ^ g ^ h ^ i ^ j ^ l ^ m ^ n);                                                 \
    }
/* clang-format on */
#define SUM_512(x) (uint64_t)_mm512_reduce_add_epi64(x)
#define K_512 _mm512_set1_epi64(0x0102030405060708)
#define PORT_512(name, OP) CHAINS(name, AVX512, __m512i, "v", K_512, SUM_512, OP)
#define XOR_512(x) _mm512_xor_si512(x, K_512)
#define ADD_512(x) _mm512_add_epi64(x, K_512)
#define POPCNT_512(x) _mm512_popcnt_epi64(x)
#define VPERMB_512(x) _mm512_permutexvar_epi8(x, K_512)
#define VPSHUFB_512(x) _mm512_shuffle_epi8(K_512, x)
#define DPBUSD_512(x) _mm512_dpbusd_epi32(x, K_512, K_512)
#define FMA_512(x) _mm512_castps_si512(_mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_set1_ps(0.5f), _mm512_set1_ps(2)))
PORT_512(xor_512, XOR_512)
PORT_512(add_512, ADD_512)
PORT_512(popcnt_512, POPCNT_512)
PORT_512(vpermb_512, VPERMB_512)
PORT_512(vpshufb_512, VPSHUFB_512)
PORT_512(dpbusd_512, DPBUSD_512)
PORT_512(fma_512, FMA_512)

#define K_256 _mm256_set1_epi64x(0x0102030405060708)
#define PORT_256(name, OP) CHAINS(name, AVX2, __m256i, "x", K_256, sum_256, OP)
#define ADD_256(x) _mm256_add_epi32(x, K_256)
#define VPSHUFB_256(x) _mm256_shuffle_epi8(K_256, x)
#define SAD_256(x) _mm256_sad_epu8(x, K_256)
#define MADDWD_256(x) _mm256_madd_epi16(x, K_256)
#define MADDUBS_256(x) _mm256_maddubs_epi16(x, K_256)
#define FMA_256(x) _mm256_castps_si256(_mm256_fmadd_ps(_mm256_castsi256_ps(x), _mm256_set1_ps(0.5f), _mm256_set1_ps(2)))
PORT_256(add_256, ADD_256)
PORT_256(vpshufb_256, VPSHUFB_256)
PORT_256(sad_256, SAD_256)
PORT_256(maddwd_256, MADDWD_256)
PORT_256(maddubs_256, MADDUBS_256)
PORT_256(fma_256, FMA_256)

#define POPCNT_64(x) (uint64_t)_mm_popcnt_u64(x)
#define SAME(x) x
CHAINS(popcnt_64, AVX2, uint64_t, "r", times, SAME, POPCNT_64)

typedef struct {
    const char *name;
    uint64_t (*kernel)(size_t);
} port;

static const port PORTS_512[] = {
    {"vpxorq", xor_512},      {"vpaddq", add_512},      {"vpopcntq", popcnt_512}, {"vpermb", vpermb_512},
    {"vpshufb", vpshufb_512}, {"vpdpbusd", dpbusd_512}, {"vfmadd", fma_512},      {NULL, NULL}};
static const port PORTS_256[] = {
    {"vpaddd", add_256},         {"vpshufb", vpshufb_256}, {"vpsadbw", sad_256},  {"vpmaddwd", maddwd_256},
    {"vpmaddubsw", maddubs_256}, {"vfmadd", fma_256},      {"popcnt", popcnt_64}, {NULL, NULL}};

static double instructions(uint64_t (*kernel)(size_t)) {
    const size_t times = 400000; /* windows of less than 1 ms: some of many lie between two interruptions */
    double best = 0;
    for (int round = 0; round < 100; round++) {
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
    for (int round = 0; round < 100; round++) {
        double start = now();
        uint64_t x = 1;
        for (size_t t = 0; t < 2000000; t++) {
            x += t;
            __asm__ volatile("" : "+r"(x));
        }
        sink += x;
        double rate = 2e6 / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

int main(int argc, char **argv) {
    const int wide = argc == 2 && strcmp(argv[1], "avx512") == 0;
    if (!wide && (argc != 2 || strcmp(argv[1], "avx2") != 0)) {
        fprintf(stderr, "usage: %s avx2|avx512\n", argv[0]);
        return 2;
    }
    read_all = wide ? read_512 : read_256;
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
    printf(",\n \"instructions_G_per_s\": {");
    for (const port *p = wide ? PORTS_512 : PORTS_256; p->name != NULL; p++)
        printf("%s\"%s\": %.2f", p == PORTS_512 || p == PORTS_256 ? "" : ", ", p->name, instructions(p->kernel) * 1e-9);
    printf("}}\n");
    free(memory);
    return 0;
}
