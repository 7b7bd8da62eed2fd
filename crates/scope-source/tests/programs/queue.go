// A bounded queue with workers: what the edits of ids are tried on.
package main

import (
	"errors"
	"fmt"
	"sync"
)

var errFull = errors.New("queue is full")

type queue struct {
	mutex sync.Mutex
	items []int
	limit int
}

func newQueue(limit int) *queue {
	items := make([]int, 0, limit)
	return &queue{items: items, limit: limit}
}

func (q *queue) push(item int) error {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	length := len(q.items)
	if length >= q.limit {
		return errFull
	}
	q.items = append(q.items, item)
	return nil
}

func (q *queue) pop() (int, bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if len(q.items) == 0 {
		return 0, false
	}
	first := q.items[0]
	q.items = q.items[1:]
	return first, true
}

func sum(q *queue, workers int) int {
	var group sync.WaitGroup
	results := make(chan int, workers)
	for worker := 0; worker < workers; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			total := 0
			for {
				item, ok := q.pop()
				if !ok {
					break
				}
				total += item
			}
			results <- total
		}()
	}
	group.Wait()
	close(results)
	total := 0
	for result := range results {
		total += result
	}
	return total
}

func fill(q *queue, count int) (rejected int) {
	for item := 0; item < count; item++ {
		switch err := q.push(item); {
		case errors.Is(err, errFull):
			rejected++
		case err != nil:
			panic(err)
		}
	}
	return rejected
}

func main() {
	q := newQueue(100)
	rejected := fill(q, 120)
	fmt.Println(sum(q, 4), rejected)
}
