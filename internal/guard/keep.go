package guard

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// ConfigMapName is where the state is kept, in the records namespace, under stateKey.
const ConfigMapName = "guards"

const stateKey = "state.json"

// Load reads what was kept. Where nothing was kept, nothing was ever seen in place.
func Load(ctx context.Context, reader client.Reader) (State, error) {
	kept := &corev1.ConfigMap{}
	err := reader.Get(ctx, types.NamespacedName{Namespace: v1alpha1.RecordsNamespace, Name: ConfigMapName}, kept)
	if apierrors.IsNotFound(err) {
		return State{Reason: v1alpha1.ReasonGuardsUnknown, Message: "the guards have not been measured yet"}, nil
	}
	if err != nil {
		return State{}, err
	}
	return parse(kept)
}

func parse(kept *corev1.ConfigMap) (State, error) {
	var state State
	if err := json.Unmarshal([]byte(kept.Data[stateKey]), &state); err != nil {
		return State{}, fmt.Errorf("ConfigMap %s/%s does not say what was known of the guards: %w", kept.Namespace, kept.Name, err)
	}
	return state, nil
}

// save keeps a state. Only the leader writes, so the last write holds.
func save(ctx context.Context, c client.Client, state State) error {
	raw, err := json.Marshal(state)
	if err != nil {
		return err
	}
	wanted := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.RecordsNamespace, Name: ConfigMapName,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelComponent: "guards"},
		},
		Data: map[string]string{stateKey: string(raw)},
	}
	err = c.Create(ctx, wanted)
	if apierrors.IsAlreadyExists(err) {
		return c.Update(ctx, wanted)
	}
	return err
}
