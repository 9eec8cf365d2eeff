package v1alpha1

// QualityJudge has a model look at answers that the examples' assertions found right. It only adds findings that stand in
// nobody's way: no word of it makes an answer right or wrong, and the verdict is the same without it. It is shown nothing
// where the prototype's data may not go to its gateway.
type QualityJudge struct {
	// gateway of the catalogue that serves the judging model. While a run asks it, that run's pod alone may reach it, with
	// a key of its own.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Gateway string `json:"gateway"`

	// model that judges, by the name that the gateway knows.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._:/-]*$`
	Model string `json:"model"`

	// rubric says what a good answer is, in IT's words.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Rubric string `json:"rubric"`

	// examples that are shown to it at most, spread over the set.
	// +optional
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=200
	Examples int32 `json:"examples,omitempty"`
}
