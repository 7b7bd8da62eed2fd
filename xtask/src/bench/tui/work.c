// A program of many calls, for two UIs to show: a tree of calls, four wide and nine deep, argv[1] times;
// some 150,000 calls each. Each function does a little, so that none is dropped or merged.

#include <stdlib.h>

static volatile long sink;

__attribute__((noinline)) static long leaf(long x) {
    sink += x;
    return x * 31 + 7;
}

__attribute__((noinline)) static long node(long depth, long x) {
    if (depth == 0)
        return leaf(x);
    for (long child = 0; child < 4; child++)
        x += node(depth - 1, x ^ child);
    return x;
}

__attribute__((noinline)) static long tree(long number) { return node(8, number) + sink; }

int main(int argc, char **argv) {
    long trees = argc > 1 ? atol(argv[1]) : 1;
    for (long number = 0; number < trees; number++)
        sink += tree(number);
    return 0;
}
