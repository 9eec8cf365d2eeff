package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
)

// What IT keeps in the operator's namespace for the systems.
const (
	rightToken = "corpus-token"
	wrongToken = "corpus-wrong-token"
	authority  = "corpus-ca"
	signingKey = "corpus-signing-key"
	// systemsHost is how the systems are called, and dead a port at which nothing listens.
	systemsHost = "systems." + organisation + ".svc"
	dead        = 8099
	// aliasHost leads to the systems as well, and neighbourHost to one that stands beside them: both carry the label suite.
	aliasHost     = "alias." + organisation + ".svc"
	neighbourHost = "neighbour." + organisation + ".svc"
	suite         = "suite"
)

// certificate of a system, on a port of its own.
type certificate struct {
	name string
	port int32
	// host that it is for, and when it is valid.
	host     string
	from, to time.Duration
	// stranger means that an authority signed it that nobody trusts.
	stranger bool
}

// certificates of the systems, as a real organisation has them.
func certificates() []certificate {
	const day = 24 * time.Hour
	return []certificate{
		{name: "valid", port: 9001, host: systemsHost, from: -day, to: 300 * day},
		{name: "expired", port: 9002, host: systemsHost, from: -30 * day, to: -time.Hour},
		{name: "early", port: 9003, host: systemsHost, from: day, to: 300 * day},
		{name: "other", port: 9004, host: "systems.example.org", from: -day, to: 300 * day},
		{name: "stranger", port: 9005, host: systemsHost, from: -day, to: 300 * day, stranger: true},
		{name: "ending", port: 9006, host: systemsHost, from: -300 * day, to: 2 * day},
		{name: "old", port: 9007, host: systemsHost, from: -day, to: 300 * day},
		{name: "wild", port: 9008, host: "*." + organisation + ".svc", from: -day, to: 300 * day},
		{name: "mutual", port: 9010, host: systemsHost, from: -day, to: 300 * day},
		{name: "fortnight", port: 9009, host: systemsHost, from: -300 * day, to: 14 * day},
	}
}

// keptByIT are the objects in the operator's namespace.
func keptByIT() []client.Object {
	in := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}
	}
	return []client.Object{
		&corev1.Secret{ObjectMeta: in(rightToken)}, &corev1.Secret{ObjectMeta: in(wrongToken)}, &corev1.ConfigMap{ObjectMeta: in(authority)},
		&corev1.Secret{ObjectMeta: in(signingKey)}, &corev1.ConfigMap{ObjectMeta: in(trustedRoot)},
	}
}

// standUp makes the systems and what IT keeps for them.
func (g *ground) standUp(ctx context.Context) error {
	token, signing := rand.Text(), rand.Text()+rand.Text()
	trusted, err := newAuthority("the organisation's authority")
	if err != nil {
		return err
	}
	files, err := issue(trusted)
	if err != nil {
		return err
	}
	kept := keptByIT()
	kept[0].(*corev1.Secret).StringData = map[string]string{credentials.KeyToken: token}
	kept[1].(*corev1.Secret).StringData = map[string]string{credentials.KeyToken: rand.Text()}
	kept[2].(*corev1.ConfigMap).Data = map[string]string{credentials.KeyCA: trusted.pem}
	kept[3].(*corev1.Secret).StringData = map[string]string{credentials.KeySigning: signing}
	meta := metav1.ObjectMeta{Namespace: organisation, Name: "systems"}
	objects := append(kept[:4:4], &corev1.Secret{ObjectMeta: meta, Data: files}, systemsService(meta), g.systems(meta, token, signing),
		inTheClearOnly("alias", systemsLabels), inTheClearOnly("neighbour", neighbourLabels), g.neighbour())
	for _, object := range objects {
		if err := g.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

var systemsLabels, neighbourLabels = map[string]string{"app": "systems"}, map[string]string{"app": "neighbour"}

// inTheClearOnly is a Service that leads to the port without TLS of some pods.
func inTheClearOnly(name string, pods map[string]string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: organisation, Name: name},
		Spec: corev1.ServiceSpec{Selector: pods, Ports: []corev1.ServicePort{{Port: 8080}}}}
}

// inSuite are the labels of pods that stand in the suite.
func inSuite(labels map[string]string) map[string]string {
	out := maps.Clone(labels)
	out[suite] = "yes"
	return out
}

// neighbour is a system beside the others, which knows no credential and speaks no TLS.
func (g *ground) neighbour() *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: organisation, Name: "neighbour"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: neighbourLabels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: inSuite(neighbourLabels)}, Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To[int64](1), AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{
				Name: "neighbour", Image: g.registry + "/corpus/suspect:1", ImagePullPolicy: corev1.PullAlways, Args: []string{"systems"},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/health", Port: intstr.FromInt32(8080)}}},
			}},
		}},
	}}
}

func systemsService(meta metav1.ObjectMeta) *corev1.Service {
	ports := []corev1.ServicePort{{Name: "clear", Port: 8080}, {Name: "dead", Port: dead}}
	for _, c := range certificates() {
		ports = append(ports, corev1.ServicePort{Name: c.name, Port: c.port, TargetPort: intstr.FromInt32(c.port)})
	}
	return &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: systemsLabels, Ports: ports}}
}

func (g *ground) systems(meta metav1.ObjectMeta, token, signing string) *appsv1.Deployment {
	var speaks []string
	for _, c := range certificates() {
		speaks = append(speaks, fmt.Sprintf("%s=%d", c.name, c.port))
	}
	return &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: systemsLabels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: inSuite(systemsLabels)}, Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To[int64](1), AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{
				Name: "systems", Image: g.registry + "/corpus/suspect:1", ImagePullPolicy: corev1.PullAlways, Args: []string{"systems"},
				Env: []corev1.EnvVar{{Name: "TOKEN", Value: token}, {Name: "SIGNING_KEY", Value: signing}, {Name: "CERTIFICATES", Value: "/certificates"},
					{Name: "TLS", Value: strings.Join(speaks, " ")}},
				VolumeMounts:   []corev1.VolumeMount{{Name: "certificates", MountPath: "/certificates", ReadOnly: true}},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/health", Port: intstr.FromInt32(8080)}}},
			}},
			Volumes: []corev1.Volume{{Name: "certificates", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: meta.Name}}}},
		}},
	}}
}

// signer is a certificate authority.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

func newAuthority(name string) (signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signer{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-400 * 24 * time.Hour),
		NotAfter: time.Now().Add(400 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return signer{}, err
	}
	certificate, err := x509.ParseCertificate(der)
	return signer{certificate: certificate, key: key, pem: inPEM("CERTIFICATE", der)}, err
}

// issue signs every certificate: NAME.crt and NAME.key.
func issue(trusted signer) (map[string][]byte, error) {
	stranger, err := newAuthority("an authority that nobody knows")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for i, c := range certificates() {
		by := trusted
		if c.stranger {
			by = stranger
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(i) + 2), Subject: pkix.Name{CommonName: c.name}, DNSNames: []string{c.host},
			NotBefore: time.Now().Add(c.from), NotAfter: time.Now().Add(c.to), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		der, err := x509.CreateCertificate(rand.Reader, template, by.certificate, key.Public(), by.key)
		if err != nil {
			return nil, err
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		files[c.name+".crt"], files[c.name+".key"] = []byte(inPEM("CERTIFICATE", der)), []byte(inPEM("PRIVATE KEY", private))
	}
	return files, nil
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
