// Command erpdemo plays a company whose ERP is a real one: a fresh Tryton of scripts/erp,
// a hub with the catalog examples/tryton, and, in this program, the floor, the quality
// system and the handhelds, which know nothing of either but their HTTP interfaces. In the
// end it reads the ERP's books back with a client of its own and compares them with what
// it counted itself and with what the hub has on record.
//
// With -chaos the hub is killed, the ERP restarted in the middle of a post, connections
// are broken, answers delayed and rows locked meanwhile, all from one seed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	d := &demo{began: time.Now(), out: os.Stdout}
	flag.StringVar(&d.root, "root", ".", "folder of the project")
	flag.StringVar(&d.folder, "folder", "build/erp-demo", "folder of the hub and of what it says; it is made anew")
	flag.BoolVar(&d.chaos, "chaos", false, "disturb everything meanwhile")
	flag.Uint64Var(&d.seed, "seed", 1, "of the disturbances")
	flag.IntVar(&d.limit, "orders", 0, "so many orders of the moulding month at most; 0 is all of them")
	flag.BoolVar(&d.keep, "keep", false, "leave the ERP running afterwards, to look at it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "erpdemo:", err)
		os.Exit(1)
	}
}

// errUnequal says that the books are not as they must be, which was printed.
var errUnequal = errors.New("the books are not as they must be, as told above")

// longest bounds the whole of it.
const longest = 20 * time.Minute

// demo is one run.
type demo struct {
	root, folder string
	chaos, keep  bool
	seed         uint64
	limit        int
	began        time.Time
	out          io.Writer

	server *server // the ERP
	hub    *hub
	floor  *floor
	month  *monthRun
	books  *books // what must be in the ERP, as this program counts it
	faults *chaos // nil without -chaos
}

func (d *demo) say(text string, args ...any) {
	fmt.Fprintf(d.out, "[%5.1f s] %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(text, args...))
}

// run starts everything, plays, waits, and compares.
func (d *demo) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := d.prepare(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.end(context.WithoutCancel(ctx), err)) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.play(ctx); err != nil {
		return err
	}
	return d.compare(ctx)
}

// prepare makes the folders new.
func (d *demo) prepare(context.Context) error {
	if err := os.RemoveAll(d.folder); err != nil {
		return err
	}
	d.books = newBooks()
	return os.MkdirAll(d.folder, 0o700)
}

// start brings up the ERP, the floor and the hub.
func (d *demo) start(ctx context.Context) error {
	var err error
	d.say("a fresh ERP")
	if d.server, err = newServer(ctx, d.root); err != nil {
		return err
	}
	if d.month, err = newMonthRun(d); err != nil {
		return err
	}
	if d.floor, err = newFloor(ctx); err != nil {
		return err
	}
	address := d.server.url
	if d.chaos {
		if d.faults, err = newChaos(ctx, d); err != nil {
			return err
		}
		address = d.faults.proxy.url
	}
	d.books.open(d.month.month)
	d.hub, err = newHub(ctx, d, address)
	return err
}

// play works, in two parts: what the floor reports first, and then what others decide
// about what is in the ERP by then.
func (d *demo) play(ctx context.Context) error {
	if err := d.floor.waitForOrders(ctx); err != nil {
		return err
	}
	d.say("%d orders are on the floor", d.floor.count())
	disturbing, calm := context.WithCancel(ctx)
	defer calm()
	if d.faults != nil {
		d.faults.begin(disturbing)
	}
	if err := d.month.send(ctx); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{d.produce, d.decide, d.count, d.foreign} {
		if err := part(ctx); err != nil {
			return err
		}
		if err := d.settle(ctx); err != nil {
			return err
		}
	}
	if d.faults == nil {
		if len(d.month.last) < ofDesk {
			return nil // a short month has no orders left for it
		}
		return d.desk(ctx)
	}
	calm()
	if err := d.faults.stop(ctx); err != nil {
		return err
	}
	return d.settle(ctx)
}

// end stops what was started, and says what the hub said where something failed.
func (d *demo) end(ctx context.Context, failed error) error {
	var faults []error
	if d.hub != nil {
		faults = append(faults, d.hub.stop())
		if failed != nil && !errors.Is(failed, errUnequal) {
			d.hub.tellLog()
		}
	}
	if d.faults != nil {
		faults = append(faults, d.faults.close())
	}
	if d.floor != nil {
		faults = append(faults, d.floor.close())
	}
	if d.server != nil && !d.keep {
		faults = append(faults, d.server.remove(ctx))
	}
	return errors.Join(faults...)
}
