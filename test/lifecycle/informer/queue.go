package informer

import (
	"cmp"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Queue holds what a controller was asked to look at, now or later. Like a real one it holds a request once, and keeps
// the earliest of several times.
type Queue struct {
	now      func() time.Time
	order    func() int
	due      map[reconcile.Request]entry
	failures map[reconcile.Request]int
}

type entry struct {
	order int
	// at once, and again later; the zero time for not.
	ready bool
	later time.Time
}

// backoff after the first failure; it doubles up to backoffMost.
const (
	backoffLeast = 100 * time.Millisecond
	backoffMost  = 30 * time.Second
)

// Ready are the requests that are due, the longest waiting first.
func (q *Queue) Ready() []reconcile.Request {
	var out []reconcile.Request
	for request, e := range q.due {
		if e.ready || !e.later.IsZero() && !q.now().Before(e.later) {
			out = append(out, request)
		}
	}
	slices.SortFunc(out, func(a, b reconcile.Request) int {
		return cmp.Or(cmp.Compare(q.due[a].order, q.due[b].order), cmp.Compare(a.String(), b.String()))
	})
	return out
}

// Order of a request among all that are queued.
func (q *Queue) Order(request reconcile.Request) int { return q.due[request].order }

// Next is when the next request is due that is not yet; the zero time for never.
func (q *Queue) Next() time.Time {
	var next time.Time
	for _, e := range q.due {
		if !e.ready && e.later.After(q.now()) && (next.IsZero() || e.later.Before(next)) {
			next = e.later
		}
	}
	return next
}

// Take removes a request that is due: whoever takes it looks at it now.
func (q *Queue) Take(request reconcile.Request) {
	e := q.due[request]
	e.ready = false
	if !q.now().Before(e.later) {
		e.later = time.Time{}
	}
	if q.due[request] = e; e.later.IsZero() {
		delete(q.due, request)
	}
}

// Finished queues a request again as its result says.
func (q *Queue) Finished(request reconcile.Request, result reconcile.Result, err error) {
	switch {
	case err != nil:
		q.AddRateLimited(request)
		return
	case result.RequeueAfter > 0:
		q.AddAfter(request, result.RequeueAfter)
	}
	q.Forget(request)
}

// Add implements workqueue.TypedInterface.
func (q *Queue) Add(request reconcile.Request) {
	e := q.due[request]
	if !e.ready {
		e.order = q.order()
	}
	e.ready = true
	q.due[request] = e
}

// AddAfter implements workqueue.TypedDelayingInterface.
func (q *Queue) AddAfter(request reconcile.Request, pause time.Duration) {
	e := q.due[request]
	if at := q.now().Add(pause); e.later.IsZero() || at.Before(e.later) {
		e.later = at
	}
	if !e.ready {
		e.order = q.order()
	}
	q.due[request] = e
}

// AddRateLimited implements workqueue.TypedRateLimitingInterface.
func (q *Queue) AddRateLimited(request reconcile.Request) {
	q.AddAfter(request, min(backoffLeast<<min(q.failures[request], 16), backoffMost))
	q.failures[request]++
}

// Forget implements workqueue.TypedRateLimitingInterface.
func (q *Queue) Forget(request reconcile.Request) { delete(q.failures, request) }

// NumRequeues implements workqueue.TypedRateLimitingInterface.
func (q *Queue) NumRequeues(request reconcile.Request) int { return q.failures[request] }

// Len implements workqueue.TypedInterface.
func (q *Queue) Len() int { return len(q.due) }

// Get implements workqueue.TypedInterface for a worker; there is none.
func (q *Queue) Get() (request reconcile.Request, shutdown bool) { return request, true }

// Done implements workqueue.TypedInterface.
func (q *Queue) Done(reconcile.Request) {}

// ShutDown implements workqueue.TypedInterface.
func (q *Queue) ShutDown() {}

// ShutDownWithDrain implements workqueue.TypedInterface.
func (q *Queue) ShutDownWithDrain() {}

// ShuttingDown implements workqueue.TypedInterface.
func (q *Queue) ShuttingDown() bool { return false }
