package scalability_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/gate/scalability"
)

var update = flag.Bool("update", false, "write the golden files anew")

func figure() scalability.Figure {
	r := climbed("Overloaded", lasting("30", 100*ms), lasting("40", 104*ms), lasting("60", 118*ms), lasting("80", 150*ms), lasting("110", 260*ms), behind(slow(lasting("150", 2600*ms), 2000)))
	return scalability.Figure{Subject: "education/<outliner> & friends", Demand: demanded, Wanted: 30,
		Capacities: []scalability.Capacity{scalability.CapacityOf(r, demanded, 1)}}
}

func TestPlot(t *testing.T) {
	one, many := figure(), figure()
	many.Capacities = append(many.Capacities, carries(2, 190), carries(4, 300))
	for name, f := range map[string]scalability.Figure{"one-replica": one, "replicas": many} {
		got := string(scalability.Plot(f))
		file := "testdata/" + name + ".svg"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from %s; -update writes it anew", name, file)
		}
		wantSafe(t, got)
		if again := string(scalability.Plot(f)); again != got {
			t.Error("the same figure gives two plots")
		}
	}
}

// wantSafe demands well-formed SVG of drawing elements alone, with a title and a description.
func wantSafe(t *testing.T, svg string) {
	t.Helper()
	allowed := map[string]bool{"svg": true, "title": true, "desc": true, "g": true, "rect": true, "line": true, "path": true, "circle": true, "text": true}
	seen := map[string]int{}
	for decoder := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("no XML: %v", err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		seen[element.Name.Local]++
		if !allowed[element.Name.Local] {
			t.Errorf("an element <%s>", element.Name.Local)
		}
		for _, a := range element.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" || strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("<%s %s=%q>", element.Name.Local, a.Name.Local, a.Value)
			}
		}
	}
	if seen["title"] != 1 || seen["desc"] != 1 || seen["circle"] == 0 {
		t.Errorf("got %v", seen)
	}
}

func TestPlotOfHardlyAnything(t *testing.T) {
	for name, f := range map[string]scalability.Figure{
		"one step":         {Subject: "x", Demand: demanded, Wanted: 30, Capacities: []scalability.Capacity{scalability.CapacityOf(climbed("", lasting("30", 100*ms)), demanded, 1)}},
		"no time at all":   {Subject: "x", Demand: demanded, Wanted: 30, Capacities: []scalability.Capacity{scalability.CapacityOf(climbed("", lasting("30", 0)), demanded, 1)}},
		"nobody answered":  {Subject: "x", Demand: demanded, Wanted: 30, Capacities: []scalability.Capacity{scalability.CapacityOf(climbed("", failing(step("30", 20), 600, timeout)), demanded, 1)}},
		"hardly any":       {Subject: "x", Demand: scalability.Demand{Rate: 0.001, LatencyP95: time.Microsecond}, Wanted: 0.001, Capacities: []scalability.Capacity{scalability.CapacityOf(climbed("", lasting("30", 0)), demanded, 1)}},
		"control, < and &": {Subject: "\x1b[31m<script>alert(1)</script>&", Demand: demanded, Wanted: 30, Capacities: figure().Capacities},
	} {
		t.Run(name, func(t *testing.T) { wantSafe(t, string(scalability.Plot(f))) })
	}
	for _, f := range []scalability.Figure{{}, {Capacities: []scalability.Capacity{{}}}} {
		if got := scalability.Plot(f); got != nil {
			t.Errorf("a plot of nothing: %s", got)
		}
	}
}
