package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"timeclock/deploy/flash"
)

var flashCommand = command{
	name: "flash", help: "prepare a card with Raspberry Pi OS Lite: its first boot makes a time clock of it",
	flags: func(f *flags) action {
		boot := f.text("boot", "", "the `folder` where the card's boot partition is mounted")
		c := declareCards(f)
		return func(ctx context.Context, called *call) error {
			c.call = called
			return (&flasher{c}).run(ctx, *boot)
		}
	},
}

// flasher prepares cards that are in a card reader.
type flasher struct{ *cards }

// run prepares one card, or one after the other those of a list.
func (c *flasher) run(ctx context.Context, boot string) (err error) {
	if c.asks() {
		return c.ask(ctx)
	}
	first := c.given()
	first["boot"] = boot
	list := []card{first}
	if *c.devices != "" {
		if list, err = readCards(*c.devices, first); err != nil {
			return err
		}
	}
	all, err := c.all(ctx, list, func(i int, r ready) error {
		boot := list[i]["boot"]
		if boot == "" {
			return fmt.Errorf("%w: -boot is missing", errUsage)
		}
		// the others are not in yet
		if slices.IndexFunc(list, func(o card) bool { return o["boot"] == boot }) != i {
			return nil
		}
		_, err := plan(boot, r)
		return err
	})
	if err != nil {
		return err
	}
	in := bufio.NewReader(c.stdin)
	for i, r := range all {
		for i > 0 && !*c.dry && list[i-1]["boot"] == r.card["boot"] {
			if err := c.nextCard(in, r.card, list[i-1]["name"]); err != nil {
				return err
			}
			if other := flash.PreparedFor(flash.Folder(r.card["boot"])); other == "" || other == r.card["name"] {
				break
			}
		}
		if err := c.prepare(r); err != nil {
			return fmt.Errorf("%s%w", where(r.card, *c.devices), err)
		}
	}
	return nil
}

// ask prepares a card as a person says.
func (c *flasher) ask(ctx context.Context) error {
	d := c.dialogue(ctx)
	d.Boot = cmp.Or(likelyBoot(), d.Boot)
	r, err := d.card(question{
		text: "Folder where the card's boot partition, bootfs, is mounted", like: &d.Boot, path: true,
		judge: func(boot string) error { return flash.Look(flash.Folder(boot)) },
	})
	if err != nil {
		return err
	}
	r.card["boot"] = d.Boot
	if err := c.prepare(r); err != nil {
		return err
	}
	return d.keep()
}

// nextCard waits until somebody has put in the next card.
func (c *flasher) nextCard(in *bufio.Reader, k card, last string) error {
	fmt.Fprintf(c.stdout, "Take out the card of %s, put in that for %s, and press Enter. ", last, k["name"])
	if _, err := in.ReadString('\n'); err != nil {
		return fmt.Errorf("nobody put in the card for %s: call it again with the devices that are left", k["name"])
	}
	return nil
}

func plan(boot string, r ready) ([]flash.Change, error) {
	changes, err := flash.Plan(flash.Folder(boot), r.device)
	if errors.Is(err, flash.ErrNoBoot) {
		err = fmt.Errorf("%s: %w. Write Raspberry Pi OS Lite to the card, put it in again, and name the folder where "+
			"its partition bootfs is mounted", boot, err)
	}
	return changes, err
}

// prepare brings one card into shape.
func (c *flasher) prepare(r ready) error {
	boot := r.card["boot"]
	changes, err := plan(boot, r)
	if err != nil {
		return err
	}
	if *c.dry {
		return c.show(r, flash.About(flash.Folder(boot)), boot, changes)
	}
	if c.sure != nil {
		if err := c.sure(r, flash.About(flash.Folder(boot)), boot, changes); err != nil {
			return err
		}
	}
	for _, change := range changes {
		fmt.Fprintf(c.stdout, "%s: %s\n", r.device.Name, change.Path)
	}
	if err := flash.Apply(flash.Folder(boot), changes); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s: the card is ready. Eject it, put it into the Pi, and give it power: "+
		"after some minutes the display shows the time\n", r.device.Name)
	return err
}

// show says what would be done.
func (c *cards) show(r ready, system flash.System, to string, changes []flash.Change) error {
	if *c.verbose {
		for _, change := range changes {
			fmt.Fprint(c.stdout, change.Diff())
		}
	}
	_, err := fmt.Fprint(c.stdout, r.summary(system, to, changes))
	return err
}
