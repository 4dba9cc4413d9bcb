package guard

import (
	"bytes"
	"encoding/json"
	"html"
	"net/url"
	"strings"
)

// Mask takes secrets out of a text, in all forms in which a system may repeat them:
// as they are, and as they stand in an address, on a page and in JSON.
func Mask(text string, secrets ...string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), quoted(secret, false), quoted(secret, true)} {
			text = strings.ReplaceAll(text, form, "(secret)")
			text = strings.ReplaceAll(text, strings.ReplaceAll(form, "/", `\/`), "(secret)")
		}
	}
	return text
}

// quoted is a text as it stands in JSON, without the quotation marks; for pages with
// the signs escaped that HTML knows.
func quoted(text string, forPages bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(forPages)
	if err := e.Encode(text); err != nil {
		return text // a text can always be written
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}
