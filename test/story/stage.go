package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/manifest"
	"github.com/affineur/affineur/test/story/people"
)

// owner is the name under which the API server remembers what the story wrote.
const owner = "affineur-story"

// stage is everything that the steps share.
type stage struct {
	options
	out    *narrator
	result *outcome
	scheme *runtime.Scheme
	// context is the kubeconfig's, to be said aloud.
	context string
	// images are what hack/images pushed, by name.
	images map[string]image
	admin  *actor
	// cast are the people, by role in the story.
	cast map[string]*actor
	// certified tells that people have certificates, and are not impersonated.
	certified bool
}

// image is a pushed image: its reference by tag, and the digest of its index.
type image struct {
	Image  string `json:"image"`
	Digest string `json:"digest"`
}

// actor is somebody with a way to the cluster.
type actor struct {
	people.Person
	client.WithWatch
	config     *rest.Config
	kubeconfig string
	namespace  string
}

func (a *actor) String() string { return a.Person.Name }

func newStage(o options, out io.Writer) (*stage, error) {
	s := &stage{options: o, out: newNarrator(out), scheme: runtime.NewScheme(), cast: map[string]*actor{}}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s.scheme); err != nil {
			return nil, err
		}
	}
	var err error
	if s.plugin, err = filepath.Abs(o.plugin); err != nil {
		return nil, err
	}
	if s.images, err = readDigests(o.digests); err != nil {
		return nil, err
	}
	// The current context, as kubectl would use it.
	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil)
	raw, err := kubeconfig.RawConfig()
	if err != nil {
		return nil, err
	}
	s.context = raw.CurrentContext
	admin, err := kubeconfig.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no way to a cluster: %w", err)
	}
	admin.QPS, admin.Burst = 100, 200
	admin.WarningHandler = rest.NoWarnings{}
	s.admin, err = s.actor(people.Person{Name: "the platform admin"}, admin)
	return s, err
}

func readDigests(path string) (map[string]image, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var images map[string]image
	if err := json.Unmarshal(content, &images); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return images, nil
}

func (s *stage) actor(person people.Person, config *rest.Config) (*actor, error) {
	c, err := client.NewWithWatch(config, client.Options{Scheme: s.scheme})
	if err != nil {
		return nil, err
	}
	return &actor{Person: person, WithWatch: c, config: config}, nil
}

// apply writes a sample as one person would with kubectl apply --server-side.
func (s *stage) apply(ctx context.Context, who *actor, file string) error {
	objects, err := manifest.ReadFor(filepath.Join(s.samples, file), s.registry)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := manifest.Apply(ctx, who, owner, object); err != nil {
			return err
		}
		s.out.say("%s applied %s %s", who, object.GetKind(), object.GetName())
	}
	return nil
}

// pinned names pushed images by digest: a tag may have been pushed anew since a node pulled it.
func (s *stage) pinned(content []byte) []byte {
	for _, pushed := range s.images {
		content = bytes.ReplaceAll(content, []byte(pushed.Image), []byte(pushed.pinned()))
	}
	return content
}

// pinned is repository@digest.
func (i image) pinned() string {
	return i.Image[:strings.LastIndex(i.Image, ":")] + "@" + i.Digest
}
