// Tail calls, which leave one frame by entering the next: a chain of three, a pair of functions that
// hand over to each other 1,000 times, and a self-recursion that stays a call. Build with -O2.
// Truth: every function counts its own calls.

#include "workload.h"

TRUTH(leaf);
TRUTH(third);
TRUTH(second);
TRUTH(first);
TRUTH(ping);
TRUTH(pong);
TRUTH(factorial);

PROBED long leaf(long x) {
    CALLED(leaf);
    return x + 1;
}

PROBED long third(long x) {
    CALLED(third);
    return leaf(x) + leaf(x + 1);
}

PROBED long second(long x) {
    CALLED(second);
    return third(x * 2);
}

PROBED long first(long x) {
    CALLED(first);
    return second(leaf(x));
}

PROBED long pong(long left);

PROBED long ping(long left) {
    CALLED(ping);
    return left == 0 ? 1 : pong(left - 1);
}

PROBED long pong(long left) {
    CALLED(pong);
    return left == 0 ? 2 : ping(left - 1);
}

PROBED unsigned long factorial(unsigned long n) {
    CALLED(factorial);
    unsigned long rest = n < 2 ? 1 : factorial(n - 1);
    NOT_A_TAIL_CALL;
    return n * rest;
}

int main(void) {
    unsigned long sum = 0;
    wait_for_go();
    for (long round = 0; round < 3000; round++)
        sum += first(round);
    for (long round = 0; round < 20; round++)
        sum += ping(1000);
    for (unsigned long n = 0; n < 100; n++)
        sum += factorial(n);
    fact("sum", (long)sum);
    TELL(leaf);
    TELL(third);
    TELL(second);
    TELL(first);
    TELL(ping);
    TELL(pong);
    TELL(factorial);
    return 0;
}
