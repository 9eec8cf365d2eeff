package v1alpha1

// Reasons of the quality gate.
const (
	// ReasonAnswersRight means that enough examples were answered rightly, overall and in every slice that the policy names.
	ReasonAnswersRight = "AnswersRight"
	// ReasonTooManyWrong means that a smaller share of the answers is right than the policy asks for.
	ReasonTooManyWrong = "TooManyWrong"
	// ReasonAnswersVary means that the same question was answered rightly one time and wrongly another, so often that too
	// few examples are right each time.
	ReasonAnswersVary = "AnswersVary"
	// ReasonSliceTooWeak means that too few examples of one slice were answered rightly.
	ReasonSliceTooWeak = "SliceTooWeak"
	// ReasonNotAnswered means that the prototype gave no answers to questions asked as it declares.
	ReasonNotAnswered = "NotAnswered"
	// ReasonRegressed means that examples which the revision in production answers rightly are answered wrongly, more
	// often than by chance.
	ReasonRegressed = "Regressed"
	// ReasonExamplesMissing means that the prototype has no evaluation set.
	ReasonExamplesMissing = "ExamplesMissing"
	// ReasonExamplesInvalid means that the evaluation set can't be read; the message names the line.
	ReasonExamplesInvalid = "ExamplesInvalid"
	// ReasonTooFewExamples means that the evaluation set holds too few examples to tell.
	ReasonTooFewExamples = "TooFewExamples"
	// ReasonTooCloseToTell means that the share of right answers is as high as asked for, but not shown to be by so few
	// examples.
	ReasonTooCloseToTell = "TooCloseToTell"
	// ReasonExamplesNotAsked means that some examples were not asked or not judged, by no fault of the prototype, and that
	// the verdict depends on them.
	ReasonExamplesNotAsked = "ExamplesNotAsked"
	// ReasonNothingToCompare means that the revision in production can't be compared with: its evaluation is lost, or
	// too many of its examples are gone from the set.
	ReasonNothingToCompare = "NothingToCompare"
	// ReasonExamplesReplaced means that some of the examples that the revision in production was asked are gone from the set or
	// expect something else, and could not be compared. It stands in nobody's way, and is for whoever approves.
	ReasonExamplesReplaced = "ExamplesReplaced"
	// ReasonJudgeObjects means that the judging model objects to answers that the assertions found right. It stands in
	// nobody's way.
	ReasonJudgeObjects = "JudgeObjects"
	// ReasonJudgeSilent means that the judging model was not asked, or gave no word that can be used, about some answers. It
	// stands in nobody's way, and counts for nothing.
	ReasonJudgeSilent = "JudgeSilent"
)
