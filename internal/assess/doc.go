// Package assess says what a review's records and decisions amount to: what every gate found and which decisions
// count. It believes nothing else, no status above all, so that the review controller that shows it and the promotion
// controller that acts on it come to the same answer independently. It is pure: the same input gives the same answer
// at any moment, whichever of the controllers asks, and whether or not one of them was away meanwhile.
package assess
