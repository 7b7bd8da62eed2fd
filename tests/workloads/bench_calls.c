// The target of `cargo xtask bench capture`: calls one of three functions in a hot loop and times
// that itself. The functions are in assembly, since what a probe costs hangs on their first bytes:
//
//   site_push   begins with `push`, which the kernel emulates
//   site_mov    begins with `mov`, then `push`: the probe can move to the `push`
//   site_stuck  the same instructions run, but something else jumps to the `push`, so that a
//               probe there would see more than the calls: it has to stay on the `mov`
//
// argv[1] is the CPU to stay on. Prints `NAME ADDRESS` of each function, then `ready`. Each line `SITE CALLS` of its input makes it call and print `NS CALLS`: wall time
// of the loop, and the calls as the functions counted them. Ends with its input.

#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

long calls;

__asm__(".text\n"
        ".macro begin name\n"
        ".globl \\name\n"
        ".type \\name, @function\n"
        ".p2align 4\n"
        "\\name:\n"
        ".cfi_startproc\n"
        ".endm\n"
        ".macro body\n"
        "push %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset %rbp, -16\n"
        "mov %rsp, %rbp\n"
        "lea 1(%rdi), %rax\n"
        "incq calls(%rip)\n"
        "pop %rbp\n"
        ".cfi_def_cfa_offset 8\n"
        "ret\n"
        ".endm\n"
        ".macro end name\n"
        ".cfi_endproc\n"
        ".size \\name, . - \\name\n"
        ".endm\n"

        "begin site_push\n"
        "body\n"
        "end site_push\n"

        "begin site_mov\n"
        "mov %edi, %ecx\n"
        "body\n"
        "end site_mov\n"

        "begin site_stuck\n"
        "mov %edi, %ecx\n"
        "0:\n"
        "body\n"
        "jmp 0b\n"
        "end site_stuck\n");

long site_push(long), site_mov(long), site_stuck(long);

static const struct {
    const char *name;
    long (*function)(long);
} sites[] = {{"site_push", site_push}, {"site_mov", site_mov}, {"site_stuck", site_stuck}};

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

int main(int argc, char **argv) {
    char name[32];
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(argc > 1 ? atoi(argv[1]) : 0, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus) != 0)
        perror("sched_setaffinity");
    long count;
    volatile long sum = 0;
    for (unsigned i = 0; i < sizeof sites / sizeof *sites; i++)
        printf("%s %p\n", sites[i].name, (void *)sites[i].function);
    puts("ready");
    fflush(stdout);
    while (scanf("%31s %ld", name, &count) == 2) {
        long (*function)(long) = NULL;
        for (unsigned i = 0; i < sizeof sites / sizeof *sites; i++)
            if (strcmp(sites[i].name, name) == 0)
                function = sites[i].function;
        if (function == NULL)
            return 1;
        calls = 0;
        long begin = now();
        for (long i = 0; i < count; i++)
            sum += function(i);
        long took = now() - begin;
        printf("%ld %ld\n", took, calls);
        fflush(stdout);
    }
    return 0;
}
