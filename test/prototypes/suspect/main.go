// Command suspect is the program of the corpus: as a prototype it does what PLAY says, in words such as
// "delay=1500ms fail-every=20"; with the argument systems it is the organisation's systems that prototypes use. What it
// does is real: a slow answer takes its time, and an error is one.
package main

import (
	"fmt"
	"os"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

func main() {
	switch {
	case len(os.Args) == 1:
		play, err := parsePlay(os.Getenv("PLAY"))
		if err != nil {
			serve.Fail("suspect", err)
		}
		serve.Main("suspect", prototype(play))
	case len(os.Args) == 2 && os.Args[1] == "systems":
		if err := systems(); err != nil {
			serve.Fail("suspect", err)
		}
	default:
		serve.Fail("suspect", fmt.Errorf("want no argument, or systems"))
	}
}
