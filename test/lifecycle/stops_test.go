package lifecycle

import (
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/world"
)

const stopped = "False EmergencyStop"

func TestIntegrationSevered(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		w.Expect(w.Reaches(w.Production(), "crm") && w.Reaches(w.Sandbox(), "crm-test"), "there is nothing to cut off")
		w.Says("a responder severs the integration")
		w.Stops(world.Operations, "leak", v1alpha1.StopSever, v1alpha1.StopScope{Integration: "crm"})
		w.Until("it is seen to be severed", func() bool { return w.Stopped("leak") == "severed 2/2" })
		w.Expect(!w.Reaches(w.Production(), "crm") && !w.Reaches(w.Sandbox(), "crm-test"), "it is said to be severed, and is not")
		w.Settle()
		w.Is(ready, stopped)
		w.Is(v1alpha1.ConditionInProduction, stopped)
		w.Waits("IT")
		w.Expect(w.Serving("a") == 2, "what was only severed does not run")
		w.Says("another responder lifts it")
		w.Lifts(world.Security, "leak")
		w.Settle()
		w.Expect(w.Stopped("leak") == "lifted", "the stop says %s", w.Stopped("leak"))
		w.Expect(w.Reaches(w.Production(), "crm") && w.Reaches(w.Sandbox(), "crm-test"), "the network did not come back")
		inProduction(w, 1, "a")
		w.Is(ready, "True InProduction")
	})
}

// TestForgottenJobs: a Job that never gets a pod holds up no measurement for ever, of isolation or of a cut; it is made
// anew, under another name.
func TestForgottenJobs(t *testing.T) {
	play(t, func(w *world.World) {
		w.Forgets = "isolation-"
		applies(w, sandbox)
		w.Until("the sandbox runs", func() bool { return w.Runs(w.Sandbox()) == "a" })
		w.Expect(w.Forgets == "", "nothing was forgotten")
		w.Settle()
		w.Says("a responder severs the integration, and the first control is forgotten")
		w.Forgets = "stop-"
		w.Stops(world.Operations, "leak", v1alpha1.StopSever, v1alpha1.StopScope{Integration: "crm"})
		w.Until("it is seen to be severed", func() bool { return w.Stopped("leak") == "severed 1/1" })
		w.Expect(w.Forgets == "", "nothing was forgotten")
	})
}

func TestTeamStopped(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		w.Says("a responder stops the team")
		w.Stops(world.Operations, "breach", v1alpha1.StopStop, v1alpha1.StopScope{Team: world.Team})
		w.Until("it is seen to be stopped", func() bool { return w.Stopped("breach") == "stopped 2/2" })
		w.Settle()
		w.Expect(w.Alive(w.Production())+w.Alive(w.Sandbox()) == 0, "pods still run")
		w.Is(ready, stopped)
		w.Waits("IT")
		w.Says("another responder lifts it")
		w.Lifts(world.Security, "breach")
		w.Settle()
		w.Is(isolated, "True Enforced")
		inProduction(w, 1, "a")
		w.Is(ready, "True InProduction")
	})
}

func TestFrozenBeforePromotion(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("a responder freezes everything, and IT approves")
		w.Stops(world.Deputy, "freeze", v1alpha1.StopFreeze, v1alpha1.StopScope{All: &v1alpha1.StopAll{}})
		w.Approve(1)
		w.Settle()
		nothingThere(w)
		w.ReviewIs(1, ready, stopped)
		w.Is(ready, stopped)
		w.Waits("IT")
		w.Says("another responder lifts it")
		w.Lifts(world.Security, "freeze")
		w.Settle()
		inProduction(w, 1, "a")
	})
}

func TestStoppedWhileItRollsOut(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Approve(1)
		w.Until("it rolls out", func() bool { return w.Runs(w.Production()) == "a" })
		w.Says("a responder stops the image")
		w.Stops(world.Operations, "bad-image", v1alpha1.StopStop, v1alpha1.StopScope{Digest: world.Digest("a")})
		w.Until("it is seen to be stopped", func() bool { return w.Stopped("bad-image") == "stopped 2/2" })
		w.Settle()
		w.Expect(w.Alive(w.Production())+w.Alive(w.Sandbox()) == 0, "pods still run")
		w.Says("another responder lifts it")
		w.Lifts(world.Security, "bad-image")
		w.Settle()
		inProduction(w, 1, "a")
	})
}
