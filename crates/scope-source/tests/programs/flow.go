// Locals that change on many ways.
package flow

func f(n int, xs []int) (sum int, err error) {
	a, b := 0, n
	defer func() { sum += a }()
outer:
	for i, x := range xs {
		if x > b {
			a = i
			continue
		}
		switch {
		case a > 3 && b > 3:
			b = a
			fallthrough
		case b > 4:
			a++
		default:
			break outer
		}
		for a < 10 {
			c, err := g(a)
			if err != nil {
				return a, err
			}
			a = c
		}
		select {
		case v := <-ch:
			sum += v
		case ch <- a:
			b, a = a, b
		}
	}
	return a + b, err
}
