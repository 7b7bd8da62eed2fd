// As many calls as the CPUs can make: argv[1] threads, argv[2] calls of `leaf` each.
// Truth: the calls made, which are given.

#include <pthread.h>
#include <stdlib.h>

#include "workload.h"

TRUTH(leaf);
static long calls_each;

PROBED long leaf(long x) {
    CALLED(leaf);
    return x + 1;
}

static void *hot_loop(void *unused) {
    long sum = 0;
    for (long call = 0; call < calls_each; call++)
        sum += leaf(call);
    return (void *)(unused == NULL ? sum : 0);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    int count = atoi(argv[1]);
    calls_each = atol(argv[2]);
    pthread_t threads[64];
    wait_for_go();
    for (int i = 0; i < count && i < 64; i++)
        pthread_create(&threads[i], NULL, hot_loop, NULL);
    for (int i = 0; i < count && i < 64; i++)
        pthread_join(threads[i], NULL);
    TELL(leaf);
    return 0;
}
