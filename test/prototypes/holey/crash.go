package main

import (
	"errors"
	"fmt"
	"os"
)

// settingsFile is in no image.
const settingsFile = "/etc/holey/settings.yaml"

// crash ends at once, as a program does that misses what it needs.
func crash() error {
	if _, err := os.ReadFile(settingsFile); err != nil {
		return fmt.Errorf("this prototype can't start without its settings: %w", err)
	}
	return errors.New("the settings are there, but this prototype can't read them yet")
}
