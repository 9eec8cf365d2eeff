package cli

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The API server ends every watch after some minutes; a network may end it at once, again and again.
const (
	shortestPause = time.Second
	longestPause  = 30 * time.Second
)

// changes watches one object and tells of every event on it until ctx ends. The watch is open when changes returns,
// so whoever reads the object afterwards misses nothing; several events before anybody listens are one.
func (s Session) changes(ctx context.Context, wall clock.Clock, list client.ObjectList, name string) (<-chan struct{}, error) {
	stream, err := s.open(ctx, list, name)
	if err != nil {
		return nil, err
	}
	told := make(chan struct{}, 1)
	go func() {
		pause := shortestPause
		for ctx.Err() == nil {
			if stream != nil && drain(ctx, stream, told) {
				pause = shortestPause
			}
			tell(told)
			select {
			case <-ctx.Done():
				return
			case <-wall.After(pause):
			}
			pause = min(2*pause, longestPause)
			if stream, err = s.open(ctx, list, name); err != nil {
				stream = nil
			}
		}
	}()
	return told, nil
}

func (s Session) open(ctx context.Context, list client.ObjectList, name string) (watch.Interface, error) {
	return s.Client.Watch(ctx, list, client.InNamespace(s.Namespace),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", name)})
}

// drain passes a stream's events on until it ends, and tells whether there were any.
func drain(ctx context.Context, stream watch.Interface, told chan<- struct{}) bool {
	defer stream.Stop()
	some := false
	for {
		select {
		case <-ctx.Done():
			return some
		case event, more := <-stream.ResultChan():
			if !more || event.Type == watch.Error {
				return some
			}
			some = true
			tell(told)
		}
	}
}

func tell(told chan<- struct{}) {
	select {
	case told <- struct{}{}:
	default:
	}
}
