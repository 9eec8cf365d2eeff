// Package evidence is the contract between the operator and the runner that measures for it.
//
// The operator hands a RunSpec to a pod of a Job that it made. The runner measures, writes the Report as one line
// to its log and an Envelope to its termination message. The envelope is small, comes from the kubelet and names
// the report's digest; the report may be large and comes through the log, which anybody who ships logs could
// garble. Open puts the two together again and believes nothing that it can check: schema, nonce, subject, kind,
// size, digest, form and arithmetic. What can't be opened is an *Error, which a gate turns into Inconclusive.
//
// A report holds counts, names, reasons and times. It never holds the body of a request or of an answer: logs are
// shipped to collectors and read by many.
//
// The package is pure: no client, no context, no logger, no clock.
package evidence
