// A program of another word size, which cannot be traced. Build: -m32 -nostdlib -static.
// Truth: it waits until it is killed.

void _start(void) {
    for (;;) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(29) : "memory");  // pause
    }
}
