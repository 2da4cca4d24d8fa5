/* Handing work to the threads that are kept, and back. What an operating system does for it is in os.h. */
#include "pool.h"

#include "../contract/pool.h"
#include "../contract/testing.h"
#include "os.h"

/* A thread that waits looks at a word for so long before it sleeps: about what it takes to wake one that sleeps. Who
 * wakes it stands still meanwhile: in a virtual machine both take some tens of microseconds. A helper, which calls come to
 * in a rhythm, stays awake for longer, but no longer than AWAKE_NS. */
enum { SPIN_NS = 50000, AWAKE_NS = 200000, LOOKS = 32 };

/* Work that is worth waking a helper for, unless such work comes in a rhythm; and work that one who is awake, but has
 * nothing of it in its cache, makes shorter. */
enum { WORTH_NS = 150000, LEAST_NS = 30000 };

enum { CORES_NS = 1000000 }; /* how long it is taken that the system allows as many cores as it did */

enum { WAKES = 2 }; /* helpers that a helper wakes: all are awake after the logarithm of their number */

/* A helper's word. It goes
 *
 *     IDLE --> GIVEN --helper--> BUSY --helper--> DONE --caller--> IDLE
 *                `--caller, who takes the work back--> IDLE
 *
 * From when it leaves the list of idle helpers until it is back there, a helper belongs to one caller. */
enum { IDLE, GIVEN, BUSY, DONE };

typedef struct helper helper;

typedef struct {
    ec_pool_work *work;
    void *context;
    helper *const *hired;
    uint32_t n_hired;
    int core; /* where the caller runs */
    ec_atomic_u32 n_given;
} job;

struct helper {
    ec_atomic_u32 word;
    ec_atomic_u32 sleeps, caller_sleeps; /* until the word is GIVEN, or DONE */
    job *given;
    int32_t thread;
    int core;     /* where it began to work */
    helper *next; /* of the idle ones */
    ec_os_place place;
    uint8_t apart[EC_POOL_LINE]; /* from the next one's word */
};

static helper helpers[EC_POOL_MOST];
static int born;     /* of them that have a thread */
static helper *idle; /* the last one to have worked is taken first, because its core is awake */
static ec_atomic_u32 cores, pretended;
static ec_atomic_i64 counted; /* when the cores were */
static ec_atomic_i64 quick;   /* when the last work ended for which no helper is woken */

void ec_pool_pretend_cores(int32_t count) {
    ec_atomic_store_i64(&counted, 0);
    ec_atomic_store(&pretended, (uint32_t)count);
}

void ec_pool_forget(void) {
    born = 0;
    idle = NULL;
}

/* Waits until the word is `wanted`: awake for `spin` nanoseconds, then asleep. */
static void await(helper *of, uint32_t wanted, ec_atomic_u32 *sleeps, int64_t spin) {
    if (spin) {
        const int64_t until = ec_os_nanoseconds() + spin;
        do {
            for (int i = 0; i < LOOKS; i++) {
                if (ec_atomic_load(&of->word) == wanted) return;
                ec_pause();
            }
        } while (ec_os_nanoseconds() < until);
    }
    ec_atomic_store(sleeps, 1);
    ec_os_sleep(&of->place, &of->word, wanted);
    ec_atomic_store(sleeps, 0);
}

/* Changes the word, and wakes who sleeps until it does. Either this sees that it sleeps, or it sees the new word before
 * it does: all threads see these in one order. */
static void tell(helper *to, uint32_t value, ec_atomic_u32 *sleeps) {
    ec_atomic_store(&to->word, value);
    if (ec_atomic_load(sleeps)) ec_os_wake(&to->place);
}

/* Gives the work to `most` more of the hired helpers, each of which is told once. */
static void give(job *to_do, uint32_t most) {
    for (uint32_t i = 0; i < most; i++) {
        const uint32_t next = ec_atomic_add(&to_do->n_given, 1);
        if (next >= to_do->n_hired) return;
        tell(to_do->hired[next], GIVEN, &to_do->hired[next]->sleeps);
    }
}

/* Whether two may run at the same time. On a core that they share, one that stays awake holds up the one it waits for. */
static int apart(int core, int other) { return ec_atomic_load(&cores) > 1 && (core != other || core < 0); }

/* How long a helper that has waited for so long stays awake the next time: for twice as long, if work came soon. */
static int64_t patience(int64_t waited) {
    if (waited > AWAKE_NS) return 0;
    return waited < SPIN_NS / 2 ? SPIN_NS : waited < AWAKE_NS / 2 ? 2 * waited : AWAKE_NS;
}

/* A helper's life. After work it stays awake for a moment if the work before that came as soon: so it does while
 * searches follow each other, and otherwise sleeps. */
void ec_pool_serve(void *self) {
    helper *me = self;
    int64_t spin = 0;
    for (;;) {
        const int64_t free = ec_os_nanoseconds();
        await(me, GIVEN, &me->sleeps, spin);
        spin = patience(ec_os_nanoseconds() - free);
        me->core = ec_os_core();
        if (!ec_atomic_swap(&me->word, GIVEN, BUSY)) continue; /* taken back */
        if (!apart(me->core, me->given->core)) spin = 0;
        give(me->given, WAKES);
        me->given->work(me->given->context, me->thread);
        tell(me, DONE, &me->caller_sleeps);
    }
}

/* On how many cores the process may run. To ask the system costs as much as to hand work over. */
static uint32_t cores_now(void) {
    const uint32_t known = ec_atomic_load(&cores), fixed = ec_atomic_load(&pretended);
    const int64_t now = ec_os_nanoseconds();
    if (fixed) return fixed;
    if (known && now - ec_atomic_load_i64(&counted) < CORES_NS) return known;
    ec_atomic_store_i64(&counted, now);
    return (uint32_t)ec_os_cores();
}

/* Takes up to n idle helpers; where they may be woken it takes those that sleep, and starts some where too few are idle.
 * Returns how many there are: fewer than cores, for those beyond would only take turns with the others. */
static uint32_t hire(helper **hired, int32_t n, int wakes) {
    uint32_t found = 0;
    const uint32_t here = cores_now();
    if (n >= (int32_t)here) n = (int32_t)here - 1;
    ec_atomic_store(&cores, here);
    if (n < 1) return 0;
    ec_os_watch();
    ec_os_lock();
    for (; (int32_t)found < n && idle != NULL && (wakes || !ec_atomic_load(&idle->sleeps)); idle = idle->next)
        hired[found++] = idle;
    for (; wakes && (int32_t)found < n && born < EC_POOL_MOST; born++) {
        helper *new = &helpers[born];
        memset(new, 0, sizeof *new);
        ec_os_place_init(&new->place);
        if (!ec_os_start(new)) break;
        hired[found++] = new;
    }
    ec_os_unlock();
    return found;
}

static void give_back(helper **hired, uint32_t n) {
    ec_os_lock();
    for (uint32_t i = n; i-- > 0;) { /* the first, which began first, comes first again */
        hired[i]->next = idle;
        idle = hired[i];
    }
    ec_os_unlock();
}

void ec_pool_each(int32_t threads, ec_pool_work *work, void *context) {
    ec_pool_each_for(threads, INT64_MAX, work, context);
}

void ec_pool_each_for(int32_t threads, int64_t nanoseconds, ec_pool_work *work, void *context) {
    helper *hired[EC_POOL_MOST];
    if (ec_atomic_load(&pretended)) nanoseconds = INT64_MAX; /* tests want small work to be shared */
    const int32_t most = nanoseconds < LEAST_NS ? 1 : threads < EC_POOL_MOST ? threads : EC_POOL_MOST;
    const int is_quick = most > 1 && nanoseconds < WORTH_NS;
    const int wakes = !is_quick || ec_os_nanoseconds() - ec_atomic_load_i64(&quick) < AWAKE_NS / 2;
    const uint32_t n = most > 1 ? hire(hired, most - 1, wakes) : 0;
    job to_do = {work, context, hired, n, n ? ec_os_core() : -1, {0}};
    for (uint32_t i = 0; i < n; i++) {
        hired[i]->given = &to_do;
        hired[i]->thread = (int32_t)i + 1;
    }
    give(&to_do, n);
    work(context, 0);
    /* In this order: who gives work to a helper is the caller, or a helper before it, which has ended by then. So each has
     * been given it, and nobody but the caller waits at the place where it would sleep. */
    for (uint32_t i = 0; i < n; i++) {
        if (ec_atomic_swap(&hired[i]->word, GIVEN, IDLE)) continue;
        await(hired[i], DONE, &hired[i]->caller_sleeps, apart(ec_os_core(), hired[i]->core) ? SPIN_NS : 0);
        ec_atomic_store(&hired[i]->word, IDLE);
    }
    if (n) give_back(hired, n);
    if (is_quick) ec_atomic_store_i64(&quick, ec_os_nanoseconds());
}

typedef struct {
    ec_pool_block *block;
    void *context;
    int64_t n;
    ec_atomic_i64 next;
} blocks;

static void take_blocks(void *of, int32_t thread) {
    blocks *these = of;
    (void)thread;
    for (int64_t b; (b = ec_atomic_add_i64(&these->next, 1)) < these->n;) these->block(these->context, b);
}

void ec_pool_run(int32_t threads, int64_t n_blocks, ec_pool_block *block, void *context) {
    blocks these = {block, context, n_blocks, {0}};
    if (n_blocks < threads) threads = (int32_t)n_blocks;
    if (n_blocks > 0) ec_pool_each(threads, take_blocks, &these);
}

enum { LONGEST_NS = 1000000 };

typedef struct {
    uint32_t wanted;
    ec_atomic_u32 there;
} meeting;

/* The caller waits for the helpers, but not for those that the system does not give. */
static void meet(void *of, int32_t thread) {
    meeting *this = of;
    ec_atomic_add(&this->there, 1);
    if (thread != 0) return;
    for (const int64_t until = ec_os_nanoseconds() + LONGEST_NS; ec_os_nanoseconds() < until;)
        for (int i = 0; i < LOOKS; i++) {
            if (ec_atomic_load(&this->there) == this->wanted) return;
            ec_pause();
        }
}

int64_t ec_pool_hand_over(int32_t threads) {
    meeting this = {(uint32_t)threads, {0}};
    const int64_t begun = ec_os_nanoseconds();
    ec_pool_each(threads, meet, &this);
    return ec_os_nanoseconds() - begun;
}

int32_t ec_pool_born(void) { return born; }
