// SPDX-License-Identifier: Apache-2.0

// A static Go program: http server and client, os/exec, signals, preemption of tight loops, many goroutines under GC.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
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

func serveAndAsk() {
	listener, err := net.Listen("tcp", ":0")
	must(err)
	address := listener.Addr().(*net.TCPAddr)
	fmt.Println("listening on any:", address.IP.IsUnspecified(), address.Port != 0)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%x", sha256.Sum256(body))
	})}
	go server.Serve(listener)
	url := fmt.Sprintf("http://127.0.0.1:%d/", address.Port)
	var wait sync.WaitGroup
	var right int64
	for i := 0; i < 16; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for j := 0; j < 50; j++ {
				body := bytes.Repeat([]byte{byte(i), byte(j)}, 300)
				answer, err := http.Post(url, "application/octet-stream", bytes.NewReader(body))
				must(err)
				text, err := io.ReadAll(answer.Body)
				must(err)
				answer.Body.Close()
				if string(text) == fmt.Sprintf("%x", sha256.Sum256(body)) {
					atomic.AddInt64(&right, 1)
				}
			}
		}(i)
	}
	wait.Wait()
	fmt.Println("right answers:", right)
	must(server.Close())
}

func runCommands() {
	output, err := exec.Command("/bin/sh", "-c", "echo out; echo err >&2; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", output, err)
	command := exec.Command("/bin/cat")
	command.Stdin = strings.NewReader("through a pipe")
	command.Env = []string{"A=b"}
	text, err := command.Output()
	fmt.Printf("%q %v\n", text, err)
	_, err = exec.Command("/does/not/exist").Output()
	fmt.Println(err)
	var wait sync.WaitGroup
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			must(exec.Command("/bin/true").Run())
		}()
	}
	wait.Wait()
	command = exec.Command("/bin/sleep", "60")
	must(command.Start())
	must(command.Process.Kill())
	fmt.Println(command.Wait())
}

func notify() {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM)
	for _, each := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} {
		must(syscall.Kill(os.Getpid(), each))
		fmt.Println("signal:", <-signals)
	}
	signal.Stop(signals)
}

func preempt() {
	runtime.GOMAXPROCS(1)
	var stop int32
	spinning := make(chan bool)
	go func() {
		spinning <- true
		for atomic.LoadInt32(&stop) == 0 {
		}
		spinning <- true
	}()
	<-spinning
	for i := 0; i < 5; i++ {
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	atomic.StoreInt32(&stop, 1)
	<-spinning
	runtime.GOMAXPROCS(4)
	fmt.Println("tight loop preempted")
}

func manyGoroutines() {
	debug.SetGCPercent(20)
	results := make(chan int)
	for i := 0; i < 2000; i++ {
		go func(i int) {
			garbage := make([][]byte, 0)
			for j := 0; j < 20; j++ {
				garbage = append(garbage, make([]byte, 1000))
				runtime.Gosched()
			}
			results <- len(garbage) + i
		}(i)
	}
	all := make([]int, 0)
	for i := 0; i < 2000; i++ {
		all = append(all, <-results)
	}
	sort.Ints(all)
	fmt.Println("goroutines:", all[0], all[len(all)-1])
}

func nilFault() {
	defer func() { fmt.Println("recovered:", recover()) }()
	var pointer *int
	*pointer = 1
}

func main() {
	executable, err := os.Executable()
	must(err)
	fmt.Println(executable[strings.LastIndex(executable, "/")+1:], len(os.Args))
	serveAndAsk()
	runCommands()
	notify()
	preempt()
	manyGoroutines()
	nilFault()
	os.Exit(7)
}
