// SPDX-License-Identifier: Apache-2.0

// logproof checks, with nobody's code but transparency-dev's and Go's, the proofs that prove_log wrote:
//
//	logproof VKEY DIRECTORY
//
// Every *.tlog-proof there must prove the *.entry beside it, and every *.consistency (old size, old
// root and proof hashes, one a line) must lead to the checkpoint.
package main

import (
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	logfmt "github.com/transparency-dev/formats/log"
	tlog "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

func read(path string) []byte {
	bytes, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	return bytes
}

func checkpoint(bytes []byte, v note.Verifier) *logfmt.Checkpoint {
	c, _, _, err := logfmt.ParseCheckpoint(bytes, v.Name(), v)
	if err != nil {
		log.Fatalf("checkpoint: %v", err)
	}
	return c
}

func inclusion(path string, v note.Verifier) error {
	var p tlog.TLogProof
	if err := p.Unmarshal(read(path)); err != nil {
		return err
	}
	c := checkpoint(p.Checkpoint, v)
	leaf := rfc6962.DefaultHasher.HashLeaf(read(strings.TrimSuffix(path, ".tlog-proof") + ".entry"))
	hashes := make([][]byte, len(p.Hashes))
	for i := range p.Hashes {
		hashes[i] = p.Hashes[i][:]
	}
	return proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, c.Size, leaf, hashes, c.Hash)
}

func consistency(path string, c *logfmt.Checkpoint) error {
	lines := strings.Split(strings.TrimSuffix(string(read(path)), "\n"), "\n")
	before, err := strconv.ParseUint(lines[0], 10, 64)
	if err != nil {
		return err
	}
	var hashes [][]byte
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return err
		}
		hashes = append(hashes, hash)
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, before, c.Size, hashes[1:], hashes[0], c.Hash)
}

func main() {
	v, err := note.NewVerifier(strings.TrimSpace(string(read(os.Args[1]))))
	if err != nil {
		log.Fatal(err)
	}
	proofs, _ := filepath.Glob(filepath.Join(os.Args[2], "*.tlog-proof"))
	for _, path := range proofs {
		if err := inclusion(path, v); err != nil {
			log.Fatalf("%s: %v", path, err)
		}
	}
	c := checkpoint(read(filepath.Join(os.Args[2], "checkpoint")), v)
	steps, _ := filepath.Glob(filepath.Join(os.Args[2], "*.consistency"))
	for _, path := range steps {
		if err := consistency(path, c); err != nil {
			log.Fatalf("%s: %v", path, err)
		}
	}
	fmt.Printf("%d inclusion, %d consistency\n", len(proofs), len(steps))
}
