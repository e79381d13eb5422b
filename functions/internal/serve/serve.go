// SPDX-License-Identifier: Apache-2.0

// Package serve runs an HTTP handler the way a function's workload is expected to behave:
// one port, and a drain on SIGTERM.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// drainLimit bounds the wait for requests in flight after SIGTERM. It is below the 30 s after which
// an orchestrator kills a function, so that the exit status still tells what happened.
const drainLimit = 25 * time.Second

// Port returns the TCP port named by the environment variable `name`, or `fallback` where it is unset.
func Port(name string, fallback int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return fallback, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%s must be a port from 1 to 65535, not %q", name, text)
	}
	return port, nil
}

// UntilTerminated serves `handler` on all addresses at `port` until SIGTERM or SIGINT, then takes no
// new connection, waits for the requests in flight and returns nil. It returns an error where the
// port cannot be bound or requests are still in flight after drainLimit.
func UntilTerminated(handler http.Handler, port int) error {
	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()
	return UntilDone(stop, handler, port)
}

// UntilDone is UntilTerminated with the caller's own reason to stop.
func UntilDone(stop context.Context, handler http.Handler, port int) error {
	server := &http.Server{Addr: fmt.Sprintf(":%d", port), Handler: handler}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()

	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return fmt.Errorf("requests were still in flight %s after the stop signal: %w", drainLimit, err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
