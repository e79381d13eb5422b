// SPDX-License-Identifier: Apache-2.0

// go_calls prints what a getppid costs a Go program.
package main

import (
	"fmt"
	"sort"
	"syscall"
	"time"
)

const (
	batches     = 9
	repetitions = 100000
)

func main() {
	var values []float64
	for batch := 0; batch < batches; batch++ {
		start := time.Now()
		for i := 0; i < repetitions; i++ {
			syscall.Getppid()
		}
		values = append(values, float64(time.Since(start).Nanoseconds())/repetitions)
	}
	sort.Float64s(values)
	fmt.Printf("getppid_go %.2f\n", values[batches/2])
}
