// Checks a checkpoint, inclusion proofs and a consistency proof with Go's own packages (golang.org/x/mod/sumdb).
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type record struct {
	Index int64
	Entry string
	Proof []string
	Note  string
}

type input struct {
	Vkey        string
	Old, New    string
	Consistency []string
	Records     []record
}

func fail(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func hash(text string) (h tlog.Hash) {
	raw, err := base64.StdEncoding.DecodeString(text)
	fail(err)
	copy(h[:], raw)
	return h
}

func hashes(texts []string) (found []tlog.Hash) {
	for _, text := range texts {
		found = append(found, hash(text))
	}
	return found
}

func open(text, vkey string) (int64, tlog.Hash) {
	verifier, err := note.NewVerifier(vkey)
	fail(err)
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	fail(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	fail(err)
	return size, hash(lines[2])
}

func main() {
	var in input
	fail(json.NewDecoder(os.Stdin).Decode(&in))
	for _, one := range in.Records {
		size, root := open(one.Note, in.Vkey)
		entry, err := hex.DecodeString(one.Entry)
		fail(err)
		fail(tlog.CheckRecord(hashes(one.Proof), size, root, one.Index, tlog.RecordHash(entry)))
	}
	oldSize, oldRoot := open(in.Old, in.Vkey)
	newSize, newRoot := open(in.New, in.Vkey)
	fail(tlog.CheckTree(hashes(in.Consistency), newSize, newRoot, oldSize, oldRoot))
	fmt.Println("good", len(in.Records), oldSize, newSize)
}
