package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Client is the server as one actor sees it.
type Client struct {
	server *Server
	actor  string
}

var _ client.WithWatch = (*Client)(nil)

// As is a client for an actor.
func (s *Server) As(actor string) *Client { return &Client{server: s, actor: actor} }

// errUnused is for what none of the controllers does.
var errUnused = errors.New("this server does not know that request")

// Get implements client.Reader.
func (c *Client) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	kind, err := c.server.kindOf(object)
	if err != nil {
		return err
	}
	found := c.server.Find(kind, key)
	if found == nil {
		return c.server.notFound(kind, key.Name)
	}
	Assign(object, found)
	return nil
}

// List implements client.Reader.
func (c *Client) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	kind, err := c.server.kindOf(list)
	if err != nil {
		return err
	}
	kind.Kind = strings.TrimSuffix(kind.Kind, "List")
	var o client.ListOptions
	o.ApplyOptions(options)
	if o.FieldSelector != nil {
		return errUnused
	}
	return Fill(list, Select(c.server.All(kind), o))
}

// Select are the objects that the options' namespace and labels select.
func Select(objects []client.Object, o client.ListOptions) []client.Object {
	var out []client.Object
	for _, object := range objects {
		if (o.Namespace == "" || object.GetNamespace() == o.Namespace) && (o.LabelSelector == nil || o.LabelSelector.Matches(labels.Set(object.GetLabels()))) {
			out = append(out, object)
		}
	}
	return out
}

// Fill puts copies of the objects into a list.
func Fill(list client.ObjectList, objects []client.Object) error {
	if partial, ok := list.(*metav1.PartialObjectMetadataList); ok {
		partial.Items = nil
		for _, object := range objects {
			item := metav1.PartialObjectMetadata{}
			part(object.DeepCopyObject().(client.Object), "ObjectMeta").Addr().Interface().(*metav1.ObjectMeta).DeepCopyInto(&item.ObjectMeta)
			partial.Items = append(partial.Items, item)
		}
		return nil
	}
	items := make([]runtime.Object, 0, len(objects))
	for _, object := range objects {
		items = append(items, object.DeepCopyObject())
	}
	return apimeta.SetList(list, items)
}

// Create implements client.Writer.
func (c *Client) Create(_ context.Context, object client.Object, options ...client.CreateOption) error {
	var o client.CreateOptions
	o.ApplyOptions(options)
	return c.server.create(c.actor, object, slices.Contains(o.DryRun, metav1.DryRunAll))
}

// Update implements client.Writer.
func (c *Client) Update(_ context.Context, object client.Object, _ ...client.UpdateOption) error {
	return c.server.replace(c.actor, Update, object)
}

// Delete implements client.Writer.
func (c *Client) Delete(_ context.Context, object client.Object, options ...client.DeleteOption) error {
	var o client.DeleteOptions
	o.ApplyOptions(options)
	return c.server.delete(c.actor, object, o)
}

// Patch implements client.Writer for merge patches.
func (c *Client) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	if patch.Type() != types.MergePatchType {
		return errUnused
	}
	kind, err := c.server.kindOf(object)
	if err != nil {
		return err
	}
	before := c.server.Find(kind, client.ObjectKeyFromObject(object))
	if before == nil {
		return c.server.notFound(kind, object.GetName())
	}
	data, err := patch.Data(object)
	if err != nil {
		return err
	}
	var change map[string]any
	if err := json.Unmarshal(data, &change); err != nil {
		return err
	}
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(before)
	if err != nil {
		return err
	}
	mergePatch(raw, change)
	next := before.DeepCopyObject().(client.Object)
	part(next, "ObjectMeta").SetZero()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, next); err != nil {
		return err
	}
	if err := c.server.replace(c.actor, Update, next); err != nil {
		return err
	}
	Assign(object, next)
	return nil
}

// DeleteAllOf implements client.Writer.
func (c *Client) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return errUnused
}

// Apply implements client.Writer.
func (c *Client) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return errUnused
}

// Watch implements client.WithWatch; changes are told by OnChange.
func (c *Client) Watch(context.Context, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
	return nil, errUnused
}

// Status implements client.StatusClient.
func (c *Client) Status() client.SubResourceWriter { return c.SubResource("status") }

// SubResource implements client.SubResourceClientConstructor for the status.
func (c *Client) SubResource(name string) client.SubResourceClient { return status{c, name} }

// Scheme implements client.Client.
func (c *Client) Scheme() *runtime.Scheme { return c.server.scheme }

// RESTMapper implements client.Client; nobody asks.
func (c *Client) RESTMapper() apimeta.RESTMapper { return nil }

// GroupVersionKindFor implements client.Client.
func (c *Client) GroupVersionKindFor(object runtime.Object) (schema.GroupVersionKind, error) {
	return c.server.kindOf(object)
}

// IsObjectNamespaced implements client.Client; nobody asks.
func (c *Client) IsObjectNamespaced(runtime.Object) (bool, error) { return false, errUnused }

type status struct {
	*Client
	name string
}

func (s status) Get(context.Context, client.Object, client.Object, ...client.SubResourceGetOption) error {
	return errUnused
}

func (s status) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return errUnused
}

func (s status) Update(_ context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	return s.server.replace(s.actor, Status, object)
}

func (s status) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return errUnused
}

// Apply takes what client.ApplyConfigurationFromUnstructured made.
func (s status) Apply(_ context.Context, configuration runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
	raw, err := json.Marshal(configuration)
	if err != nil {
		return err
	}
	patch := &unstructured.Unstructured{}
	if err := json.Unmarshal(raw, &patch.Object); err != nil {
		return err
	}
	var o client.SubResourceApplyOptions
	o.ApplyOpts(options)
	if s.name != "status" || o.FieldManager == "" {
		return fmt.Errorf("%w: apply %s as %q", errUnused, s.name, o.FieldManager)
	}
	return s.server.applyStatus(s.actor, o.FieldManager, patch)
}
