// A steady rate of calls: argv[1] calls of `leaf` a second for argv[2] seconds, in slices of 1 ms. A
// slice that comes late is made up for, so the number of calls does not depend on the machine.
// Truth: calls a second × seconds; the fact `wall_ns` says how long it took.

#include <stdlib.h>

#include "workload.h"

TRUTH(leaf);

PROBED long leaf(long x) {
    CALLED(leaf);
    return x + 1;
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    long per_slice = atol(argv[1]) / 1000, slices = atol(argv[2]) * 1000;
    volatile long sum = 0;
    wait_for_go();
    long begin = nanoseconds(CLOCK_MONOTONIC);
    for (long slice = 0; slice < slices; slice++) {
        for (long call = 0; call < per_slice; call++)
            sum += leaf(call);
        long next = begin + (slice + 1) * 1000000;
        struct timespec until = {next / 1000000000, next % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    fact("wall_ns", nanoseconds(CLOCK_MONOTONIC) - begin);
    TELL(leaf);
    return 0;
}
