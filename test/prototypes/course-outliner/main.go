// Command course-outliner is a sample prototype: it drafts the outline of a course. It calls the
// organisation's model gateway and, where there is one, asks the learning-management system for the
// courses that exist already.
package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// config is what the operator hands in.
type config struct {
	// modelURL is the gateway's OpenAI-compatible base, such as http://gateway.models.svc:8080/v1.
	modelURL  string
	modelName string
	keyFile   string
	// lmsURL is the learning-management system, or "" without the integration.
	lmsURL string
}

func main() {
	c, err := configFrom(os.Getenv)
	if err != nil {
		serve.Fail("course-outliner", err)
	}
	serve.Main("course-outliner", newHandler(c))
}

func configFrom(getenv func(string) string) (config, error) {
	c := config{
		modelURL:  strings.TrimSuffix(getenv("AFFINEUR_MODEL_URL"), "/"),
		modelName: getenv("AFFINEUR_MODEL_NAME"),
		keyFile:   getenv("AFFINEUR_MODEL_KEY_FILE"),
		lmsURL:    strings.TrimSuffix(getenv("AFFINEUR_INTEGRATION_LMS_URL"), "/"),
	}
	if c.keyFile == "" {
		c.keyFile = "/var/run/affineur/model/key"
	}
	if c.modelURL == "" || c.modelName == "" {
		return config{}, errors.New("AFFINEUR_MODEL_URL and AFFINEUR_MODEL_NAME are not both set: does the prototype name a model?")
	}
	if err := checkURL("AFFINEUR_MODEL_URL", c.modelURL); err != nil {
		return config{}, err
	}
	if c.lmsURL != "" {
		if err := checkURL("AFFINEUR_INTEGRATION_LMS_URL", c.lmsURL); err != nil {
			return config{}, err
		}
	}
	return c, nil
}

func checkURL(variable, value string) error {
	parsed, err := url.Parse(value)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return fmt.Errorf("%s is %q, want an http or https address", variable, value)
	}
	return nil
}
