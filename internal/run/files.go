package run

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/workload"
)

// HandOver gives a run its files, with the Job as their owner, so that they go with it. Its pod waits for them.
func HandOver(ctx context.Context, writer *apply.Writer, r workload.Run) error {
	secret := r.FileSecret()
	if secret == nil {
		return nil
	}
	var job batchv1.Job
	if err := writer.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: r.Name}, &job); err != nil {
		return client.IgnoreNotFound(err)
	}
	secret.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(&job, batchv1.SchemeGroupVersion.WithKind("Job"))}
	_, err := writer.CreateOnce(ctx, secret)
	return err
}
