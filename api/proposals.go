package api

import (
	"context"
	"time"

	"github.com/gapless/gapless/report"
)

type proposalsIn struct {
	Asker
	System string `query:"system" doc:"Only identifiers of this system"`
}

// Proposals are the objects that unexplained identifiers may mean.
type Proposals struct {
	Proposals []ProposalView `json:"proposals" nullable:"false" doc:"By system, kind and identifier"`
}

// ProposalView is one object that an identifier may mean.
type ProposalView struct {
	System     string `json:"system" doc:"Whose identifier it is"`
	Kind       string `json:"kind" example:"material"`
	ID         string `json:"id" doc:"As the system writes it"`
	Ref        string `json:"ref" example:"material/M-100"`
	Because    string `json:"because" doc:"In what they are alike"`
	Waiting    int64  `json:"waiting" doc:"Messages that wait for it"`
	Known      string `json:"known,omitempty" format:"date-time" doc:"When that was recorded; absent where it stands in the catalog"`
	AgeSeconds int64  `json:"age_seconds,omitempty" doc:"Since it was recorded"`
}

func (a *API) proposals(ctx context.Context, who caller, in *proposalsIn) (Proposals, error) {
	all := Proposals{Proposals: []ProposalView{}}
	if in.System != "" && !a.seesSystem(who.scope, in.System) {
		return all, forbidden("%.80q reports for no plant at which you have a role", in.System)
	}
	found, err := report.Proposals(ctx, a.ledger(), a.flow.Catalog())
	if err != nil {
		return all, err
	}
	for _, p := range found {
		if in.System != "" && p.System != in.System || !a.seesSystem(who.scope, p.System) {
			continue
		}
		v := ProposalView{System: p.System, Kind: p.Kind, ID: p.ID, Ref: string(p.Ref), Because: p.Because, Waiting: p.Waiting, Known: utc(p.Known)}
		if !p.Known.IsZero() {
			v.AgeSeconds = int64(a.ledger().Now().Sub(p.Known) / time.Second)
		}
		all.Proposals = append(all.Proposals, v)
	}
	return all, nil
}
