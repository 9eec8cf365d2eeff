// Package credentials makes the Secrets that a workload finds in its namespace: the registry's pull secret, a key
// of its own for the model gateway, the integrations' credentials and certificate authorities, and copies of the
// Secrets that its team granted.
package credentials

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gatewaykey"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// Keys of the Secrets that IT keeps in the operator's namespace, and of those that workloads find.
const (
	// KeySigning is the key of a model gateway's Secret from which every prototype's own key is issued.
	KeySigning = "signing-key"
	// KeyModel is the file in which a workload finds its key, and KeyAddress the one with the gateway's address.
	KeyModel   = "key"
	KeyAddress = "address"
	// KeyToken is an integration's credential, at IT's and in the workload alike.
	KeyToken = "token"
	// KeyCA is a certificate authority, in a ConfigMap of the operator's namespace and in the workload alike.
	KeyCA = "ca.crt"
)

// FieldSecrets is the field of a prototype that names Secrets of its team.
const FieldSecrets = "spec.workload.container.secrets"

// Made is what was made for one namespace.
type Made struct {
	Secrets []*corev1.Secret
	// Digest changes whenever a value does; it rolls the pods.
	Digest string
	// Problems name what is missing and who can give it. With problems, the Secrets are incomplete.
	Problems []policy.Problem
}

// Maker reads Secrets past the cache: nothing secret is kept in memory longer than a pass takes.
type Maker struct {
	Live client.Reader
}

// Make builds every Secret that the subject needs where it is to run. An error means that the API server could not
// be read.
func (m Maker) Make(ctx context.Context, s subject.Subject, at workload.Surroundings) (Made, error) {
	var made Made
	for _, make := range []func(context.Context, subject.Subject, workload.Surroundings, *Made) error{
		m.pull, m.model, m.integrations, m.team,
	} {
		if err := make(ctx, s, at, &made); err != nil {
			return made, err
		}
	}
	made.Digest = digest(made.Secrets)
	return made, nil
}

// Foresee names the credentials and certificate authorities of integrations that production will need and that IT does
// not keep yet.
func (m Maker) Foresee(ctx context.Context, at workload.Surroundings) ([]policy.Problem, error) {
	at.Purpose = v1alpha1.PurposeProduction
	var made Made
	err := m.integrations(ctx, subject.Subject{}, at, &made)
	return made.Problems, err
}

func (m Maker) pull(ctx context.Context, _ subject.Subject, at workload.Surroundings, made *Made) error {
	ref := at.Requirements.Registry.PullSecret
	if ref == nil {
		return nil
	}
	data, err := m.system(ctx, ref.Name, corev1.DockerConfigJsonKey, source{"spec.workload.container.image", "the pull secret of registry " + at.Requirements.Registry.Prefix}, made)
	if err != nil || data == nil {
		return err
	}
	secret := secretOf(at, workload.PullSecret, map[string][]byte{corev1.DockerConfigJsonKey: data})
	secret.Type = corev1.SecretTypeDockerConfigJson
	made.Secrets = append(made.Secrets, secret)
	return nil
}

// model hands over the gateway's address, and issues the prototype's own key. It is the same for the same client and
// budget, so that nothing is rewritten without need.
func (m Maker) model(ctx context.Context, s subject.Subject, at workload.Surroundings, made *Made) error {
	gateway := at.Requirements.ModelGateway
	if gateway == nil || s.Model == nil {
		return nil
	}
	data := map[string][]byte{KeyAddress: []byte(gateway.Address)}
	if gateway.Credentials == nil {
		made.Secrets = append(made.Secrets, secretOf(at, workload.ModelSecret, data))
		return nil
	}
	signing, err := m.system(ctx, gateway.Credentials.Secret.Name, KeySigning, source{"spec.model.gateway", "the signing key of model gateway " + gateway.Name}, made)
	if err != nil || signing == nil {
		return err
	}
	key, err := gatewaykey.Issue(signing, gatewaykey.Claims{
		Client:       fmt.Sprintf("%s/%s/%s/%s", at.Purpose, at.Identity.Namespace, at.Identity.Name, at.Identity.Hash()),
		TokensPerDay: s.Model.TokensPerDay, Models: []string{s.Model.Name},
	})
	if err != nil {
		made.Problems = append(made.Problems, missing("spec.model.gateway", "The signing key of model gateway "+gateway.Name+" can't be used: "+err.Error()+"."))
		return nil
	}
	data[KeyModel] = []byte(key)
	made.Secrets = append(made.Secrets, secretOf(at, workload.ModelSecret, data))
	return nil
}

func (m Maker) integrations(ctx context.Context, _ subject.Subject, at workload.Surroundings, made *Made) error {
	for _, integration := range at.Requirements.Integrations {
		endpoint := at.Endpoint(integration)
		if endpoint == nil {
			continue
		}
		data := map[string][]byte{}
		if endpoint.Credentials != nil {
			token, err := m.system(ctx, endpoint.Credentials.Secret.Name, KeyToken, source{fieldOf(integration.Name), "the credential of integration " + integration.Name}, made)
			if err != nil {
				return err
			}
			data[KeyToken] = token
		}
		if endpoint.CA != nil {
			ca, err := m.authority(ctx, endpoint.CA.Name, integration.Name, made)
			if err != nil {
				return err
			}
			data[KeyCA] = ca
		}
		if document := Document(integration); document != nil && at.Purpose == v1alpha1.PurposeRehearsal {
			text, err := m.text(ctx, document.Name, workload.KeyDocument, "the OpenAPI document of integration "+integration.Name, fieldOf(integration.Name), made)
			if err != nil {
				return err
			}
			data[workload.KeyDocument] = text
		}
		if len(data) > 0 {
			made.Secrets = append(made.Secrets, secretOf(at, workload.IntegrationSecret(integration.Name), data))
		}
	}
	return nil
}

// Document is the ConfigMap with the OpenAPI document that an integration's answer is judged by; nil without one. Only
// the runner of the integration gate gets it.
func Document(integration v1alpha1.Integration) *v1alpha1.LocalName {
	for _, check := range []*v1alpha1.HTTPCheck{integration.Check.HTTP, integration.Check.HTTPS} {
		if check != nil && check.Answer != nil && check.Answer.OpenAPI != nil {
			return &check.Answer.OpenAPI.ConfigMap
		}
	}
	return nil
}

func (m Maker) authority(ctx context.Context, name, integration string, made *Made) ([]byte, error) {
	return m.text(ctx, name, KeyCA, "the certificate authority of integration "+integration, fieldOf(integration), made)
}

// text reads one key of a ConfigMap that IT keeps for the operator; nil where it is missing.
func (m Maker) text(ctx context.Context, name, key, what, field string, made *Made) ([]byte, error) {
	var object corev1.ConfigMap
	err := m.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: name}, &object)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if object.Data[key] == "" {
		made.Problems = append(made.Problems, missing(field, fmt.Sprintf(
			"ConfigMap %s/%s with key %s, %s, is not there.", v1alpha1.SystemNamespace, name, key, what)))
		return nil, nil
	}
	return []byte(object.Data[key]), nil
}

// source of a credential: what it is, and the field of a prototype that asks for it.
type source struct{ field, name string }

// fieldOf an integration in a prototype.
func fieldOf(integration string) string { return "spec.integrations[name=" + integration + "]" }

// system reads one key of a Secret that IT keeps for the operator; nil where it is missing.
func (m Maker) system(ctx context.Context, name, key string, what source, made *Made) ([]byte, error) {
	var secret corev1.Secret
	err := m.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: name}, &secret)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if len(secret.Data[key]) == 0 {
		made.Problems = append(made.Problems, missing(what.field, fmt.Sprintf(
			"Secret %s/%s with key %s, %s, is not there.", v1alpha1.SystemNamespace, name, key, what.name)))
		return nil, nil
	}
	return secret.Data[key], nil
}

// team copies the Secrets that the team granted. Where the grant is missing the API server refuses the read.
func (m Maker) team(ctx context.Context, s subject.Subject, at workload.Surroundings, made *Made) error {
	for _, mount := range s.Container.Secrets {
		data, problem, err := m.Granted(ctx, at.Identity.Namespace, mount.Name)
		if err != nil {
			return err
		}
		if problem != nil {
			made.Problems = append(made.Problems, *problem)
			continue
		}
		made.Secrets = append(made.Secrets, secretOf(at, workload.TeamSecret(mount.Name), data))
	}
	return nil
}

// Granted reads a Secret of the team's namespace, if the team lets the operator.
func (m Maker) Granted(ctx context.Context, namespace, name string) (map[string][]byte, *policy.Problem, error) {
	var secret corev1.Secret
	err := m.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &secret)
	switch {
	case apierrors.IsForbidden(err):
		return nil, &policy.Problem{
			Reason: v1alpha1.ReasonSecretNotGranted, Field: FieldSecrets, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("The operator may not read Secret %s.", name),
			Hint:    fmt.Sprintf("Grant it: a Role with get on secrets/%s and a RoleBinding to ServiceAccount %s/%s.", name, v1alpha1.SystemNamespace, workload.OperatorAccount),
		}, nil
	case apierrors.IsNotFound(err):
		return nil, &policy.Problem{
			Reason: v1alpha1.ReasonReferenceMissing, Field: FieldSecrets, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("Secret %s is not there.", name), Hint: "Create it in the prototype's namespace.",
		}, nil
	case err != nil:
		return nil, nil, err
	case opensAPI(&secret):
		return nil, &policy.Problem{
			Reason: v1alpha1.ReasonTokenMounted, Field: FieldSecrets, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("Secret %s holds a service-account token, with which a prototype could talk to the API server of a cluster.", name),
			Hint:    "Take it out of the Secret. What a prototype needs from a cluster, a system in the catalogue gives it.",
		}, nil
	}
	return secret.Data, nil, nil
}

func missing(field, message string) policy.Problem {
	return policy.Problem{
		Reason: v1alpha1.ReasonCredentialMissing, Field: field, Owner: v1alpha1.OwnerIT, Message: message,
		Hint: "IT creates it in the operator's namespace.",
	}
}

func secretOf(at workload.Surroundings, name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: name, Labels: at.Identity.Labels("credential")},
		Type:       corev1.SecretTypeOpaque, Data: data,
	}
}

// digest covers names, keys and values, in order.
func digest(secrets []*corev1.Secret) string {
	if len(secrets) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, secret := range secrets {
		sum.Write([]byte(secret.Name + "\n"))
		for _, key := range slices.Sorted(maps.Keys(secret.Data)) {
			sum.Write(fmt.Appendf(nil, "%s %d ", key, len(secret.Data[key])))
			sum.Write(secret.Data[key])
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
