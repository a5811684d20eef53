package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"timeclock/deploy/flash"
	"timeclock/deploy/image"
	"timeclock/device/durable"
)

var imageCommand = command{
	name: "image", help: "make a card file out of the image of Raspberry Pi OS Lite, to be written to cards",
	flags: func(f *flags) action {
		from := f.text("from", "", "the `file` of Raspberry Pi OS Lite as it was downloaded (.img.xz or .img)")
		out := f.text("out", "", "the card `file` that is made; with a list of devices, the folder for theirs")
		c := declareCards(f)
		return func(ctx context.Context, called *call) error {
			c.call = called
			return (&imager{cards: c}).run(ctx, *from, *out)
		}
	},
}

// imager makes card files.
type imager struct {
	*cards
	source *image.Source
}

func (c *imager) run(ctx context.Context, from, out string) (err error) {
	if c.asks() {
		return c.ask(ctx)
	}
	for flag, value := range map[string]string{"from": from, "out": out} {
		if value == "" {
			return fmt.Errorf("%w: -%s is missing", errUsage, flag)
		}
	}
	if c.source, err = image.OpenSource(from); err != nil {
		return err
	}
	defer func() { c.source.Close() }()
	list, names, err := c.list(out)
	if err != nil {
		return err
	}
	if *c.devices != "" && names == nil {
		if err := os.MkdirAll(out, 0o700); err != nil {
			return err
		}
		defer os.Remove(out) // if nothing is in it
	}
	all, err := c.all(ctx, list, func(i int, _ ready) error {
		return image.IsNew(list[i]["out"])
	})
	if err != nil {
		return err
	}
	if names != nil {
		all[0].device.Names = names
		if err := all[0].device.Check(); err != nil {
			return fmt.Errorf("%s: %w", *c.devices, err)
		}
	}
	if err := c.room(filepath.Dir(all[0].card["out"]), len(all)); err != nil {
		return err
	}
	if len(all) > 1 && !*c.dry {
		done, err := c.unpackOnce(ctx, out)
		if err != nil {
			return err
		}
		defer done()
	}
	for _, r := range all {
		if err := c.make(ctx, r); err != nil {
			return fmt.Errorf("%s%w", where(r.card, *c.devices), err)
		}
	}
	return nil
}

// ask makes a card file as a person says.
func (c *imager) ask(ctx context.Context) error {
	d := c.dialogue(ctx)
	d.From = cmp.Or(likelyImage(), d.From)
	r, err := d.card(question{
		text: "Raspberry Pi OS Lite, as it was downloaded (.img.xz)", like: &d.From, path: true, judge: isImage,
	})
	if err != nil {
		return err
	}
	out := filepath.Join(d.Out, d.Name+".img")
	for n := 2; image.IsNew(out) != nil && n < 100; n++ {
		out = filepath.Join(d.Out, fmt.Sprintf("%s-%d.img", d.Name, n))
	}
	if err := d.ask(question{text: "Card file that is made", like: &out, path: true, judge: image.IsNew}); err != nil {
		return err
	}
	r.card["out"], d.Out = out, filepath.Dir(out)
	if c.source, err = image.OpenSource(d.From); err != nil {
		return err
	}
	defer c.source.Close()
	if err := c.room(d.Out, 1); err != nil {
		return err
	}
	if err := c.make(ctx, r); err != nil {
		return err
	}
	return d.keep()
}

// list says which card files are to be made: one; one for each device of a list; or one for all of a list
// that has their serial numbers, whose names it returns.
func (c *imager) list(out string) (list []card, names map[string]string, err error) {
	flags := c.given()
	flags["out"] = out
	if *c.devices == "" {
		return []card{flags}, nil, nil
	}
	delete(flags, "out")
	flags["serial"] = ""
	if list, err = readCards(*c.devices, flags); err != nil {
		return nil, nil, err
	}
	if list[0]["serial"] == "" {
		for _, k := range list {
			if k["serial"] != "" {
				return nil, nil, someSerials(*c.devices)
			}
			k["out"] = filepath.Join(out, k["name"]+".img")
		}
		return list, nil, nil
	}
	names = map[string]string{}
	one := maps.Clone(list[0])
	one["out"], one["name"] = out, flags["name"]
	if one["name"] == "" {
		one["name"] = "timeclock-SERIAL"
	}
	for _, k := range list {
		names[k["serial"]] = k["name"]
		k["name"], k["serial"], k["out"] = one["name"], one["serial"], out
		if !maps.Equal(k, one) {
			return nil, nil, fmt.Errorf("%s: one card file for all boards has the same for all but their names: "+
				"leave out the column serial to have a file for each", *c.devices)
		}
	}
	if _, empty := names[""]; empty {
		return nil, nil, someSerials(*c.devices)
	}
	return []card{one}, names, nil
}

func someSerials(list string) error {
	return fmt.Errorf("%s has serial numbers for some devices only: name that of each, or of none", list)
}

// room sees that all card files find room, before the first is begun.
func (c *imager) room(folder string, files int) error {
	if files > 1 {
		files++ // they are copies of one that is unpacked
	}
	needs := uint64(files) * uint64(c.source.Size)
	room, err := durable.RoomIn(folder)
	if err == nil && room.Free < needs {
		err = fmt.Errorf("there are %.1f GB free in %s, and %.1f GB are needed: make room, or choose another folder",
			float64(room.Free)/1e9, folder, float64(needs)/1e9)
	}
	return err
}

// unpackOnce unpacks the image for all who are to come.
func (c *imager) unpackOnce(ctx context.Context, folder string) (done func(), err error) {
	path := filepath.Join(folder, ".unpacked.img")
	os.Remove(path) // of a call that was cut off
	d, err := image.NewDraft(path)
	if err != nil {
		return nil, err
	}
	defer d.Drop()
	show := c.progress("unpacking")
	err = d.Begin(ctx, c.source, show)
	if err == nil {
		err = d.Complete(ctx)
	}
	if err == nil {
		err = d.Finish(nil)
	}
	if err != nil {
		return nil, err
	}
	c.source.Close()
	if c.source, err = image.OpenSource(path); err != nil {
		return nil, err
	}
	return func() { c.source.Close(); os.Remove(path) }, nil
}

// make makes one card file.
func (c *imager) make(ctx context.Context, r ready) error {
	out := r.card["out"]
	d, err := image.NewDraft(out)
	if err != nil {
		return err
	}
	defer d.Drop()
	label := r.device.Name
	if c.source.Packed() {
		label += ": unpacking"
	}
	if err := d.Begin(ctx, c.source, c.progress(label)); err != nil {
		return fmt.Errorf("%s: %w", c.source.Path, err)
	}
	changes, err := flash.Plan(d.Boot, r.device)
	if errors.Is(err, flash.ErrNoBoot) {
		err = fmt.Errorf("%w. Take Raspberry Pi OS Lite", err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.source.Path, err)
	}
	system := flash.About(d.Boot)
	if system.Desktop {
		fmt.Fprintln(c.stderr, "warning: this system has a desktop, which a clock has no use for: Lite is enough")
	}
	to := fmt.Sprintf("%s (%.1f GB)", out, float64(c.source.Size)/1e9)
	if *c.dry {
		return c.show(r, system, to, changes)
	}
	if c.sure != nil {
		if err := c.sure(r, system, to, changes); err != nil {
			return err
		}
	}
	if err := flash.Apply(d.Boot, changes); err != nil {
		return err
	}
	if err := d.Complete(ctx); err != nil {
		return fmt.Errorf("%s: %w", c.source.Path, err)
	}
	wrote := map[string][]byte{}
	for _, change := range changes {
		wrote[change.Path] = change.After
	}
	if err := d.Finish(wrote); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s: the card file is ready: %s, %s. Write it to a card of %d GB or more with "+
		"Raspberry Pi Imager (\"Use custom\", no customisation), put that into the Pi, and give it power: after some "+
		"minutes the display shows the time\n", r.device.Name, out, system, cardSize(c.source.Size))
	return err
}

// cardSize is the size of the smallest cards that take so many bytes, in GB as sellers count; a clock needs room
// for its bookings, too.
func cardSize(bytes int64) int {
	size := 4
	for int64(size)*950_000_000 < bytes { // some cards have less than is printed on them
		size *= 2
	}
	return size
}
