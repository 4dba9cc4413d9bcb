package mapping

import "fmt"

// An Echo is what a record says of something that the hub itself asked for. Both
// texts are empty where it says nothing.
type Echo struct {
	Key      string `yaml:"key"`      // the command key, or the part of it that the system carries
	Document string `yaml:"document"` // the number that the system gave to what it did
}

// Echo reads the command key and the document that a record carries. Whether they
// are of a command of the hub, only the ledger knows.
func (m *Mapping) Echo(record map[string]any) (Echo, error) {
	if m.echoKey == nil && m.echoDocument == nil {
		return Echo{}, nil
	}
	const op = "mapping.Echo"
	sc, err := newScope(op, record, nil)
	if err != nil {
		return Echo{}, err
	}
	var e Echo
	var fail *failure
	if e.Key, fail = m.echoKey.textValue(sc, false); fail == nil {
		e.Document, fail = m.echoDocument.textValue(sc, false)
	}
	if fail != nil {
		return Echo{}, m.fault(op, "", sc, fail)
	}
	return e, nil
}

// compareEcho lists what is otherwise than a case expects; a case that expects no
// echo does not compare it.
func compareEcho(want *Echo, got Echo) []string {
	if want == nil || *want == got {
		return nil
	}
	return []string{fmt.Sprintf("echo of key %q and document %q is expected, it gave key %q and document %q", want.Key, want.Document, got.Key, got.Document)}
}
