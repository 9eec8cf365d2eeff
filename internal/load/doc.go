// Package load sends HTTP requests at a given rate and measures how long the answers take.
//
// The model is open: arrivals follow a schedule that is fixed before the first request and never waits for an answer,
// as people arrive whether or not the ones before them were served. A closed model, in which each of N clients sends
// its next request after the last answer, slows down with the system that it measures and so hides its overload
// (Schroeder, Wierman, Harchol-Balter: "Open Versus Closed: A Cautionary Tale", NSDI 2006).
//
// Latency counts from the moment at which a request was due by the schedule, not from the moment at which it was
// sent. A stall of one second at 100 requests a second is then a hundred slow answers (1 s, 0.99 s, …), which is what
// a hundred people see, and not one. Measuring from the sending is what Gil Tene calls coordinated omission ("How NOT
// to Measure Latency", 2013).
//
// It can't omit: one goroutine, the pacer, walks through the schedule and hands each arrival to an idle connection or to a
// new one. It never waits for a connection, so none of them can delay an arrival, and what an arrival waits for on its
// way counts as latency.
//
// The generator measures itself too. How late it sends is its lag; every arrival is accounted for; and where the
// generator and not the subject was the bottleneck, the report says so and is worth nothing as a verdict.
package load
