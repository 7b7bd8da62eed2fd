// Twenty sleeps and twenty spins of 50 ms each.
// Truth: the facts `nap_wall_ns`, `spin_wall_ns` and `spin_cpu_ns`, read from the clocks around each
// call; `nap` uses next to no CPU.

#include "workload.h"

enum { ROUNDS = 20, MILLISECONDS = 50 };

TRUTH(nap);
TRUTH(spin);

PROBED void nap(void) {
    CALLED(nap);
    struct timespec time = {0, MILLISECONDS * 1000000L};
    while (nanosleep(&time, &time) != 0) {
    }
}

PROBED void spin(void) {
    CALLED(spin);
    burn(MILLISECONDS * 1000000L);
}

int main(void) {
    long nap_wall = 0, nap_cpu = 0, spin_wall = 0, spin_cpu = 0;
    wait_for_go();
    for (int round = 0; round < ROUNDS; round++) {
        long wall = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
        nap();
        nap_wall += nanoseconds(CLOCK_MONOTONIC) - wall;
        nap_cpu += nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
        wall = nanoseconds(CLOCK_MONOTONIC), cpu = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
        spin();
        spin_wall += nanoseconds(CLOCK_MONOTONIC) - wall;
        spin_cpu += nanoseconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    }
    fact("nap_wall_ns", nap_wall);
    fact("nap_cpu_ns", nap_cpu);
    fact("spin_wall_ns", spin_wall);
    fact("spin_cpu_ns", spin_cpu);
    TELL(nap);
    TELL(spin);
    return 0;
}
