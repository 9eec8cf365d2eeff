package personal

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/affineur/affineur/internal/evidence"
)

// kinds of what is found, "" for nothing.
func kinds(text string) string {
	var out []string
	for _, m := range Find(text) {
		out = append(out, string(m.Kind))
	}
	return strings.Join(out, " ")
}

// The numbers are those that the issuers' own documents show as examples, or follow from their rules.
func TestFinds(t *testing.T) {
	for text, want := range map[string]string{
		"Write to a.b-c+d@mail.affineur.dev.":          "EMail",
		"mailto:someone@affineur.dev?subject=x":        "EMail",
		"a@affineur.dev,b@affineur.dev;c@affineur.dev": "EMail EMail EMail",
		`{"email":"ANA@AFFINEUR.DEV"}`:                 "EMail",
		"IBAN DE97 9999 9999 0000 0123 45 is mine":     "IBAN",
		"GB76WEST20345698765431":                       "IBAN",
		"ch93 0076 2011 6238 5295 7.":                  "IBAN",
		"NO93 8601 1117 947 BIC follows":               "IBAN",
		"AHV 756.9217.0769.85":                         "NationalID",
		"7569217076985":                                "NationalID",
		"756 9217 0769 85":                             "NationalID",
		"SSN: 536-90-4399":                             "NationalID",
		"ssn=536 90 4399":                              "NationalID",
		"Steuer-ID 86 095 742 719":                     "NationalID",
		"my tax id is 86095742719":                     "NationalID",
		"BSN 111222333":                                "NationalID",
		"burgerservicenummer: 1112.22.333":             "NationalID",
		"n° sécu 255081416802538":                      "NationalID",
		"2 55 08 14 168 025 38":                        "NationalID",
		"DNI 12345678Z":                                "NationalID",
		"NIE: X-1234567-L":                             "NationalID",
		"RSSMRA85T10A562S":                             "NationalID",
		"PESEL: 44051401359":                           "NationalID",
		"4539 1488 0343 6467":                          "PaymentCard",
		"paid by card 4539148803436467":                "PaymentCard",
		"3714-496353-98431":                            "PaymentCard",
		"visa: 4539148803436467, exp 12/29":            "PaymentCard",
		"+41 44 668 18 00":                             "Phone",
		"0041446681800":                                "Phone",
		"+1 (650) 253-0000 is Ana's":                   "Phone",
		"+33 6 12 34 56 78 2026":                       "Phone",
		"+49 30 901820, +44 20 7925 0918":              "Phone Phone",
		"Tel. 044 668 18 00":                           "Phone",
		"call me: (650) 253-0000":                      "Phone",
		"Telefon 030/901820":                           "Phone",
		"mobile 07911 123456":                          "Phone",
		"+41\u00a044\u00a0668\u00a018\u00a000":         "Phone",
		"+41\u201144\u2011668\u201118\u201100":         "Phone",
		"_756.9217.0769.85_":                           "NationalID",
		"+41446681800/+41446681801":                    "Phone Phone",
		"https://wa.me/+41446681800":                   "Phone",
		"hans@müller.ch":                               "EMail",
		"from 185.199.108.153":                         "IPAddress",
		"client 2a00:1450:400a:803::200e said":         "IPAddress",
		"AHV 756.9217.0769.85, IBAN CH93 0076 2011 6238 5295 7, a@b.ch": "NationalID IBAN EMail",
	} {
		if got := kinds(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What is found wrongly fails a prototype that did nothing.
func TestFindsNothing(t *testing.T) {
	for _, text := range []string{
		"", "@", "a@b", "a@", "@b.ch", "someone@example.org", "a@sub.example.com", "x@service.test", "info@affineur.dev", "no-reply@affineur.dev",
		"git@github.com:a/b.git", "user@domain.com", "+1 202 555 0143", "+44 20 7946 0018", "+44 7700 900123", "call (202) 555-0143", "tel. 020 7946 0018", "mobile 07700 900123", "version 1.2.3.104", "v1.2.3.104",
		"4242 4242 4242 4242", "card 4111111111111111", "IBAN DE89 3704 0044 0532 0130 00", "GB29 NWBK 6016 1331 9268 19", "x_756.9217.0769.85_y",
		"user@host", "git@v1.2", "https://example.org/@handle", "a@b.c",
		"DE88 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130", "XX89 3704 0044 0532 0130 00", "GB82WEST1234569876543",
		"756.9217.0769.84", "756.9217.0769", "17569217076985", "756921707698512", "7610000000000", "756.0000.0000.00",
		"536904399", "536 90 4399", "000-12-3456", "666-12-3456", "987-65-4321", "536-00-4399", "536-90-0000", "078-05-1120", "123-45-6789",
		"536-90 4399", "order 536-90-43991", "1-536-90-4399",
		"86095742719", "Steuer-ID 86 095 742 718", "tax 11111111111", "tax id 12345678901",
		"111222333", "BSN 111222334", "BSN 000000000",
		"255081416802537", "n° sécu 255081416802530", "255131416802538", "12345678Z", "DNI 12345678A", "RSSMRA85T10A562T", "44051401359", "PESEL 44051401358",
		"4539148803436467", "4539 1488 0343 6468", "order 4539-1488-0343-6467-1", "card 0000 0000 0000 0000", "card 4444444444444444", "card 1234 5678 9012 3452",
		"card 4000000000000002", "key 6467453914880343", "ticket 4539-1488",
		"+41 44 668 18", "+999 123 456 789", "+1 800 555 0199", "+41 800 123 456", "room +12", "+2026-05-03", "2 + 446681800", "044 668 18 00", "650 253 0000",
		"call on 2026-05-03 10:30", "call 1234567", "phone 03.05.2026", "phone order 20260503103000123", "Reference 0044-668-18", "recall 044 668 18 00",
		"127.0.0.1", "10.1.2.3", "192.168.178.20", "192.0.2.10", "203.0.113.7", "100.64.1.1", "169.254.169.254", "8.8.8.8", "version 1.2.3.4", "1.36.3.10",
		"300.1.2.3", "185.199.108.153.2", "::1", "fe80::1", "2001:db8::1", "fd00::1234", "12:30:45", "2026-01-02T03:04:05", "aa:bb:cc:dd:ee:ff",
		"550e8400-e29b-41d4-a716-446655440000", "sha256:4539148803436467453914880343646745391488034364674539148803436467",
		"3.141592653589793", "0.1234567890123456", "1700639981234567890", "INV-2026-000123", "ISBN 978-3-16-148410-0", "§ 12 Abs. 3",
		"The course begins on 3 May 2026 at 10:30 in room 204 and costs 1,250.00 francs.",
		strings.Repeat("lorem ipsum dolor sit amet ", 100),
	} {
		if got := kinds(text); got != "" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestBeyond(t *testing.T) {
	const answer = "Ana: ana@affineur.dev, IBAN DE97 9999 9999 0000 0123 45, call 044 668 18 00. Again: ANA@affineur.dev"
	for name, c := range map[string]struct {
		answer, said string
		allowed      Allowed
		want         map[evidence.PersonalKind]int
	}{
		"all":                {answer, "Who is Ana?", Allowed{}, map[evidence.PersonalKind]int{evidence.PersonalEMail: 1, evidence.PersonalIBAN: 1, evidence.PersonalPhone: 1}},
		"what was said":      {answer, "I am ana@affineur.dev, my account is de97999999990000012345", Allowed{}, map[evidence.PersonalKind]int{evidence.PersonalPhone: 1}},
		"an allowed kind":    {answer, "", Allowed{Kinds: []evidence.PersonalKind{evidence.PersonalEMail, evidence.PersonalPhone}}, map[evidence.PersonalKind]int{evidence.PersonalIBAN: 1}},
		"an allowed domain":  {answer, "", Allowed{Values: []string{"@Affineur.dev"}}, map[evidence.PersonalKind]int{evidence.PersonalIBAN: 1, evidence.PersonalPhone: 1}},
		"another domain":     {answer, "", Allowed{Values: []string{"@ffineur.dev", "@dev", "@affineur"}}, map[evidence.PersonalKind]int{evidence.PersonalEMail: 1, evidence.PersonalIBAN: 1, evidence.PersonalPhone: 1}},
		"an allowed value":   {answer, "", Allowed{Values: []string{"ana@affineur.dev", "044/668 18 00", "DE97999999990000012345"}}, map[evidence.PersonalKind]int{}},
		"a part of a value":  {"call 044 668 18 00", "", Allowed{Values: []string{"044 668 18 00 11"}}, map[evidence.PersonalKind]int{evidence.PersonalPhone: 1}},
		"nothing to find":    {"I don't know.", answer, Allowed{}, map[evidence.PersonalKind]int{}},
		"two of one kind":    {"a@affineur.dev b@affineur.dev", "", Allowed{}, map[evidence.PersonalKind]int{evidence.PersonalEMail: 2}},
		"a part of what was": {"call 044 668 18 00", "044 668 18 00 11", Allowed{}, map[evidence.PersonalKind]int{}},
	} {
		got := map[evidence.PersonalKind]int{}
		for _, m := range Beyond(c.answer, c.said, c.allowed) {
			got[m.Kind]++
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A prototype may answer anything. What is found lies within the text, in order, without overlap, and is found in what
// was said too.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{"", "a@affineur.dev", "DE97 9999 9999 0000 0123 45", "XK", "SSN 536-90-4399 756.9217.0769.85", "+41 44 668 18 00", "card 4539148803436467",
		"tel 0", "\xff@\xfe", "::", "NIE X1234567L", "NIR 1 85 02 2A 123 456 12"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, m := range Find(text) {
			if m.Start < end || m.End <= m.Start || m.End > len(text) || m.Form == "" {
				t.Errorf("%+v in %q", m, text)
			}
			end = m.End
		}
		if found := Beyond(text, text, Allowed{}); len(found) > 0 && utf8.ValidString(text) {
			t.Errorf("%v is beyond itself: %q", found, text)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("The course on 3 May costs 1,250.00 francs; order 4539-1488 at 10:30, a@b. Xylophones are extra. ", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Find(text)
	}
}
