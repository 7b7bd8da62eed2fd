// Two threads share CPU 0 while both spin, 500 ms of CPU time each: each waits for the other about
// half the time.
// Truth: the facts `wall_ns_a`, `cpu_ns_a`, `wall_ns_b`, `cpu_ns_b` and the thread ids `tid_a`, `tid_b`.

#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>

#include "workload.h"

TRUTH(spin);

struct share {
    pid_t tid;
    long wall, cpu;
};

static pthread_barrier_t start;

PROBED void spin(void) {
    CALLED(spin);
    burn(500 * 1000000L);
}

static void *spinner(void *argument) {
    struct share *share = argument;
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
    share->tid = gettid();
    pthread_barrier_wait(&start);
    long wall = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    spin();
    share->wall = nanoseconds(CLOCK_MONOTONIC) - wall;
    share->cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    return NULL;
}

int main(void) {
    struct share a, b;
    pthread_t thread_a, thread_b;
    pthread_barrier_init(&start, NULL, 2);
    wait_for_go();
    pthread_create(&thread_a, NULL, spinner, &a);
    pthread_create(&thread_b, NULL, spinner, &b);
    pthread_join(thread_a, NULL);
    pthread_join(thread_b, NULL);
    fact("tid_a", a.tid);
    fact("wall_ns_a", a.wall);
    fact("cpu_ns_a", a.cpu);
    fact("tid_b", b.tid);
    fact("wall_ns_b", b.wall);
    fact("cpu_ns_b", b.cpu);
    TELL(spin);
    return 0;
}
