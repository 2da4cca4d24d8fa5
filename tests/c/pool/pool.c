/* The pool of threads, under the sanitizer of threads: every block once, what was written seen, callers beside each
 * other and within each other; and where there are forks their children, and threads that the system does not give.
 *
 *     pool ROUNDS      returns 1, and says why, where something is wrong */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "pool/pool.h"
#include "pool/text.h"

#include "contract/pool.h"
#include "contract/testing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if !defined(_WIN32)
#include <sys/resource.h>
#include <sys/wait.h>
#endif

/* The sanitizer of threads and valgrind need memory themselves; to helgrind what a child has is still its parent's. */
#if defined(EC_HELGRIND)
enum { HAS_FORKS = 0, HAS_LIMITS = 0 };
#elif defined(__SANITIZE_THREAD__)
enum { HAS_FORKS = 1, HAS_LIMITS = 0 };
#else
enum { HAS_FORKS = 1, HAS_LIMITS = 1 };
#endif

static int wrong;

#define CHECK(claim)                                                            \
    do {                                                                        \
        if (!(claim)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
            __atomic_store_n(&wrong, 1, __ATOMIC_RELAXED);                      \
        }                                                                       \
    } while (0)

enum { MOST_BLOCKS = 1000, CALLERS = 8, SECONDS = 600 };

/* Plain numbers, which one thread alone may write: the sanitizer sees where two do, or where the caller does not wait. */
typedef struct {
    int64_t met[MOST_BLOCKS];
    int inner;
} blocks;

static void count(void *of, int64_t block) { ((blocks *)of)->met[block]++; }

static void count_within(void *of, int64_t block) {
    blocks *these = of;
    blocks inner = {{0}, 0};
    if (these->inner) ec_pool_run(3, 7, count, &inner);
    for (int i = 0; these->inner && i < 7; i++) CHECK(inner.met[i] == 1);
    these->met[block]++;
}

static void every_block_once(int threads, int n_blocks, int inner) {
    blocks these = {{0}, inner};
    ec_pool_run(threads, n_blocks, count_within, &these);
    for (int i = 0; i < n_blocks; i++) CHECK(these.met[i] == 1);
}

typedef struct {
    int32_t threads;
    int64_t begun[64];
} each;

static void note(void *of, int32_t thread) {
    each *these = of;
    CHECK(thread >= 0 && thread < these->threads);
    these->begun[thread]++;
}

static void a_number_each(int threads) {
    each these = {threads, {0}};
    ec_pool_each(threads, note, &these);
    CHECK(these.begun[0] == 1);
    for (int i = 0; i < threads; i++) CHECK(these.begun[i] <= 1);
}

typedef struct {
    int64_t *met;
    int64_t bad; /* the first row that fails */
} rows;

static ec_result mark(const void *of, int64_t first, int64_t n) {
    const rows *these = of;
    ec_result r = {0, 0, EC_OK};
    for (int64_t row = first; row < first + n && r.status == EC_OK; row++) {
        these->met[row]++;
        r.consumed = row;
        if (row >= these->bad) r.status = EC_NOT_FINITE;
    }
    return r;
}

static void every_row_once(int threads, int64_t row_bytes, int64_t bad) {
    int64_t met[MOST_BLOCKS] = {0};
    const rows these = {met, bad};
    const ec_result r = ec_pool_rows(threads, MOST_BLOCKS, row_bytes, mark, &these);
    CHECK((r.status == EC_OK) == (bad == MOST_BLOCKS));
    CHECK(r.status == EC_OK || r.consumed == bad);
    for (int64_t i = 0; i < bad; i++) CHECK(met[i] == 1 || (bad < MOST_BLOCKS && met[i] == 2));
}

enum { LONGEST = 40 };

/* Block b is b % 41 bytes, which say b; block `bad` cannot be written. */
static int64_t write_some(const void *of, int64_t block, uint8_t *to) {
    const int64_t n = block % (LONGEST + 1), bad = *(const int64_t *)of;
    if (block == bad) return -1 - n;
    memset(to, (int)(block % 251), (size_t)n);
    return n;
}

/* All that there is room for, in order, whatever the threads; nothing behind the room. */
static void text_in_order(int threads, int64_t n_blocks, int64_t capacity, int64_t bad) {
    enum { WALL = 8, BEFORE = 5, ROOM = MOST_BLOCKS * LONGEST };
    static const uint8_t wall[WALL] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t *text = malloc(BEFORE + ROOM + WALL), scratch[16 * EC_TEXT_ASIDE * LONGEST], want[LONGEST];
    memcpy(text + BEFORE + capacity, wall, WALL);
    const ec_text to = {text, BEFORE, BEFORE + capacity, scratch, sizeof scratch, threads};
    const ec_result r = ec_pool_write(&to, n_blocks, LONGEST, write_some, &bad);
    const uint8_t *at = text + BEFORE;
    for (int64_t b = 0; b < r.produced; b++) {
        const int64_t n = write_some(&bad, b, want);
        CHECK(memcmp(at, want, (size_t)n) == 0);
        at += n;
    }
    const int64_t n = r.produced % (LONGEST + 1), room = capacity - (at - text - BEFORE);
    CHECK(memcmp(text + BEFORE + capacity, wall, WALL) == 0);
    if (r.status == EC_NOT_FINITE)
        CHECK(r.produced == bad && r.consumed == n);
    else
        CHECK(r.consumed == at - text - BEFORE);
    if (r.status == EC_NO_CAPACITY) CHECK(r.produced < n_blocks && room < LONGEST && (threads < 2 || room < n));
    if (r.status == EC_OK) CHECK(r.produced == n_blocks && bad >= n_blocks);
    free(text);
}

typedef struct {
    rows all;
    int64_t step;
    int inside[16]; /* of each thread: whether it works, which it does on one range at a time */
} stepped;

static ec_result mark_step(const void *of, int32_t thread, int64_t first, int64_t n) {
    stepped *these = (stepped *)of;
    CHECK(thread >= 0 && thread < 16 && !these->inside[thread]);
    CHECK(first % these->step == 0 && n == (first + these->step > MOST_BLOCKS ? MOST_BLOCKS - first : these->step));
    these->inside[thread] = 1;
    const ec_result r = mark(&these->all, first, n);
    these->inside[thread] = 0;
    return r;
}

static void every_step_once(int threads, int64_t step, int64_t bad) {
    int64_t met[MOST_BLOCKS] = {0};
    stepped these = {{met, bad}, step, {0}};
    const ec_result r = ec_pool_steps(threads, MOST_BLOCKS, step, mark_step, &these);
    CHECK((r.status == EC_OK) == (bad == MOST_BLOCKS) && (r.status == EC_OK || r.consumed == bad));
    for (int64_t i = 0; i < bad; i++) CHECK(met[i] == 1 || (bad < MOST_BLOCKS && met[i] == 2));
}

static void *caller(void *rounds) {
    static const int THREADS[] = {1, 2, 3, 7, 16};
    for (int i = 0; i < *(const int *)rounds; i++) {
        every_block_once(THREADS[i % 5], i % 11 == 0 ? MOST_BLOCKS : i % 23, i % 13 == 0);
        a_number_each(THREADS[i % 5]);
        every_row_once(THREADS[i % 5], i % 2 ? 1 << 15 : 1, i % 3 ? 97 * (i % 10) : MOST_BLOCKS);
        every_step_once(THREADS[i % 5], 1 + i % 40, i % 3 ? 97 * (i % 10) : MOST_BLOCKS);
        text_in_order(THREADS[i % 5], i % 7 ? 37 * (i % 19) : MOST_BLOCKS,
                      i % 4 ? MOST_BLOCKS * LONGEST : 571 * (i % 31), i % 3 ? MOST_BLOCKS : 29 * (i % 37));
        if (i % 50 == 0) usleep(300); /* so that helpers fall asleep */
    }
    return NULL;
}

static void callers(int n, int rounds) {
    pthread_t threads[CALLERS];
    for (int i = 0; i < n; i++) CHECK(pthread_create(&threads[i], NULL, caller, &rounds) == 0);
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
}

#if !defined(_WIN32)
static void children(int rounds) {
    int status;
    for (int i = 0; i < 3; i++) {
        const pid_t child = fork();
        if (child == 0) {
            CHECK(ec_pool_born() == 0);
            caller(&rounds);
            CHECK(ec_pool_born() > 0);
            fflush(NULL);
            _exit(wrong);
        }
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* Limits a child to a number of helpers. Returns whether it could. */
static int no_room(rlim_t helpers) {
    const struct rlimit none = {helpers, helpers};
    return helpers == 0 && setrlimit(RLIMIT_AS, &none) == 0; /* for stacks */
}

static int no_more_threads(rlim_t helpers) {
    const struct rlimit most = {1 + helpers, 1 + helpers};
    enum { SOMEBODY = 54321 }; /* who runs nothing else, and must heed limits */
    return setuid(SOMEBODY) == 0 && setrlimit(RLIMIT_NPROC, &most) == 0;
}

/* In a child that gets fewer helpers than it wants: before there is any whose stack it could take. */
static void with_few_threads(int (*limit)(rlim_t), rlim_t helpers) {
    int status;
    const pid_t child = fork();
    if (child == 0) {
        if (!limit(helpers)) _exit(0);
        for (int i = 0; i < 20; i++) every_block_once(8, 100, i % 2);
        CHECK(ec_pool_born() == (int32_t)helpers);
        CHECK(ec_pool_hand_over(8) > 0);
        _exit(wrong);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void limits(void) {
    with_few_threads(no_room, 0);
    with_few_threads(no_more_threads, 0);
    with_few_threads(no_more_threads, 3);
}

/* A child of a process whose other threads have work under way. */
static void *fork_meanwhile(void *rounds) {
    children(*(int *)rounds / 4);
    return NULL;
}

static void forks(int rounds) {
    pthread_t beside;
    children(rounds);
    CHECK(pthread_create(&beside, NULL, fork_meanwhile, &rounds) == 0);
    callers(3, rounds / 2);
    pthread_join(beside, NULL);
}
#else
static void limits(void) {}
static unsigned alarm(unsigned seconds) { return seconds; }
static void forks(int rounds) { (void)rounds; }
#endif

static void count_run(void *of, int32_t thread) { ec_atomic_add(&((ec_atomic_u32 *)of)[thread], 1); }

/* With the three cores that the pool takes there to be, of sixteen threads none but the first three run. */
static void fewer_than_cores(void) {
    ec_atomic_u32 ran[16];
    memset(ran, 0, sizeof ran);
    for (int i = 0; i < 20; i++) ec_pool_each(16, count_run, ran);
    CHECK(ec_atomic_load(&ran[0]) == 20);
    for (int thread = 3; thread < 16; thread++) CHECK(ec_atomic_load(&ran[thread]) == 0);
}

/* Work that is next to nothing is the caller's alone, and of what takes a moment every thread does its part once. */
static void quick(void) {
    ec_atomic_u32 ran[4];
    memset(ran, 0, sizeof ran);
    for (int i = 0; i < 50; i++) ec_pool_each_for(4, 1000, count_run, ran);
    for (int thread = 0; thread < 4; thread++) CHECK(ec_atomic_load(&ran[thread]) == (thread ? 0 : 50));
    for (int i = 0; i < 50; i++) ec_pool_each_for(4, 50000, count_run, ran);
    CHECK(ec_atomic_load(&ran[0]) == 100);
    for (int thread = 1; thread < 4; thread++) CHECK(ec_atomic_load(&ran[thread]) <= 50);
}

int main(int n_arguments, char **arguments) {
    int rounds = n_arguments > 1 ? atoi(arguments[1]) : 500;
    ec_pool_pretend_cores(64);
    alarm(SECONDS); /* a thread that is not woken is waited for without end */
    if (HAS_LIMITS) limits();
    for (int i = 0; i < rounds; i++) every_block_once(1 + i % 5, 40, 0);
    CHECK(ec_pool_born() == 4); /* besides the caller */
    callers(CALLERS, rounds);
    CHECK(ec_pool_born() <= 256);
    for (int threads = 1; threads <= 16; threads++) CHECK(ec_pool_hand_over(threads) > 0);
    if (HAS_FORKS) forks(rounds);
    ec_pool_pretend_cores(3);
    fewer_than_cores();
    ec_pool_pretend_cores(0);
    quick();
    printf("pool: %d rounds, %s\n", rounds, wrong ? "wrong" : "right");
    return wrong;
}
