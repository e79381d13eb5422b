// SPDX-License-Identifier: Apache-2.0
// A guest of clone_test: counts its requests in memory.
package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

func main() {
	var count atomic.Int64
	http.HandleFunc("/", func(out http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(out, "count %d", count.Add(1))
	})
	panic(http.ListenAndServe(":8080", nil))
}
