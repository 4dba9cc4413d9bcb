package simulator

import (
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"strconv"
	"time"
)

// Faults counts what went wrong with the ERP, as its journal says it really did.
type Faults struct {
	AnswersLost    int            `json:"answers_lost"` // the client was cut off, before or after it was posted
	LatePosts      int            `json:"late_posts"`   // posted after the client had gone
	FindLagged     int            `json:"find_lagged"`  // a search that missed what was posted already
	Refusals       int            `json:"refusals"`
	RefusalsByCode map[string]int `json:"refusals_by_code"`
	DownRefused    int            `json:"down_refused"` // requests in the hour in which it was down
}

// faulted is a fault that is no part of a posting.
type faulted struct {
	Fault     string `json:"fault"`
	Reference string `json:"reference,omitempty"`
	Code      string `json:"code,omitempty"` // of a refusal
	Lost      bool   `json:"lost,omitempty"` // a refusal whose answer was lost, too
}

// The kinds of faults.
const (
	lostFault    = "answer-lost"
	refusedFault = "refused"
	laggedFault  = "find-lagged"
	downFault    = "down"
)

func (f *Faults) add(x *faulted) {
	switch x.Fault {
	case lostFault:
		f.AnswersLost++
	case refusedFault:
		f.Refusals++
		f.RefusalsByCode[x.Code]++
		if x.Lost {
			f.AnswersLost++
		}
	case laggedFault:
		f.FindLagged++
	case downFault:
		f.DownRefused++
	}
}

func (f *Faults) posted(p *Posting) {
	if p.Lost {
		f.AnswersLost++
	}
	if p.Late {
		f.LatePosts++
	}
}

// copy is the counts as they are now.
func (f *Faults) copy() Faults {
	c := *f
	c.RefusalsByCode = maps.Clone(f.RefusalsByCode)
	return c
}

// A fate is what happens to one request.
type fate int

const (
	answered   fate = iota
	lostBefore      // nothing is posted, nothing is answered
	lostAfter       // it is posted, and nothing is answered
	postedLate      // it is posted when the client has given up
)

// Of a hundred requests so many lose their answer before and after they are posted,
// and so many are posted late.
const (
	lostBeforePercent = 10
	lostAfterPercent  = 10
	latePercent       = 8
)

// Times as they are at the usual speed.
const (
	latest    = 2500 * time.Millisecond // how long after the client has gone it posts at the latest
	patience  = 20 * time.Second        // how long it keeps a client waiting at most
	searchLag = 5 * time.Second         // how long a search may miss what was posted
)

// drawn is what the seed holds for a request: the same for the same attempt at the
// same thing, whenever it comes and whatever else goes on.
type drawn struct {
	fate  fate
	delay time.Duration // with postedLate, behind the end of the client's patience
	lag   time.Duration // of the search
}

func draw(seed uint64, reference string, attempt int) drawn {
	h := fnv.New64a()
	_, _ = h.Write([]byte(reference + "#" + strconv.Itoa(attempt))) // a hash takes everything
	r := rand.New(rand.NewPCG(seed, h.Sum64()))
	var d drawn
	switch n := r.IntN(100); {
	case n < lostBeforePercent:
		d.fate = lostBefore
	case n < lostBeforePercent+lostAfterPercent:
		d.fate = lostAfter
	case n < lostBeforePercent+lostAfterPercent+latePercent:
		d.fate = postedLate
	}
	d.delay = latest/5 + time.Duration(r.Int64N(int64(latest*4/5)))
	// What goes wrong goes wrong together: an answer is lost when the ERP is slow, and
	// then its search is slow as well.
	often, least := 30, time.Duration(0)
	if d.fate != answered {
		often, least = 80, searchLag/2
	}
	if r.IntN(100) < often {
		d.lag = least + time.Duration(r.Int64N(int64(searchLag-least)))
	}
	return d
}

// downFrom is when the ERP goes down, for an hour of the day.
func downFrom(seed uint64) time.Time {
	r := rand.New(rand.NewPCG(seed, 0xd0))
	return dayBegins.Add(time.Duration(6*60+r.IntN(5*60)) * time.Minute)
}

// down tells whether the ERP is down at a time of the day.
func down(seed uint64, at time.Time) bool {
	from := downFrom(seed)
	return !at.Before(from) && at.Before(from.Add(time.Hour))
}

// shards is how many parts the ERP's search index has. A part is current when all
// that was posted under its references is in it.
const shards = 64

func shard(reference string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(reference)) // a hash takes everything
	return h.Sum64() % shards
}
