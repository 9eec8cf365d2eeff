package serve

import (
	"fmt"
	"io"
	"os"
)

// maxSecretBytes is far above any key or token, and keeps a wrongly mounted file out of memory.
const maxSecretBytes = 16 << 10

// ReadSecret reads a mounted key or token. Callers read it at every use and never keep it: the file is
// small, and so a rotated Secret takes effect without a restart and without watching anything.
func ReadSecret(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSecretBytes+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxSecretBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxSecretBytes)
	}
	if len(content) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return content, nil
}

// EnvOr returns the variable's value, or the default when it is unset or empty.
func EnvOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
