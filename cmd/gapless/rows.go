package main

import (
	"bytes"
	"iter"
)

// A piece is a part of a file that is sent by itself.
type piece struct {
	body   []byte
	offset int // rows before it, to be added to the numbers in the hub's answers
}

// wholeLimit is the size up to which a table is sent as one request.
const wholeLimit = 8 << 20

// tablePieces cuts a CSV file between its rows, the header before each piece: rows
// at a time, or as many as fit where rows is 0.
func tablePieces(text []byte, rows int) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		if rows == 0 && len(text) <= wholeLimit {
			yield(piece{body: text})
			return
		}
		end := rowEnd(text)
		header, rest := text[:end], text[end:]
		for offset := 0; len(rest) > 0; {
			size, n := rowsSize(rest, rows)
			if !yield(piece{body: bytes.Join([][]byte{header, rest[:size]}, nil), offset: offset}) {
				return
			}
			rest, offset = rest[size:], offset+n
		}
	}
}

// linePieces cuts a file of one JSON value a line.
func linePieces(text []byte, rows int) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for offset := 0; len(text) > 0; {
			size, n := len(text), 0
			if rows > 0 || size > wholeLimit {
				size, n = rowsSize(text, rows)
			}
			if !yield(piece{body: text[:size], offset: offset}) {
				return
			}
			text, offset = text[size:], offset+n
		}
	}
}

// rowsSize is the size of the next rows: so many, or as many as fit where rows is 0.
func rowsSize(text []byte, rows int) (size, n int) {
	for size < len(text) && (rows == 0 || n < rows) {
		next := rowEnd(text[size:])
		if n > 0 && size+next > wholeLimit {
			break
		}
		size, n = size+next, n+1
	}
	return size, n
}

// rowEnd is where the first row ends: behind a line end that is not in quotes.
func rowEnd(text []byte) int {
	quoted := false
	for i, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return i + 1
		}
	}
	return len(text)
}
