package describe

import "github.com/affineur/affineur/api/v1alpha1"

// isolation shows the table that the verdict on a sandbox's network sums up, what is wrong and what is not known
// included.
func isolation(p *page, prototype *v1alpha1.AIPrototype) {
	status := prototype.Status.Sandbox
	if status == nil || status.Isolation == nil || len(status.Isolation.Paths) == 0 {
		return
	}
	title := "What its network lets through"
	if node := status.Isolation.Node; node != "" {
		title += ", measured on node " + node
	}
	p.section(title)
	for _, path := range status.Isolation.Paths {
		way := "out to "
		if path.Direction == "Ingress" {
			way = "in by "
		}
		p.line(2, say("%s", way).wide(7), say("%s", path.Name).wide(44), found(path))
	}
}

func found(path v1alpha1.IsolationPath) span {
	switch {
	case path.Found == "Unknown":
		return in(open, "not known: "+path.Why)
	case path.Found != path.Want && path.Want == "Blocked":
		return in(bad, "open, and should be closed")
	case path.Found != path.Want:
		return in(bad, "closed, and should be open")
	case path.Want == "Blocked":
		return in(good, "closed")
	}
	return in(good, "open, as it should be")
}
