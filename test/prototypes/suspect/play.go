package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// play is what a prototype does apart from what it should.
type play struct {
	// delay of every answer.
	delay time.Duration
	// alone is how long each request has the program for itself.
	alone time.Duration
	// first is how many requests after the start take slow each; with every, each n-th does.
	first, every int
	slow         time.Duration
	// still is how long everything stands still, once in every second of pause.
	still, pause time.Duration
	// worse is by how much every answer takes longer than the one before.
	worse time.Duration
	// failEvery, hangEvery and breakEvery are which request in a row fails, is never answered, or is broken off; every one
	// after endure fails.
	failEvery, hangEvery, breakEvery, endure int
	// lieEvery is which answer in a row is a wrong one.
	lieEvery int
	// status of every answer.
	status int
	// wrong, vary, mute and busy are the sums, by their first number, that are told wrongly, told wrongly every second time,
	// lost, and never told because there is too much to do.
	wrong, vary, mute, busy span
	// tells is what it answers in a conversation with what it was told before: last, all, encoded, spelled or nameless give
	// it to others, own only to who said it.
	tells string
	// adds is what it adds to every answer: a name in extras.
	adds string
	// model in whose name it answers chat completions.
	model string
	// needs is what it does while a system that it needs is down: it degrades, fails, is patient, sulks, or only watches.
	needs string
	// room is how many requests it serves at once; who comes on top of that is told, with a status of 200, that it is busy.
	room int
	// leads names what a system lends to one at a time: only who has it answers.
	leads string
	// logs, quotes and refuses mean that it logs what was typed, repeats it in errors, and answers nobody.
	logs, quotes, refuses bool
	// heads, archives and hints mean that it repeats the message before in a header, logs what was typed in hexadecimal, and
	// repeats the end of it in errors.
	heads, archives, hints bool
	// gullible means that it answers what is no question.
	gullible bool
	// grow is how many KiB of memory every request takes and never gives back.
	grow int
}

// span is a range of whole numbers, both ends included.
type span struct{ from, to int }

func (s span) holds(n int) bool { return s.from <= n && n <= s.to && s.to > 0 }

// parsePlay reads words such as delay=1500ms.
func parsePlay(text string) (play, error) {
	p := play{status: 200}
	times := map[string]*time.Duration{"delay": &p.delay, "alone": &p.alone, "slow": &p.slow, "still": &p.still, "pause": &p.pause, "worse": &p.worse}
	numbers := map[string]*int{"first": &p.first, "every": &p.every, "fail-every": &p.failEvery, "lie-every": &p.lieEvery, "hang-every": &p.hangEvery,
		"break-every": &p.breakEvery, "endure": &p.endure, "status": &p.status, "grow": &p.grow, "room": &p.room}
	spans := map[string]*span{"wrong": &p.wrong, "vary": &p.vary, "mute": &p.mute, "busy": &p.busy}
	words := map[string]*string{"tells": &p.tells, "adds": &p.adds, "needs": &p.needs, "leads": &p.leads, "model": &p.model}
	switches := map[string]*bool{"gullible": &p.gullible, "logs": &p.logs, "quotes": &p.quotes, "refuses": &p.refuses,
		"heads": &p.heads, "archives": &p.archives, "hints": &p.hints}
	for word := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(word, "=")
		var err error
		switch {
		case spans[name] != nil:
			_, err = fmt.Sscanf(value, "%d-%d", &spans[name].from, &spans[name].to)
		case words[name] != nil:
			*words[name] = value
		case switches[word] != nil:
			*switches[word] = true
		case times[name] != nil:
			*times[name], err = time.ParseDuration(value)
		case numbers[name] != nil:
			*numbers[name], err = strconv.Atoi(value)
		default:
			return p, fmt.Errorf("PLAY says %q, which nobody knows", word)
		}
		if err != nil {
			return p, fmt.Errorf("PLAY says %q: %w", word, err)
		}
	}
	return p, nil
}
