package evidence

// Class says how an attempt to reach something ended. It takes the place of error texts, which may quote what a
// server sent.
type Class string

const (
	// ClassNone means that it worked.
	ClassNone Class = ""
	// ClassTimeout means that nothing came back in time.
	ClassTimeout Class = "Timeout"
	// ClassRefused means that a RST or an ICMP port-unreachable came back.
	ClassRefused Class = "Refused"
	// ClassNoRoute means that a router or the node said that there is no way: host or network unreachable.
	ClassNoRoute Class = "NoRoute"
	// ClassDenied means that the node's own kernel forbade it (EPERM, EACCES).
	ClassDenied Class = "Denied"
	// ClassUnanswered means that a connection was made and then closed, reset or left without the expected answer.
	ClassUnanswered Class = "Unanswered"
	// ClassDNS means that the name could not be resolved.
	ClassDNS Class = "DNS"
	// ClassForbiddenAddress means that the name resolved to an address that a runner must not touch.
	ClassForbiddenAddress Class = "ForbiddenAddress"
	// ClassCertificate means that the server's certificate could not be verified.
	ClassCertificate Class = "Certificate"
	// ClassIncompleteChain means that the server's certificate is signed by an authority that is neither trusted nor was sent
	// along: one in between is missing, or nobody trusts the authority.
	ClassIncompleteChain Class = "IncompleteChain"
	// ClassProtocol means that the server did not speak the expected protocol.
	ClassProtocol Class = "Protocol"
	// ClassStatus means that the HTTP status was not the expected one.
	ClassStatus Class = "Status"
	// ClassTLSVersion means that the server speaks no version of TLS that is new enough.
	ClassTLSVersion Class = "TLSVersion"
	// ClassAnswer means that the answer was not what was written down about it.
	ClassAnswer Class = "Answer"
	// ClassLocal means that the runner itself was at fault: no sockets, ports, memory or files left, or stopped.
	ClassLocal Class = "Local"
	// ClassOther means an error that fits nowhere else.
	ClassOther Class = "Other"
)

var classes = map[Class]bool{
	ClassNone: true, ClassTimeout: true, ClassRefused: true, ClassNoRoute: true, ClassDenied: true, ClassUnanswered: true,
	ClassDNS: true, ClassForbiddenAddress: true, ClassCertificate: true, ClassIncompleteChain: true, ClassProtocol: true, ClassStatus: true,
	ClassTLSVersion: true, ClassAnswer: true, ClassLocal: true, ClassOther: true,
}

// SaysBlocked tells whether the class is what a packet filter looks like from inside: silence, a rejection by RST or
// ICMP, or a refusal by the node's own kernel. It is necessary, never sufficient: a dead target looks the same, so a
// judge also asks for a witness that reached the target meanwhile. A connection that was made and not answered, a
// name that did not resolve or a runner without sockets say nothing about the filter.
func (c Class) SaysBlocked() bool {
	switch c {
	case ClassTimeout, ClassRefused, ClassNoRoute, ClassDenied:
		return true
	}
	return false
}
