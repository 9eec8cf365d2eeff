// Package model holds the trained model of churn-advisor.
package model

import (
	_ "embed"

	"github.com/affineur/affineur/test/prototypes/internal/bayes"
)

//go:generate go run ../train -data ../data/messages.csv -out model.json

//go:embed model.json
var encoded []byte

// Load returns the classifier of members' messages.
func Load() (*bayes.Classifier, error) {
	decoded, err := bayes.Decode(encoded)
	if err != nil {
		return nil, err
	}
	return bayes.NewClassifier(decoded)
}
