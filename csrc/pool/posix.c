/* The pool's threads where there are POSIX threads. */
#if !defined(_WIN32)
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* for sched_getaffinity() and sched_getcpu() */
#endif
#include "os.h"

#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 2 << 20 }; /* some C libraries give threads but 128 KB, too few for users' metrics */

void ec_os_place_init(ec_os_place *place) {
    pthread_mutex_init(&place->lock, NULL);
    pthread_cond_init(&place->changed, NULL);
}

void ec_os_sleep(ec_os_place *place, ec_atomic_u32 *word, uint32_t wanted) {
    pthread_mutex_lock(&place->lock);
    while (ec_atomic_load(word) != wanted) pthread_cond_wait(&place->changed, &place->lock);
    pthread_mutex_unlock(&place->lock);
}

void ec_os_wake(ec_os_place *place) {
    pthread_mutex_lock(&place->lock); /* not between the sleeper's look at the word and its sleep */
    pthread_mutex_unlock(&place->lock);
    pthread_cond_signal(&place->changed);
}

static void *begin(void *helper) {
    ec_pool_serve(helper);
    return NULL;
}

/* Signals are for the interpreter's threads, but for those that tell of a fault in this one. */
static void mask_signals(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

int ec_os_start(void *helper) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t before;
    if (pthread_attr_init(&attributes) != 0) return 0;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    mask_signals(&before);
    const int started = pthread_create(&thread, &attributes, begin, helper) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

void ec_os_lock(void) { pthread_mutex_lock(&lock); }
void ec_os_unlock(void) { pthread_mutex_unlock(&lock); }

static void in_child(void) {
    pthread_mutex_init(&lock, NULL);
    ec_pool_forget();
}

static void watch_forks(void) { pthread_atfork(ec_os_lock, ec_os_unlock, in_child); }

void ec_os_watch(void) { pthread_once(&once, watch_forks); }

void ec_os_yield(void) { sched_yield(); }

int64_t ec_os_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int ec_os_cores(void) {
#if defined(__linux__)
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) == 0) return CPU_COUNT(&cores);
#endif
    const long cores_online = sysconf(_SC_NPROCESSORS_ONLN);
    return cores_online < 1 ? 1 : (int)cores_online;
}

int ec_os_core(void) {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}
#else
typedef int ec_no_posix; /* a C file has at least one declaration */
#endif
