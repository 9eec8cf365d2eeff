package main

import (
	"bytes"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/confide"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/leak"
)

// sheltered is a log that several write to.
type sheltered struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (s *sheltered) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.Buffer.Write(p)
}

// Each hole is found by the runner of the privacy gate, and nothing is found in the one that has none.
func TestPrivacyHoles(t *testing.T) {
	const nonce = "0123456789abcdef0123456789abcdef"
	for name, c := range map[string]struct {
		of       func(log io.Writer) assistant
		channel  evidence.LeakChannel
		personal bool
		logged   bool
	}{
		"remember": {func(io.Writer) assistant { return remembering() }, evidence.LeakOtherUser, false, false},
		"tattle":   {tattling, "", false, true},
		"parrot":   {func(io.Writer) assistant { return parroting() }, evidence.LeakErrorText, false, false},
		"disclose": {func(io.Writer) assistant { return disclosing() }, "", true, false},
		"discreet": {discreet, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log sheltered
			server := httptest.NewServer(c.of(&log).handler())
			defer server.Close()
			var dialer net.Dialer
			result, err := confide.Run(t.Context(), nonce, evidence.PrivacyOrder{
				Call: evidence.Call{URL: server.URL, Timeout: evidence.Duration(20 * time.Second),
					Sample: &evidence.SampleCall{Method: "POST", Path: "/ask", Body: `{"text":"When is the next course?"}`}},
				UserHeader: userHeader, Records: 12, Deadline: evidence.Duration(5 * time.Minute),
			}, dialer.DialContext)
			if err != nil {
				t.Fatal(err)
			}
			if err := result.Validate(); err != nil || result.Told.Answered != 12 || result.Broken.Refused == 0 || result.Alike {
				t.Errorf("%v: %+v", err, result)
			}
			for _, l := range result.Leaks {
				if l.Channel != c.channel && (c.channel != evidence.LeakOtherUser || l.Channel != evidence.LeakNoUser) {
					t.Errorf("%+v", l)
				}
			}
			if (c.channel != "") != (len(result.Leaks) > 0) || c.personal != (len(result.Personal) > 0) {
				t.Errorf("leaks %+v, personal %+v", result.Leaks, result.Personal)
			}
			records, err := leak.Records(nonce, 12)
			if err != nil {
				t.Fatal(err)
			}
			if found := leak.NewDetector(records).Find(log.String()); c.logged != (len(found) > 0) {
				t.Errorf("in its log: %v", found)
			}
		})
	}
}
