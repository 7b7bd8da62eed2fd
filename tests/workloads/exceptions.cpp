// Exceptions through several probed frames: caught, rethrown, thrown while another is handled, and
// destructors that call probed functions while the stack is unwound. Two threads.
// Truth: every function counts its own calls; `sum` depends on every catch.

#include <stdexcept>
#include <string>
#include <thread>

#include "workload.h"

namespace {

constexpr int ROUNDS = 400;

TRUTH(fail);
TRUTH(descend);
TRUTH(clean_up);
TRUTH(caught);
TRUTH(rethrown);
TRUTH(nested);
TRUTH(calm);

}  // namespace

namespace work {

PROBED int calm(int x) {
    CALLED(calm);
    return x * 2;
}

PROBED int clean_up(int x) {
    CALLED(clean_up);
    return calm(x) + 1;
}

struct Guard {
    int &sum;
    ~Guard() { sum += clean_up(sum & 7); }
};

PROBED int fail(int x) {
    CALLED(fail);
    if (x % 3 == 0)
        throw x;
    throw std::runtime_error(std::to_string(x));
}

PROBED int descend(int levels, int x, int &sum) {
    CALLED(descend);
    Guard guard{sum};
    return (levels == 0 ? fail(x) : descend(levels - 1, x, sum)) + calm(levels);
}

PROBED int caught(int x) {
    CALLED(caught);
    int sum = 0;
    try {
        return descend(6, x, sum);
    } catch (const std::runtime_error &error) {
        return sum + calm(std::stoi(error.what()));
    } catch (int number) {
        return sum + calm(number);
    }
}

PROBED int rethrown(int x) {
    CALLED(rethrown);
    int sum = 0;
    try {
        return descend(2, x, sum);
    } catch (...) {
        calm(sum);
        throw;
    }
}

// Throws and catches inside a handler, then ends the first exception.
PROBED int nested(int x) {
    CALLED(nested);
    int sum = 0;
    try {
        return descend(1, x, sum);
    } catch (...) {
        return sum + caught(x + 1);
    }
}

}  // namespace work

static int rounds() {
    int sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        sum += work::caught(round);
        try {
            sum += work::rethrown(round);
        } catch (...) {
            sum += work::calm(1);
        }
        sum += work::nested(round);
    }
    // A throw at the bottom of more frames than the kernel has return probes for.
    for (int round = 0; round < 10; round++) {
        try {
            sum += work::descend(120, round, sum);
        } catch (...) {
            sum += work::calm(round);
        }
    }
    return sum;
}

int main() {
    wait_for_go();
    int other = 0;
    std::thread second([&] { other = rounds(); });
    int sum = rounds();
    second.join();
    fact("sum", sum);
    fact("other", other);
    TELL_AS(fail, "work::fail(int)");
    TELL_AS(descend, "work::descend(int, int, int&)");
    TELL_AS(clean_up, "work::clean_up(int)");
    TELL_AS(caught, "work::caught(int)");
    TELL_AS(rethrown, "work::rethrown(int)");
    TELL_AS(nested, "work::nested(int)");
    TELL_AS(calm, "work::calm(int)");
    return 0;
}
