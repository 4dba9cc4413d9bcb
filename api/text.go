package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxText bounds a text of a person: it goes on record as often as it is about something.
const maxText = 8 << 10

// isText tells whether a text can stand in every database: it is UTF-8, without U+0000.
func isText(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// readBody reads what people say, as JSON. Its texts are texts, and not endless.
func readBody(body []byte, into any) error {
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8")
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber()
	for {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			return json.Unmarshal(body, into)
		}
		if err != nil {
			return err
		}
		switch text, _ := token.(string); {
		case !isText(text):
			return errors.New("a text holds the character U+0000")
		case len(text) > maxText:
			return fmt.Errorf("a text has %d bytes, %d are allowed", len(text), maxText)
		}
	}
}
