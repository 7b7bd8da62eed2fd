// Recursion deeper than the 64 return probes that the kernel keeps for a thread.
// Truth: every function counts its own calls.

#include "workload.h"

TRUTH(deep);
TRUTH(ackermann);
TRUTH(fibonacci);
TRUTH(is_even);
TRUTH(is_odd);

PROBED int deep(int levels) {
    CALLED(deep);
    int below = levels == 0 ? 0 : deep(levels - 1);
    NOT_A_TAIL_CALL;
    return below + 1;
}

PROBED unsigned ackermann(unsigned m, unsigned n) {
    CALLED(ackermann);
    unsigned result = m == 0   ? n + 1
                      : n == 0 ? ackermann(m - 1, 1)
                               : ackermann(m - 1, ackermann(m, n - 1));
    NOT_A_TAIL_CALL;
    return result;
}

PROBED unsigned fibonacci(unsigned n) {
    CALLED(fibonacci);
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

PROBED int is_odd(unsigned n);

PROBED int is_even(unsigned n) {
    CALLED(is_even);
    int result = n == 0 ? 1 : is_odd(n - 1);
    NOT_A_TAIL_CALL;
    return result;
}

PROBED int is_odd(unsigned n) {
    CALLED(is_odd);
    int result = n == 0 ? 0 : is_even(n - 1);
    NOT_A_TAIL_CALL;
    return result;
}

int main(void) {
    long sum = 0;
    wait_for_go();
    for (int round = 0; round < 20; round++)
        sum += deep(500);
    sum += ackermann(3, 4);
    sum += fibonacci(16);
    for (int round = 0; round < 3; round++)
        sum += is_even(301);
    fact("sum", sum);
    TELL(deep);
    TELL(ackermann);
    TELL(fibonacci);
    TELL(is_even);
    TELL(is_odd);
    return 0;
}
