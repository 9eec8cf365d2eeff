// Package supplychain verifies what a registry keeps beside an image: signatures, and attestations of how it was built,
// what is in it, what scanners found and what of that does no harm. It runs in a runner without any network: everything
// that it needs is in its files, so the same files always give the same result.
//
// Nothing counts that is not bound to the image by its digest, and a signature's word reaches as far as the policy says:
// a signer vouches only for the claims that are named for it. What does not count is told, with why.
//
// What may be signed by an allowed identity and yet says nothing is the trap here. A bill of materials without a list of
// vulnerabilities is no scan that found none; a document that excuses some is none either.
package supplychain
