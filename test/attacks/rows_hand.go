package main

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// byHandToken asks for a token to cut off by hand.
func (f *field) byHandToken(ctx context.Context, seconds int64) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(seconds)}}
	account := &corev1.ServiceAccount{ObjectMeta: in(v1alpha1.SystemNamespace, workload.ByHandAccount)}
	err := f.responder.SubResource("token").Create(ctx, account, request)
	return request.Status.Token, err
}

// asksToken is the attack of asking for one where nobody gets it.
func (f *field) asksToken(what string, seconds int64) attack {
	return f.asks(36, f.responder, what, func(ctx context.Context) error {
		_, err := f.byHandToken(ctx, seconds)
		return err
	}, nil).by(guard("by-hand"))
}

// handed are row 36: a responder who holds a token to cut off by hand wants more than to take away.
func (f *field) handed() []attack {
	deny := &networkingv1.NetworkPolicy{ObjectMeta: in(f.production, "deny-all")}
	deployment := &appsv1.Deployment{ObjectMeta: in(f.production, workload.Name)}
	bystander := &corev1.Pod{ObjectMeta: in(unguarded, "outside")}
	more := func(what string, w wall, request func(context.Context, *person) error, targets ...client.Object) attack {
		return attack{row: 36, who: "a token to cut off by hand", what: what, meant: []wall{w}, control: f.takesAway, try: func(ctx context.Context) (string, error) {
			hand, err := f.hand(ctx)
			if err != nil {
				return "", err
			}
			return f.refused(ctx, func(ctx context.Context) error { return request(ctx, hand) }, targets...)
		}}
	}
	lists := func(list client.ObjectList, options ...client.ListOption) func(context.Context, *person) error {
		return func(ctx context.Context, hand *person) error { return hand.List(ctx, list, options...) }
	}
	return []attack{
		f.asksToken("a token to cut off by hand for a day", 24*3600),
		more("seeing every pod of the cluster", rbac, lists(&corev1.PodList{})),
		more("seeing the pods of a team", rbac, lists(&corev1.PodList{}, client.InNamespace(home))),
		more("reading the Secrets of production", rbac, lists(&corev1.SecretList{}, client.InNamespace(f.production))),
		more("reading the record", rbac, lists(&appsv1.ControllerRevisionList{}, client.InNamespace(v1alpha1.RecordsNamespace))),
		more("a shell in production", rbac, f.shellByHand),
		more("deleting a pod of somebody else's", rbac, func(ctx context.Context, hand *person) error { return hand.Delete(ctx, bystander.DeepCopy()) }, bystander),
		more("deleting what denies everything", content, func(ctx context.Context, hand *person) error { return hand.Delete(ctx, deny.DeepCopy()) }, deny),
		more("scaling production up", content, func(ctx context.Context, hand *person) error { return scale(ctx, hand, deployment, 3) }, deployment),
		more("holding up what production rolls out", rbac, func(ctx context.Context, hand *person) error {
			return f.update(ctx, hand, deployment, `{"spec":{"paused":true}}`)
		}, deployment),
		more("a network policy of one's own", rbac, func(ctx context.Context, hand *person) error {
			return hand.Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: in(f.production, "wider")})
		}, &networkingv1.NetworkPolicy{ObjectMeta: in(f.production, "wider")}),
		more("lifting the stop", rbac, func(ctx context.Context, hand *person) error { return f.update(ctx, hand, f.stop(), lift) }, f.stop()),
	}
}

// hand is whoever holds the token, which is given once.
func (f *field) hand(ctx context.Context) (*person, error) {
	if f.holder != nil {
		return f.holder, nil
	}
	token, err := f.byHandToken(ctx, 3600)
	if err != nil {
		return nil, err
	}
	bearer := rest.AnonymousClientConfig(f.admin.config)
	bearer.BearerToken = token
	f.holder, err = f.as("a token to cut off by hand", bearer)
	return f.holder, err
}

// takesAway is what the token is for, tried by dry run in production; and looking at what runs there.
func (f *field) takesAway(ctx context.Context) error {
	hand, err := f.hand(ctx)
	if err != nil {
		return err
	}
	pod, err := f.pod(ctx, hand, f.production)
	if err != nil {
		return err
	}
	_, logged := f.log(ctx, hand, pod.Namespace, pod.Name)
	return errors.Join(logged,
		hand.List(ctx, &corev1.EventList{}, client.InNamespace(f.production)),
		hand.Delete(ctx, pod, client.DryRunAll),
		hand.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(f.production), client.DryRunAll),
		scale(ctx, client.NewDryRunClient(hand), &appsv1.Deployment{ObjectMeta: in(f.production, workload.Name)}, 0))
}

func scale(ctx context.Context, c client.Client, deployment *appsv1.Deployment, to int32) error {
	wanted := &autoscalingv1.Scale{ObjectMeta: in(deployment.Namespace, deployment.Name), Spec: autoscalingv1.ScaleSpec{Replicas: to}}
	return c.SubResource("scale").Update(ctx, deployment.DeepCopy(), client.WithSubResourceBody(wanted))
}

func (f *field) shellByHand(ctx context.Context, hand *person) error {
	pod, err := f.pod(ctx, f.admin, f.production)
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(hand.config)
	if err != nil {
		return err
	}
	return shellIn(ctx, clients, pod)
}

// shellIn asks for a shell.
func shellIn(ctx context.Context, clients kubernetes.Interface, pod *corev1.Pod) error {
	return clients.CoreV1().RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("exec").
		Param("command", "sh").Param("stdout", "true").Do(ctx).Error()
}
