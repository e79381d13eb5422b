// SPDX-License-Identifier: Apache-2.0

package main

/*
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

extern long goDouble(long);

static void *call(void *value) { return (void *)goDouble((long)value); }

// A thread that C made calls back into Go.
static long through_thread(long value) {
	pthread_t thread;
	void *result = NULL;
	if (pthread_create(&thread, NULL, call, (void *)value) != 0) return -1;
	pthread_join(thread, &result);
	return (long)result;
}

static void nap(void) {
	struct timespec time = {0, 1000000};
	nanosleep(&time, NULL);
}
*/
import "C"

import (
	"net"
	"os/user"
)

//export goDouble
func goDouble(value C.long) C.long {
	tree(4, uint64(value))
	return value * 2
}

// foreign calls C that blocks, C that calls back from threads of its own, and libc's resolver.
func foreign() {
	together(40, func(i int) {
		C.nap()
		for j := 0; j < 5; j++ {
			expect("callback", C.through_thread(C.long(i*10+j)) == C.long(i*10+j)*2)
		}
	})
	_, err := user.Lookup("root")
	must(err)
	_, err = net.LookupHost("localhost")
	must(err)
}
