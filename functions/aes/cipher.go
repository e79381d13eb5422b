// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
)

const defaultKey = "000102030405060708090a0b0c0d0e0f"

var errBadKey = errors.New("AES_KEY must be 32 hex digits (an AES-128 key)")

// parseKey reads a key of 32 hex digits. An empty text means the default key.
func parseKey(text string) (cipher.Block, error) {
	if text == "" {
		text = defaultKey
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 16 {
		return nil, errBadKey
	}
	return aes.NewCipher(key)
}

// encryptToHex answers AES-CTR of `plain` as lowercase hex, with an initial counter block of zeros.
// `plain` is encrypted in place.
func encryptToHex(block cipher.Block, plain []byte) []byte {
	var counter [aes.BlockSize]byte
	cipher.NewCTR(block, counter[:]).XORKeyStream(plain, plain)
	text := make([]byte, hex.EncodedLen(len(plain)))
	hex.Encode(text, plain)
	return text
}
