// `longjmp` over probed frames, shallow and deep, each followed by calls at the depths left behind.
// Truth: every function counts its own calls; every `round_trip` returns.

#include <setjmp.h>

#include "workload.h"

TRUTH(descend);
TRUTH(round_trip);
TRUTH(ordinary);
TRUTH(leaf);

static jmp_buf back;

PROBED int leaf(int x) {
    CALLED(leaf);
    return x + 1;
}

PROBED int ordinary(int levels) {
    CALLED(ordinary);
    int below = levels == 0 ? leaf(levels) : ordinary(levels - 1);
    NOT_A_TAIL_CALL;
    return below + 1;
}

PROBED int descend(int levels) {
    CALLED(descend);
    if (levels == 0)
        longjmp(back, 1);
    int below = descend(levels - 1);
    NOT_A_TAIL_CALL;
    return below + leaf(levels);
}

PROBED int round_trip(int levels) {
    CALLED(round_trip);
    if (setjmp(back) == 0)
        return descend(levels);
    return ordinary(levels / 2);
}

int main(void) {
    long sum = 0;
    wait_for_go();
    for (int round = 0; round < 2000; round++)
        sum += round_trip(round % 12);
    for (int round = 0; round < 20; round++)
        sum += round_trip(150) + ordinary(3);
    fact("sum", sum);
    TELL(descend);
    TELL(round_trip);
    TELL(ordinary);
    TELL(leaf);
    return 0;
}
