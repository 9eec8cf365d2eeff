package sandbox

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/affineur/affineur/api/v1alpha1"
)

// serverTime is a witness that says one time, or why it says none.
type serverTime struct {
	now time.Time
	err error
}

func (s serverTime) Now(context.Context) (time.Time, error) { return s.now, s.err }

// keptSince is an object of the records from so long ago.
func keptSince(name, component string, age time.Duration) client.Object {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: v1alpha1.RecordsNamespace, Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(birth.Add(-age)),
		Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelComponent: component},
	}}
}

func TestOldLogsGo(t *testing.T) {
	const day = 24 * time.Hour
	elsewhere := keptSince("elsewhere", "log", 40*day)
	elsewhere.SetNamespace("education")
	for name, test := range map[string]struct {
		witness serverTime
		refused error
		gone    []string
		rest    time.Duration
	}{
		"the old one goes, and the next has its time": {serverTime{now: birth}, nil, []string{"old"}, time.Hour},
		"an hour later both":                          {serverTime{now: birth.Add(time.Hour)}, nil, []string{"next", "old"}, day},
		"without the server's time nothing does":      {serverTime{err: errors.New("silent")}, nil, nil, shortestRest},
		"what can't be removed is tried again":        {serverTime{now: birth}, errors.New("refused"), nil, shortestRest},
	} {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{
				keptSince("old", "log", logAge), keptSince("next", "log", logAge-time.Hour), keptSince("new", "log", 0),
				keptSince("report", "report", 400*day), elsewhere,
			}
			var gone []string
			c := interceptor.NewClient(fake.NewClientBuilder().WithObjects(objects...).Build(), interceptor.Funcs{
				Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
					if test.refused != nil {
						return test.refused
					}
					gone = append(gone, o.GetName())
					return c.Delete(ctx, o, options...)
				},
			})
			rest, err := (&Retention{Client: c, Live: c, Witness: test.witness}).pass(t.Context())
			if slices.Sort(gone); !slices.Equal(gone, test.gone) || rest != test.rest {
				t.Errorf("gone %v, looks again in %s", gone, rest)
			}
			if (err != nil) != (test.witness.err != nil || test.refused != nil) {
				t.Errorf("error %v", err)
			}
		})
	}
}
