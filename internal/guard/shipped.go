package guard

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// manifest is config/admission as kustomize renders it. Regenerate with make guards.
//
//go:embed shipped/admission.yaml
var manifest []byte

// Shipped is the rendered config/admission: the guards that this operator expects.
func Shipped() []byte { return bytes.Clone(manifest) }

// guards are the objects that guard, by name.
type guards struct {
	mutating           map[string]admissionv1.MutatingAdmissionPolicy
	mutatingBindings   map[string]admissionv1.MutatingAdmissionPolicyBinding
	validating         map[string]admissionv1.ValidatingAdmissionPolicy
	validatingBindings map[string]admissionv1.ValidatingAdmissionPolicyBinding
	// parameters is nil where they are missing.
	parameters *corev1.ConfigMap
}

func newGuards() guards {
	return guards{
		mutating:           map[string]admissionv1.MutatingAdmissionPolicy{},
		mutatingBindings:   map[string]admissionv1.MutatingAdmissionPolicyBinding{},
		validating:         map[string]admissionv1.ValidatingAdmissionPolicy{},
		validatingBindings: map[string]admissionv1.ValidatingAdmissionPolicyBinding{},
	}
}

func (g *guards) add(object runtime.Object) error {
	switch o := object.(type) {
	case *admissionv1.MutatingAdmissionPolicy:
		g.mutating[o.Name] = *o
	case *admissionv1.MutatingAdmissionPolicyBinding:
		g.mutatingBindings[o.Name] = *o
	case *admissionv1.ValidatingAdmissionPolicy:
		g.validating[o.Name] = *o
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		g.validatingBindings[o.Name] = *o
	case *corev1.ConfigMap:
		g.parameters = o
	default:
		return fmt.Errorf("%T is no guard", object)
	}
	return nil
}

// read decodes a rendered config/admission.
func read(manifest []byte) (guards, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(admissionv1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return guards{}, err
	}
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	found := newGuards()
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return guards{}, err
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return guards{}, err
		}
		if err := found.add(object); err != nil {
			return guards{}, err
		}
	}
}
