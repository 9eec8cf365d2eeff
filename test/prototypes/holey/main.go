// Command holey is a prototype with one hole, chosen by its argument. Each hole is real behaviour that
// a gate, a probe or the sandbox has to notice; nothing here pretends.
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// holes are the ways to fail. Each runs until the process ends, or returns why it can't go on.
var holes = map[string]func() error{
	"crash":    crash,
	"deaf":     deaf,
	"disclose": disclose,
	"discreet": keep,
	"flaky":    flaky,
	"flood":    flood,
	"hear":     hear,
	"hold":     hold,
	"intrude":  intrude,
	"lure":     lure,
	"parrot":   parrot,
	"reach":    reach,
	"remember": remember,
	"rooted":   rooted,
	"slow":     slow,
	"tattle":   tattle,
}

func main() {
	hole, err := choose(os.Args[1:])
	if err == nil {
		err = hole()
	}
	if err != nil {
		serve.Fail("holey", err)
	}
}

func choose(args []string) (func() error, error) {
	if len(args) == 1 && holes[args[0]] != nil {
		return holes[args[0]], nil
	}
	return nil, fmt.Errorf("want one argument of %s", strings.Join(slices.Sorted(maps.Keys(holes)), ", "))
}
