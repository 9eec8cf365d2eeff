package personal

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/affineur/affineur/internal/evidence"
)

// word makes a cue of words in several languages.
func word(words string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:^|[^a-z])(?:` + words + `)`)
}

var patterns = []pattern{
	{kind: evidence.PersonalEMail, form: regexp.MustCompile(`[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@(?:[\pL\pN](?:[\pL\pN-]{0,61}[\pL\pN])?\.)+[A-Za-z]{2,24}`), valid: whole(mailbox)},
	{kind: evidence.PersonalIBAN, form: regexp.MustCompile(`(?i)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?`), valid: iban},
	{kind: evidence.PersonalNationalID, form: regexp.MustCompile(`756(?:\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}|(?: [0-9]{4}){2} [0-9]{2}|[0-9]{10})`), valid: whole(swiss)},
	{kind: evidence.PersonalNationalID, form: regexp.MustCompile(`[0-9]{3}([- ])[0-9]{2}[- ][0-9]{4}`), valid: whole(american), cue: word(`ssn|social security|soc\. ?sec`), bare: regexp.MustCompile(` `)},
	{kind: evidence.PersonalNationalID, form: regexp.MustCompile(`[1-9][0-9](?:[ /]?[0-9]{3}){3}`), valid: whole(german), cue: word(`steuer|tax|tin\b|idnr|identifikationsnummer`)},
	{kind: evidence.PersonalNationalID, form: regexp.MustCompile(`[0-9]{4}[. ]?[0-9]{2}[. ]?[0-9]{3}`), valid: whole(dutch), cue: word(`bsn|burgerservice|sofi|citizen service`)},
	{kind: evidence.PersonalNationalID, form: regexp.MustCompile(`[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}`), valid: whole(french),
		cue: word(`nir\b|s[ée]cu|insee`), bare: regexp.MustCompile(`^[0-9]+$`)},
	{kind: evidence.PersonalNationalID, form: regexp.MustCompile(`(?:[XYZ]-?[0-9]{7}|[0-9]{8})[- ]?[A-Z]`), valid: whole(spanish), cue: word(`dni|nif|nie\b`)},
	{kind: evidence.PersonalNationalID, form: regexp.MustCompile(`(?i)[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]`), valid: whole(italian)},
	{kind: evidence.PersonalNationalID, form: regexp.MustCompile(`[0-9]{11}`), valid: whole(polish), cue: word(`pesel`)},
	{kind: evidence.PersonalPaymentCard, form: regexp.MustCompile(`[2-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{1,7}|3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}`), valid: whole(card),
		cue: word(`card|karte|carte|visa|amex|american express|pan\b|tarjeta|kaart`), bare: regexp.MustCompile(`^[0-9]+$`)},
	{kind: evidence.PersonalPhone, form: regexp.MustCompile(`(?:\+|\b00)[1-9](?:[ .()/-]{0,2}[0-9]){6,14}`), valid: international},
	{kind: evidence.PersonalPhone, form: regexp.MustCompile(`\(?0?[1-9](?:[ .()/-]{0,2}[0-9]){6,12}`), valid: whole(national),
		cue: word(`tel\b|tel[.:]|t[ée]l[ée]?ph|telef|phone|call|mobil|mobile|cell|fax|handy|rufnummer|anrufen|ring`)},
	{kind: evidence.PersonalIPAddress, form: regexp.MustCompile(`[0-9]{1,3}(?:\.[0-9]{1,3}){3}`), valid: whole(internet), not: regexp.MustCompile(`(?i)(?:^|[^a-z])(?:version|release|v)[ :=.]{0,2}$`)},
	{kind: evidence.PersonalIPAddress, form: regexp.MustCompile(`(?i)[0-9a-f]{1,4}:[0-9a-f:]{4,34}[0-9a-f]`), valid: whole(internet)},
}

// reserved domains are nobody's (RFC 2606, RFC 6761).
var reserved = regexp.MustCompile(`(?i)(?:[@.](?:example|test|invalid|localhost|local|internal)|[@.]example\.(?:com|org|net))$`)

// shared are mailboxes of an office, not of a person.
var shared = []string{"info", "contact", "kontakt", "support", "help", "helpdesk", "service", "office", "admin", "hello", "mail", "post", "press",
	"sales", "team", "noreply", "no-reply", "donotreply", "do-not-reply", "postmaster", "webmaster", "hostmaster", "abuse", "security", "privacy", "dpo",
	"billing", "feedback", "members", "membership", "newsletter", "events", "jobs", "git"}

// samples are addresses as people write one where any would do.
var samples = regexp.MustCompile(`(?i)^(?:user|username|name|your\.?name|your\.?email|you|email|someone|somebody|person|first\.last|firstname\.lastname|john\.?doe|jane\.?doe|foo|test)` +
	`@(?:domain|yourdomain|mydomain|company|yourcompany|email|bar|test|sample)\.[a-z]{2,3}$`)

// fictions are numbers that regulators keep for fiction: NANPA (555-01xx), Ofcom (drama numbers).
var fictions = regexp.MustCompile(`^(?:1?[2-9][0-9]{2}55501[0-9]{2}|(?:44|0)(?:1(?:13|14|15|16|17|18|21|31|41|51|61)4960[0-9]{3}|2079460[0-9]{3}|1914980[0-9]{3}|1632960[0-9]{3}|7700900[0-9]{3}))$`)

func mailbox(match string) bool {
	local, _, _ := strings.Cut(strings.ToLower(match), "@")
	local, _, _ = strings.Cut(local, "+")
	return !reserved.MatchString(match) && !samples.MatchString(match) && !slices.Contains(shared, local)
}

// personal types of numbers; a toll-free or premium one is an office's.
var lines = []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE, phonenumbers.PERSONAL_NUMBER, phonenumbers.VOIP}

// international is the longest beginning of a match that is a person's number: another number may follow behind a space.
func international(match string) int {
	for end := len(match); end > 0; end = strings.LastIndexAny(match[:end], " .()/-") {
		text := match[:end]
		if strings.HasPrefix(text, "00") {
			text = "+" + text[2:]
		}
		if fictions.MatchString(digits(text)) {
			return 0
		}
		number, err := phonenumbers.Parse(text, phonenumbers.UNKNOWN_REGION)
		if err == nil && phonenumbers.IsValidNumber(number) && slices.Contains(lines, phonenumbers.GetNumberType(number)) {
			return end
		}
	}
	return 0
}

// leastDigits of a national number: shorter ones are numbers of orders and rooms more often.
const leastDigits = 9

// date is what a telephone number is not, though it could be one by its digits.
var date = regexp.MustCompile(`^(?:19|20)[0-9]{2}[-/. ](?:0[1-9]|1[0-2])[-/. ]|^[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ](?:19|20)[0-9]{2}`)

// regions whose national forms are known. A cue has to say that it is a telephone number.
var regions = []string{"US", "GB", "DE", "FR", "CH", "AT", "NL", "BE", "IT", "ES", "PL", "SE"}

func national(match string) bool {
	if date.MatchString(match) || len(digits(match)) < leastDigits || fictions.MatchString(digits(match)) {
		return false
	}
	return slices.ContainsFunc(regions, func(region string) bool {
		number, err := phonenumbers.Parse(match, region)
		return err == nil && phonenumbers.VALID.Verify(number, match) && slices.Contains(lines, phonenumbers.GetNumberType(number))
	})
}

// resolvers are addresses that everybody knows and no person has.
var resolvers = []string{"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9"}

// documentation ranges (RFC 5737, RFC 3849), shared address space (RFC 6598), and others that reach nobody.
var unrouted = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
}

// internet tells an address that a person's connection may have. Four small numbers are a version more often.
func internet(match string) bool {
	address, err := netip.ParseAddr(match)
	if err != nil || !address.IsGlobalUnicast() || address.IsPrivate() || slices.Contains(resolvers, match) {
		return false
	}
	if address.Is4() && !slices.ContainsFunc(address.AsSlice(), func(b byte) bool { return b > 99 }) {
		return false
	}
	if address.Is6() && !netip.MustParsePrefix("2000::/3").Contains(address) {
		return false
	}
	return !slices.ContainsFunc(unrouted, func(p netip.Prefix) bool { return p.Contains(address) })
}
