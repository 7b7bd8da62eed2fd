// Keeps two threads busy calling, jumping over frames and taking signals, and prints one line a batch;
// argv[1] batches, or until its input ends; exit status 7.
// Truth: the lines depend on the batch number alone, never on the time or on a tracer.

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

#include "workload.h"

static __thread jmp_buf back;
static __thread unsigned long signals;

PROBED unsigned long mix(unsigned long x) {
    x ^= x >> 31;
    return x * 0x9e3779b97f4a7c15UL + 1;
}

PROBED unsigned long descend(int levels, unsigned long x) {
    if (levels == 0 && x % 5 == 0)
        longjmp(back, 1);
    unsigned long below = levels == 0 ? mix(x) : descend(levels - 1, mix(x));
    NOT_A_TAIL_CALL;
    return below + mix(x);
}

PROBED unsigned long attempt(unsigned long x) {
    if (setjmp(back) == 0)
        return descend((int)(x % 9), x);
    return 1;
}

PROBED void on_signal(int number) {
    (void)number;
    signals++;
}

PROBED unsigned long batch(unsigned long number) {
    unsigned long hash = number;
    for (int i = 0; i < 200; i++)
        hash = mix(hash + attempt(hash + i));
    raise(SIGUSR1);
    return hash;
}

static void *second_thread(void *number) {
    return (void *)batch(*(unsigned long *)number * 2 + 1);
}

static int input_ended(void) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) != 0;
}

int main(int argc, char **argv) {
    unsigned long batches = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    signal(SIGUSR1, on_signal);
    puts("ready");
    fflush(stdout);
    for (unsigned long number = 0; argc > 1 ? number < batches : !input_ended(); number++) {
        pthread_t second;
        void *other;
        pthread_create(&second, NULL, second_thread, &number);
        unsigned long hash = batch(number * 2);
        pthread_join(second, &other);
        printf("batch %lu %016lx %016lx\n", number, hash, (unsigned long)other);
        fflush(stdout);
    }
    return 7;
}
