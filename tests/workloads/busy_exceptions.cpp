// Keeps two threads busy throwing through frames and catching, and prints one line a batch; argv[1]
// batches, or until its input ends; exit status 7.
// Truth: the lines depend on the batch number alone, never on the time or on a tracer.

#include <poll.h>

#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "workload.h"

namespace work {

PROBED unsigned long mix(unsigned long x) {
    x ^= x >> 31;
    return x * 0x9e3779b97f4a7c15UL + 1;
}

struct Guard {
    unsigned long &hash;
    ~Guard() { hash = mix(hash); }
};

PROBED unsigned long descend(int levels, unsigned long x, unsigned long &hash) {
    Guard guard{hash};
    if (levels == 0)
        throw x;
    return descend(levels - 1, mix(x), hash) + 1;
}

PROBED unsigned long attempt(unsigned long x) {
    unsigned long hash = x;
    try {
        return descend(static_cast<int>(x % 9), x, hash);
    } catch (unsigned long thrown) {
        return mix(hash ^ thrown);
    }
}

PROBED unsigned long batch(unsigned long number) {
    unsigned long hash = number;
    for (int i = 0; i < 100; i++)
        hash = mix(hash + attempt(hash + i));
    return hash;
}

}  // namespace work

static bool input_ended() {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    return poll(&input, 1, 0) != 0;
}

int main(int argc, char **argv) {
    unsigned long batches = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0;
    std::puts("ready");
    std::fflush(stdout);
    for (unsigned long number = 0; argc > 1 ? number < batches : !input_ended(); number++) {
        unsigned long other = 0;
        std::thread second([&] { other = work::batch(number * 2 + 1); });
        unsigned long hash = work::batch(number * 2);
        second.join();
        std::printf("batch %lu %016lx %016lx\n", number, hash, other);
        std::fflush(stdout);
    }
    return 7;
}
