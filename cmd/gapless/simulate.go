package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/examples/three-plants/simulator"
)

func (c *cli) simulateCommand() *cobra.Command {
	s := &simulation{cli: c}
	var n connection
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "be the systems of an example company for a day",
		Long: `Be the systems of an example company for a day: one cloud ERP, one quality system, and at
each of three plants (graz, lyon, puebla) an MES and a WMS. Each keeps books of its own in
the folder, listens on a port of this machine, and reports to a hub what happens, in
formats, numbers, units and codes of its own. The hub's catalog for them is
examples/three-plants/catalog.

The ERP is as systems are: it loses answers before and after it has posted, posts late,
finds late, refuses, closes a month, and goes down for an hour. All of it comes from the
seed, and is counted where it happened.

The first line on standard output tells as JSON where everything listens. "control" is for
whoever looks on: /books has the books of all systems in one vocabulary, /disagreements
where they differ, /faults what went wrong, /now how far the day is. With --json a line
follows for every hour of the day.

The key file holds a line for each system, "graz-mes gpl_...", and must be readable by its
owner alone. When the day is over, the systems go on living until Ctrl-C, or end with
--once. Killed and started again on the same folder, they go on where they were.`,
		Example: `  gapless simulate --keys keys.txt
  gapless simulate --seed 7 --speed 3600 --keys keys.txt --hub http://127.0.0.1:8470 --once --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.Hub = n.hub
			if err := s.readKeys(); err != nil {
				return err
			}
			s.Ready, s.Report = s.tellAddresses, s.tellProgress
			err := simulator.Run(cmd.Context(), s.Config)
			if !s.Once {
				return errors.Join(endedByHand(cmd.Context(), err), s.told)
			}
			return errors.Join(cmp.Or(err, cmd.Context().Err()), s.told)
		},
	}
	declare(cmd, "hub", &n.hub)
	flags := cmd.Flags()
	flags.Uint64Var(&s.Seed, "seed", 1, "another number makes another day")
	flags.Int64Var(&s.Speed, "speed", simulator.DefaultSpeed, "how many seconds of the day pass in one")
	flags.IntVar(&s.Orders, "orders", simulator.DefaultOrders, "how many orders each plant works on")
	flags.StringVar(&s.Folder, "data", "gapless-simulation", "`FOLDER` of the systems' books")
	flags.StringVar(&s.keys, "keys", "", "`FILE` with the systems' keys, one a line: the name of a system and its key")
	flags.BoolVar(&s.Once, "once", false, "end when the day is over and everything is acknowledged")
	return cmd
}

// simulation is what simulate is told.
type simulation struct {
	*cli
	simulator.Config
	keys string
	told error // what could not be told
}

// readKeys reads the key of every system, from a file that is nobody else's.
func (s *simulation) readKeys() error {
	if s.keys == "" {
		return usageError{errors.New("--keys is missing: `gapless keys create --system NAME --keep FILE` makes a file with keys")}
	}
	info, err := os.Stat(s.keys)
	if err != nil {
		return fmt.Errorf("read the key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return usageError{fmt.Errorf("%s has mode %s: others must not read keys, so make it 0600", s.keys, info.Mode())}
	}
	text, err := os.ReadFile(s.keys)
	if err != nil {
		return fmt.Errorf("read the key file: %w", err)
	}
	all, err := parseKeys(string(text))
	if err != nil {
		return err
	}
	s.Keys = map[string]string{}
	var missing []string
	for _, system := range simulator.SystemNames() {
		if s.Keys[system] = all.bySystem[system]; s.Keys[system] == "" {
			missing = append(missing, system)
		}
	}
	if len(missing) > 0 {
		return usageError{fmt.Errorf("%s has no key of %s", s.keys, strings.Join(missing, ", "))}
	}
	return nil
}

// tellAddresses says where the systems listen, and the names of variables that a
// catalog can use for it.
func (s *simulation) tellAddresses(a simulator.Addresses) {
	variables := map[string]string{}
	for system, url := range a.Systems {
		variables["GAPLESS_"+strings.ToUpper(strings.ReplaceAll(system, "-", "_"))+"_URL"] = url
	}
	s.line(map[string]any{"control": a.Control, "systems": a.Systems, "environment": variables})
}

// tellProgress says how far the day is.
func (s *simulation) tellProgress(p simulator.Progress) {
	if s.json {
		s.line(p)
		return
	}
	state := ""
	if p.Over {
		state = "; the day is over"
	}
	fmt.Fprintf(s.err, "%s  %d of %d acts, %d of %d messages acknowledged%s\n",
		p.Now.Format(time.DateTime), p.Done, p.Acts, p.Acknowledged, p.Messages, state)
}

// line writes one line of JSON to standard output.
func (s *simulation) line(value any) {
	s.told = errors.Join(s.told, json.NewEncoder(s.out).Encode(value))
}
