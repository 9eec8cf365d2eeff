// Package probe tries to reach things over the network: canaries and other targets, to see what the network lets
// through, and systems, to see whether they work. It also holds the canary itself.
//
// Probes observe and never judge: whether an unreached target is good or bad news is a gate's business.
package probe
