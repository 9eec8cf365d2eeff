package evidence

import (
	"errors"

	kjson "sigs.k8s.io/json"
)

// decodeStrict reads exactly one JSON object into v: keys are matched by case, and unknown keys, repeated keys and
// anything behind the object are errors. The standard decoder takes "NONCE" for "nonce" and lets the last of two
// equal keys win, so two readers could see two different reports in one text. Errors never quote the input.
func decodeStrict(raw []byte, v any) error {
	strict, err := kjson.UnmarshalStrict(raw, v)
	switch {
	case err != nil:
		return errors.New("not well-formed JSON of this schema")
	case len(strict) > 0:
		return errors.New("unknown or repeated fields")
	}
	return nil
}
