package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// width at which answers are broken.
const width = 110

// narrator tells what happens, and remembers how long it took.
type narrator struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
	took  []chapter
}

type chapter struct {
	title string
	from  time.Duration
	took  time.Duration
}

func newNarrator(out io.Writer) *narrator { return &narrator{out: out, start: time.Now()} }

// say writes one line with the time since the start.
func (n *narrator) say(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = fmt.Fprintf(n.out, "[%4.0fs]   %s\n", time.Since(n.start).Seconds(), fmt.Sprintf(format, args...))
}

// title begins a step.
func (n *narrator) title(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = fmt.Fprintf(n.out, "\n[%4.0fs] == %s\n", time.Since(n.start).Seconds(), text)
}

// quote shows what a program printed, set off from the story.
func (n *narrator) quote(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		_, _ = fmt.Fprintf(n.out, "         | %s", line)
	}
}

// refusal shows who tried what, and what came back.
func (n *narrator) refusal(who, what, answer string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = fmt.Fprintf(n.out, "[%4.0fs]   REFUSED  %s\n", time.Since(n.start).Seconds(), who)
	_, _ = fmt.Fprintf(n.out, "          tries:   %s\n", what)
	for i, line := range wrap(answer, width-19) {
		label := "answer:  "
		if i > 0 {
			label = "         "
		}
		_, _ = fmt.Fprintf(n.out, "          %s%s\n", label, line)
	}
}

func (n *narrator) ended(title string, began time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.took = append(n.took, chapter{title: title, from: began.Sub(n.start), took: time.Since(began)})
}

// timeline lists the steps with their durations.
func (n *narrator) timeline() {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = fmt.Fprintf(n.out, "\nTimeline\n")
	longest := time.Second
	for _, c := range n.took {
		longest = max(longest, c.took)
	}
	for _, c := range n.took {
		bar := strings.Repeat("=", int(24*c.took/longest))
		_, _ = fmt.Fprintf(n.out, "  %6.1fs  +%5.1fs  %-24s  %s\n", c.from.Seconds(), c.took.Seconds(), bar, c.title)
	}
	_, _ = fmt.Fprintf(n.out, "  %6.1fs  in all, without the cluster and the images\n\n", time.Since(n.start).Seconds())
}

// wrap breaks a text at spaces.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
