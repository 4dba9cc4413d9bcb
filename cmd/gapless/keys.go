package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// byHand is who acts in the audit when somebody works on the data folder itself.
const byHand = "local"

func (c *cli) keysCommand() *cobra.Command {
	var p place
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "give systems keys and people accounts",
		Long: `Give systems keys and people accounts. A system speaks with its key and only for itself.
People have roles, each at one plant or at all: viewer, operator, quality, steward,
approver, admin.

These commands work on the data folder or the database itself, also while the hub runs,
so whoever may write there may use them. Each is on record in the audit.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.createKeyCommand(&p), c.listKeysCommand(&p), c.revokeKeyCommand(&p), c.personCommand(&p), c.disableCommand(&p))
	for _, sub := range cmd.Commands() {
		p.flags(sub)
	}
	return cmd
}

func (c *cli) createKeyCommand(p *place) *cobra.Command {
	var system, keep, folder string
	var valid time.Duration
	cmd := &cobra.Command{
		Use:   "create",
		Short: "make a key for a system",
		Long: `Make a key with which a system speaks for itself. It is shown this once and cannot be
read back. A system may have several, so that one can be exchanged without a pause:
create, roll out, revoke the old one.

--keep adds a line with the system's name and the key to a file that only you can read,
as "gapless send --key-file" takes it.`,
		Example: `  gapless keys create --system graz-mes
  gapless keys create --system graz-mes --valid 8760h --keep keys.txt`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if system == "" {
				return usageError{errors.New("--system is missing: name the system as in systems/ of the catalog")}
			}
			if err := c.knownSystem(folder, p.data, system); err != nil {
				return err
			}
			kept, err := keepIn(keep)
			if err != nil {
				return err
			}
			err = p.writing(cmd.Context(), func(ctx context.Context, l *ledger.Ledger) error {
				expires := time.Time{}
				if valid != 0 {
					expires = l.Now().Add(valid)
				}
				key, id, err := l.CreateSystemKey(ctx, byHand, system, expires)
				if err != nil {
					return err
				}
				return c.tellKey(system, key, id, kept)
			})
			if kept != nil {
				err = errors.Join(err, kept.Close())
			}
			return err
		},
	}
	declare(cmd, "catalog", &folder)
	flags := cmd.Flags()
	flags.StringVar(&system, "system", "", "the `SYSTEM` that the key speaks for")
	flags.StringVar(&keep, "keep", "", "add the key to this `FILE` instead of showing it")
	flags.DurationVar(&valid, "valid", 0, "how long it is valid; 0 for ever")
	return cmd
}

// knownSystem refuses a key for a system that is misspelt, where there is a
// catalog to look it up in.
func (c *cli) knownSystem(folder, data, system string) error {
	if folder == "" {
		folder = filepath.Join(data, "catalog")
	}
	if _, err := os.Stat(folder); err != nil {
		return nil //nolint:nilerr // without a catalog beside it, as with a hub elsewhere, nothing can be looked up
	}
	cat, _ := catalog.Load(os.DirFS(folder))
	if cat == nil {
		return nil // the hub will not start with it, and tell why
	}
	if _, ok := cat.System(system); ok {
		return nil
	}
	var names []string
	for _, s := range cat.Systems() {
		names = append(names, s.System)
	}
	return fault.New("gapless keys", fault.SystemUnknown, "system", "%q; the catalog at %s has %s", system, folder, strings.Join(names, ", "))
}

// keepIn opens the file to which a key is added, before there is one, and makes it its
// owner's alone; nil where the key is shown.
func keepIn(name string) (*os.File, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // as the comment says
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the key: %w", err), f.Close())
	}
	return f, nil
}

func (c *cli) tellKey(system, key, id string, kept *os.File) error {
	if kept != nil {
		if _, err := fmt.Fprintf(kept, "%s %s\n", system, key); err != nil {
			return fmt.Errorf("keep the key: %w; revoke it with `gapless keys revoke %s`", err, id)
		}
		key = ""
	}
	switch {
	case c.json:
		view := map[string]any{"system": system, "id": id}
		if key != "" {
			view["key"] = key
		}
		return c.printJSON(view)
	case key == "":
		fmt.Fprintf(c.out, "key %s of %s is in %s\n", id, system, kept.Name())
	default:
		if _, err := fmt.Fprintln(c.out, key); err != nil {
			return fmt.Errorf("show the key: %w; revoke it with `gapless keys revoke %s`", err, id)
		}
	}
	return nil
}

func (c *cli) listKeysCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list keys and accounts",
		Long:  "List all keys, also those that have ended, and all accounts of people with their roles. Secrets and passwords are not stored, so they cannot be shown.",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := p.open(cmd.Context(), false)
			if err != nil {
				return err
			}
			defer l.Close()
			keys, err := l.Keys(cmd.Context())
			if err != nil {
				return err
			}
			people, err := l.People(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]any{"keys": keyViews(keys), "people": personViews(people)})
			}
			if len(keys)+len(people) == 0 {
				fmt.Fprintln(c.out, "there are no keys and no accounts yet: see `gapless keys create --help` and `gapless keys person --help`")
				return nil
			}
			c.printKeys(l.Now(), keys, people)
			return nil
		},
	}
}

func (c *cli) printKeys(now time.Time, keys []ledger.KeyInfo, people []ledger.PersonInfo) {
	t := newTable("key", "system", "created", "state")
	for _, k := range keys {
		state := "valid"
		switch {
		case !k.Revoked.IsZero():
			state = "revoked " + stamp(k.Revoked)
		case !k.Expires.IsZero() && now.Before(k.Expires):
			state = "valid until " + stamp(k.Expires)
		case !k.Expires.IsZero():
			state = "expired " + stamp(k.Expires)
		}
		t.add(k.ID, k.System, stamp(k.Created), state)
	}
	t.write(c.out, "")
	fmt.Fprintln(c.out)
	t = newTable("person", "roles", "created", "state")
	for _, x := range people {
		state := "active"
		if !x.Disabled.IsZero() {
			state = "disabled " + stamp(x.Disabled)
		}
		t.add(x.Name, rolesText(x.Grants), stamp(x.Created), state)
	}
	t.write(c.out, "")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func keyViews(all []ledger.KeyInfo) []map[string]string {
	views := []map[string]string{}
	for _, k := range all {
		views = append(views, map[string]string{"id": k.ID, "system": k.System, "created": stamp(k.Created), "expires": stamp(k.Expires), "revoked": stamp(k.Revoked)})
	}
	return views
}

func personViews(all []ledger.PersonInfo) []map[string]string {
	views := []map[string]string{}
	for _, p := range all {
		views = append(views, map[string]string{"name": p.Name, "roles": rolesText(p.Grants), "created": stamp(p.Created), "disabled": stamp(p.Disabled)})
	}
	return views
}

// rolesText and parseRole write roles as the command line takes them: operator@graz,
// and viewer for all plants.
func rolesText(grants []ledger.Grant) string {
	texts := make([]string, len(grants))
	for i, g := range grants {
		texts[i] = g.Role
		if g.Plant != "" {
			texts[i] += "@" + g.Plant
		}
	}
	return strings.Join(texts, " ")
}

func parseRole(text string) ledger.Grant {
	role, plant, _ := strings.Cut(text, "@")
	return ledger.Grant{Role: role, Plant: plant}
}

func (c *cli) revokeKeyCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "end a key",
		Long:    "End a key. A running hub refuses it within five seconds.",
		Example: "  gapless keys revoke gmt2ekzx5b6a4wpq",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.act(cmd, p, "key "+args[0]+" revoked", func(ctx context.Context, l *ledger.Ledger) error { return l.RevokeKey(ctx, byHand, args[0]) })
		},
	}
}

func (c *cli) disableCommand(p *place) *cobra.Command {
	return &cobra.Command{
		Use:     "disable NAME",
		Short:   "end an account, or all keys of a system",
		Long:    "End the account of a person by its name, or all keys of a system by system/NAME.",
		Example: "  gapless keys disable anna.maier\n  gapless keys disable system/graz-mes",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.act(cmd, p, args[0]+" disabled", func(ctx context.Context, l *ledger.Ledger) error { return l.Disable(ctx, byHand, args[0]) })
		},
	}
}

// act does one thing to a ledger that is there and says so.
func (c *cli) act(cmd *cobra.Command, p *place, done string, do func(ctx context.Context, l *ledger.Ledger) error) error {
	l, err := p.open(cmd.Context(), false)
	if err != nil {
		return err
	}
	l.Close()
	if err := p.writing(cmd.Context(), do); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]string{"done": done})
	}
	fmt.Fprintln(c.out, done)
	return nil
}

func (c *cli) personCommand(p *place) *cobra.Command {
	var roles []string
	var change, password bool
	cmd := &cobra.Command{
		Use:   "person NAME",
		Short: "make or change an account of a person",
		Long: `Make an account. The password is asked for, or read from standard input where that is no
terminal: at least 15 characters.

A role holds at one plant (operator@graz) or at all (viewer). viewer sees figures, traces
and what does not go on; operator decides about that; quality does so too and sees raw
content; steward is an operator who sees raw content, delivers for systems and replays;
approver approves what another has prepared; admin sees, and gives nothing more: whoever
may write to the data folder keeps keys and accounts. docs/permissions.md has the table.

--change gives an account that is there other roles instead of those before, and
--password another password.`,
		Example: `  gapless keys person anna.maier --role operator@graz --role viewer
  pass show gapless/anna | gapless keys person anna.maier --role viewer
  gapless keys person anna.maier --change --role viewer
  gapless keys person anna.maier --change --password`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if password && !change {
				return usageError{errors.New("--password is for an account that is there: give --change with it, or leave it out")}
			}
			if len(roles) == 0 && !password {
				return usageError{errors.New("--role is missing: give at least one, such as viewer or operator@graz")}
			}
			var grants []ledger.Grant
			for _, text := range roles {
				grants = append(grants, parseRole(text))
			}
			if change {
				return c.changePerson(cmd, p, name, grants, password)
			}
			secret, err := c.password(cmd.Context(), name)
			if err != nil {
				return err
			}
			return c.tellPerson(p.writing(cmd.Context(), func(ctx context.Context, l *ledger.Ledger) error {
				return l.CreatePerson(ctx, byHand, name, secret, grants)
			}), name)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&roles, "role", nil, "`ROLE` or ROLE@PLANT; may be given more than once")
	flags.BoolVar(&change, "change", false, "change an account that is there")
	flags.BoolVar(&password, "password", false, "with --change: set another password")
	return cmd
}

func (c *cli) changePerson(cmd *cobra.Command, p *place, name string, grants []ledger.Grant, password bool) error {
	secret := ""
	if password {
		var err error
		if secret, err = c.password(cmd.Context(), name); err != nil {
			return err
		}
	}
	return c.act(cmd, p, name+" changed", func(ctx context.Context, l *ledger.Ledger) error {
		if len(grants) > 0 {
			if err := l.SetGrants(ctx, byHand, name, grants); err != nil {
				return err
			}
		}
		if password {
			return l.SetPassword(ctx, byHand, name, secret)
		}
		return nil
	})
}

func (c *cli) tellPerson(err error, name string) error {
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]string{"name": name})
	}
	fmt.Fprintf(c.out, "%s may log in; commands take --key %s:PASSWORD\n", name, name)
	return nil
}

// password asks for a password twice, or reads one line.
func (c *cli) password(ctx context.Context, name string) (string, error) {
	terminal, ok := c.in.(*os.File)
	if !ok || !isTerminal(c.in) {
		line, err := awaited(ctx, func() (string, error) { return bufio.NewReader(c.in).ReadString('\n') })
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(c.err, prompt)
		secret, err := unseen(ctx, int(terminal.Fd()))
		fmt.Fprintln(c.err)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return string(secret), nil
	}
	first, err := ask("password of " + name + ": ")
	if err != nil {
		return "", err
	}
	again, err := ask("again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", usageError{errors.New("the two passwords differ")}
	}
	return first, nil
}

// unseen reads a line that the terminal does not show. Interrupted, it leaves the terminal
// as it was.
func unseen(ctx context.Context, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	secret, err := awaited(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(terminal, before))
	}
	return secret, err
}
