// Command churn-advisor is a sample prototype: it reads a member's message and says whether the member
// is at risk of lapsing, is satisfied or has a question. It answers from a small model of its own and
// needs nothing outside its pod.
package main

import (
	"github.com/affineur/affineur/test/prototypes/churn-advisor/model"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// revision is set when the image is built, so that images of two revisions differ.
var revision = "dev"

func main() {
	classifier, err := model.Load()
	if err != nil {
		serve.Fail("churn-advisor", err)
	}
	serve.Main("churn-advisor", newHandler(classifier, revision))
}
