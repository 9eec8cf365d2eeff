package evidence

import "testing"

// What answers without a credential answered with it first.
func TestAnAnswerWithoutTheCredential(t *testing.T) {
	for class, valid := range map[Class]bool{ClassNone: true, ClassStatus: false} {
		r := IntegrationReport{Checks: []CheckResult{{Name: "lms", OK: class == ClassNone, Class: class, Attempts: 1, WithoutCredential: true}}}
		if err := r.Validate(); (err == nil) != valid {
			t.Errorf("%q: %v", class, err)
		}
	}
}
