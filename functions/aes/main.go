// SPDX-License-Identifier: Apache-2.0

// aes is a function: it answers a POST with the AES-128-CTR encryption of the body, in lowercase hex.
// Environment: AES_KEY (32 hex digits), PORT (8080).
package main

import (
	"crypto/cipher"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"

	"functions/internal/serve"
)

// maxBody bounds the memory of one request.
const maxBody = 64 << 20

func main() {
	log.SetFlags(0)
	log.SetPrefix("aes: ")
	block, err := parseKey(os.Getenv("AES_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	port, err := serve.Port("PORT", 8080)
	if err != nil {
		log.Fatal(err)
	}
	if err := serve.UntilTerminated(newHandler(block), port); err != nil {
		log.Fatal(err)
	}
}

func newHandler(block cipher.Block) http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/_/health", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Content-Type", "text/plain")
	})
	routes.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		encryptBody(block, answer, request)
	})
	return routes
}

func encryptBody(block cipher.Block, answer http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		answer.Header().Set("Allow", http.MethodPost)
		http.Error(answer, "only POST is allowed", http.StatusMethodNotAllowed)
		return
	}
	plain, err := readBody(answer, request)
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLarge := err.(*http.MaxBytesError); tooLarge {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(answer, err.Error(), status)
		return
	}
	text := encryptToHex(block, plain)
	answer.Header().Set("Content-Type", "text/plain")
	answer.Header().Set("Content-Length", strconv.Itoa(len(text)))
	answer.Write(text)
}

// readBody reads the whole body: in one piece where its length was announced.
func readBody(answer http.ResponseWriter, request *http.Request) ([]byte, error) {
	body := http.MaxBytesReader(answer, request.Body, maxBody)
	if request.ContentLength < 0 || request.ContentLength > maxBody {
		return io.ReadAll(body)
	}
	plain := make([]byte, request.ContentLength)
	_, err := io.ReadFull(body, plain)
	return plain, err
}
