/* Locals that change on many ways. */

int f(int n, int *out)
{
    int a = 0, b = n, *p = &a;
    unsigned i;
    for (i = 0; i < 10; i++) {
        if (i % 3 == 0) {
            a += b;
            continue;
        }
        switch (b) {
        case 1:
            b = a;
            /* fall through */
        case 2:
            a = i;
            break;
        case 3:
            goto out;
        default:
            b--;
        }
        do {
            int a = b;
            b = a ? a - 1 : 0;
        } while (b > 3 && a < n);
        while (a > 100) {
            a /= 2;
            if (a == 7)
                break;
        }
    }
    *out = a;
    return b;
out:
    p = out;
    *p = i;
    return a + b;
}
