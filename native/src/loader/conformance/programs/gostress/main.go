// SPDX-License-Identifier: Apache-2.0

// What a Go runtime asks most of a kernel: net/http with thousands of goroutines, GC under load, tight loops preempted, processes
// started while all that runs, channels and locks. Built static and with cgo. Usage: gostress [CASE [ROUNDS]].
package main

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func expect(what string, right bool) {
	if !right {
		fmt.Println("wrong:", what)
		os.Exit(1)
	}
}

// together runs count copies of f and waits for all.
func together(count int, f func(i int)) {
	var wait sync.WaitGroup
	wait.Add(count)
	for i := 0; i < count; i++ {
		go func(i int) {
			defer wait.Done()
			f(i)
		}(i)
	}
	wait.Wait()
}

// serve answers with the checksum of what it is sent; every request makes garbage and waits for other goroutines.
func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(400)
			return
		}
		parts := make(chan uint32)
		for i := 0; i < 4; i++ {
			go func(i int) { parts <- crc32.ChecksumIEEE(body[i*len(body)/4 : (i+1)*len(body)/4]) }(i)
		}
		sum := uint32(0)
		for i := 0; i < 4; i++ {
			sum ^= <-parts
		}
		fmt.Fprint(w, sum)
	})}
	go server.Serve(listener)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, MaxConnsPerHost: 100}}
	url := "http://" + listener.Addr().String()
	together(2000, func(i int) {
		body := bytes.Repeat([]byte{byte(i), byte(i >> 8), 7, 9}, 100)
		answer, err := client.Post(url, "application/octet-stream", bytes.NewReader(body))
		must(err)
		text, err := io.ReadAll(answer.Body)
		must(err)
		answer.Body.Close()
		sum := uint32(0)
		for j := 0; j < 4; j++ {
			sum ^= crc32.ChecksumIEEE(body[j*100 : (j+1)*100])
		}
		expect("answer", string(text) == fmt.Sprint(sum))
	})
	client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	must(server.Shutdown(ctx))
}

type node struct {
	left, right *node
	payload     [3]uint64
}

func tree(depth int, seed uint64) *node {
	if depth == 0 {
		return nil
	}
	return &node{tree(depth-1, seed*3), tree(depth-1, seed*5), [3]uint64{seed, seed ^ 1, seed ^ 2}}
}

func (n *node) check(seed uint64) int {
	if n == nil {
		return 0
	}
	expect("tree", n.payload == [3]uint64{seed, seed ^ 1, seed ^ 2})
	return 1 + n.left.check(seed*3) + n.right.check(seed*5)
}

// collect keeps trees alive while the collector runs all the time.
func collect() {
	defer debug.SetGCPercent(debug.SetGCPercent(5))
	kept := tree(14, 77)
	together(8, func(i int) {
		for j := 0; j < 15; j++ {
			expect("size", tree(10, uint64(i*100+j)).check(uint64(i*100+j)) == 1023)
		}
	})
	expect("kept", kept.check(77) == 1<<14-1)
}

// preempt needs the runtime's SIGURG: nothing in these loops calls anything.
func preempt() {
	for _, procs := range []int{1, 2, 4} {
		before := runtime.GOMAXPROCS(procs)
		var stop int32
		sums := make([]float64, 8)
		var wait sync.WaitGroup
		for i := range sums {
			wait.Add(1)
			go func(i int) {
				defer wait.Done()
				x := 0.0
				for atomic.LoadInt32(&stop) == 0 {
					x += float64(i + 1)
				}
				n := x / float64(i+1)
				expect("register", x > 1e15 || n == float64(int64(n)))
				sums[i] = x
			}(i)
		}
		for i := 0; i < 3; i++ {
			time.Sleep(time.Millisecond)
			var statistics runtime.MemStats
			runtime.ReadMemStats(&statistics) // stops the world
		}
		atomic.StoreInt32(&stop, 1)
		wait.Wait()
		runtime.GOMAXPROCS(before)
	}
}

// start runs programs while goroutines make garbage.
func start() {
	var stop int32
	garbage := make(chan bool)
	go func() {
		for atomic.LoadInt32(&stop) == 0 {
			tree(8, 1).check(1)
		}
		garbage <- true
	}()
	together(12, func(i int) {
		command := exec.Command("/bin/sh", "-c", "read line; echo $line $line; exit "+strconv.Itoa(i))
		command.Stdin = bytes.NewReader([]byte(fmt.Sprintln("goroutine", i)))
		output, err := command.Output()
		expect("output", string(output) == fmt.Sprintf("goroutine %d goroutine %d\n", i, i))
		code := 0
		if exit, ok := err.(*exec.ExitError); ok {
			code = exit.ExitCode()
		}
		expect("exit code", code == i)
	})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	expect("killed", exec.CommandContext(ctx, "/bin/sleep", "60").Run() != nil)
	atomic.StoreInt32(&stop, 1)
	<-garbage
}

// synchronize sends a token round a ring of channels, counts under locks, lets timers and selects race.
func synchronize() {
	const ring = 500
	first := make(chan int)
	in := first
	for i := 0; i < ring; i++ {
		out := make(chan int)
		go func(in, out chan int) {
			for n := range in {
				out <- n + 1
			}
			close(out)
		}(in, out)
		in = out
	}
	for i := 0; i < 20; i++ {
		first <- i
		expect("ring", <-in == i+ring)
	}
	close(first)
	var lock sync.RWMutex
	counts := map[int]int{}
	changed := sync.NewCond(&sync.Mutex{})
	turns := 0
	together(100, func(i int) {
		for j := 0; j < 100; j++ {
			lock.Lock()
			counts[j%7]++
			lock.Unlock()
			lock.RLock()
			expect("count", counts[j%7] > 0)
			lock.RUnlock()
		}
		changed.L.Lock()
		for turns != i {
			changed.Wait()
		}
		turns++
		changed.L.Unlock()
		changed.Broadcast()
		select {
		case <-time.After(time.Duration(i%5) * time.Millisecond):
		case <-make(chan bool):
		}
	})
	sum := 0
	for _, count := range counts {
		sum += count
	}
	expect("sum", sum == 10000 && turns == 100)
}

// notify takes signals of its own, of a child and of threads that are locked to goroutines.
func notify() {
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGUSR1)
	var one sync.Mutex // the runtime counts no signals
	together(20, func(i int) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		one.Lock()
		defer one.Unlock()
		must(syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGUSR1))
		expect("signal", <-signals == syscall.SIGUSR1)
	})
	must(exec.Command("/bin/sh", "-c", "kill -USR1 "+strconv.Itoa(os.Getpid())).Run())
	<-signals
	signal.Stop(signals)
}

// block makes the runtime start threads: each goroutine sits in a call of its own.
func block() {
	together(60, func(i int) {
		var pipe [2]int
		must(syscall.Pipe(pipe[:]))
		time.AfterFunc(3*time.Millisecond, func() { syscall.Write(pipe[1], []byte{byte(i)}) })
		text := make([]byte, 1)
		n, err := syscall.Read(pipe[0], text)
		for err == syscall.EINTR {
			n, err = syscall.Read(pipe[0], text)
		}
		expect("read", n == 1 && text[0] == byte(i))
		syscall.Close(pipe[0])
		syscall.Close(pipe[1])
	})
}

func main() {
	cases := []struct {
		name string
		run  func()
	}{{"serve", serve}, {"collect", collect}, {"preempt", preempt}, {"start", start}, {"synchronize", synchronize},
		{"notify", notify}, {"block", block}, {"foreign", foreign}}
	rounds := 1
	if len(os.Args) > 2 {
		rounds, _ = strconv.Atoi(os.Args[2])
	}
	for _, each := range cases {
		if len(os.Args) > 1 && os.Args[1] != "all" && os.Args[1] != each.name {
			continue
		}
		for i := 0; i < rounds; i++ {
			each.run()
		}
		fmt.Println(each.name)
	}
}
