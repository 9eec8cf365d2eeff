package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

// stamp identifies what a component is built from: its flags and its module's sources and versions.
// A changed stamp means a rebuild.
func (c Component) stamp(l layout.Layout) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n%s\n", c.Name, c.Package, c.Tags, c.LDFlags)
	if err := hashModule(sum, c.dir(l)); err != nil {
		return "", fmt.Errorf("stamp of %s: %w", c.Name, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// hashModule writes every file that decides what the module in dir compiles to, but not nested modules.
func hashModule(w io.Writer, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != dir && hasGoMod(path) {
				return filepath.SkipDir
			}
			return nil
		}
		if !decidesBuild(entry.Name()) {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s %x\n", relative, sha256.Sum256(content))
		return err
	})
}

func hasGoMod(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func decidesBuild(name string) bool {
	if strings.HasSuffix(name, "_test.go") {
		return false
	}
	switch filepath.Ext(name) {
	case ".go", ".mod", ".sum", ".yaml", ".tmpl":
		return true
	}
	return false
}
