/* Calls as people write them; compiled by the tests for its debug information. */

struct ops {
    int (*open)(int);
};

static int scale(int x) { return x * 2; }

static int
add(int a,
    int b)
{
    return a + b;
}

#define TWICE(f, x) (f(x) + f(x))

static int open_it(int x)
{
    return add(scale(x),
               scale(x + 1));
}

static int through(struct ops *ops, int x)
{
    return ops->open(x);
}

int main(int argc, char **argv)
{
    struct ops ops = { open_it };
    int sum = 0;
    for (int i = scale(0); i < add(argc, 3); i = add(i, 1)) {
        if (scale(i) > 3 && add(i, 1))
            sum += through(&ops, i); else sum -= scale(i);
    }
    sum += TWICE(scale, sum);
    return add(add(sum, 1), scale(add(1, 2))) == 0;
}
