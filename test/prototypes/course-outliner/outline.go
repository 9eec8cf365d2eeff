package main

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	maxTopicRunes = 200
	instruction   = "You draft outlines of courses for an association. Write one line for each part of the course: a short title, a colon, one sentence."
)

// outline is the answer to a topic.
type outline struct {
	Topic   string   `json:"topic"`
	Title   string   `json:"title"`
	Modules []module `json:"modules"`
	// Similar are courses that exist already.
	Similar []string `json:"similar"`
	// Notes say what the reader should know about how this outline came about.
	Notes []string `json:"notes"`
	// Model is the fingerprint of the model that answered.
	Model string `json:"model"`
}

type module struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

func checkTopic(topic string) (string, error) {
	topic = strings.Join(strings.Fields(topic), " ")
	switch {
	case topic == "":
		return "", serve.BadRequest("topic is empty")
	case len([]rune(topic)) > maxTopicRunes:
		return "", serve.BadRequest("topic is longer than %d characters", maxTopicRunes)
	case strings.ContainsFunc(topic, unicode.IsControl):
		return "", serve.BadRequest("topic has control characters")
	}
	return topic, nil
}

// prompt asks for an outline. The courses that exist stand in the instruction, so that nothing in a
// title is taken for the topic.
func prompt(topic string, existing []string) []openai.Message {
	system := instruction
	if len(existing) > 0 {
		system += " These courses exist already, do not repeat them: " + strings.Join(existing, "; ") + "."
	}
	return []openai.Message{
		{Role: openai.RoleSystem, Content: openai.Content(system)},
		{Role: openai.RoleUser, Content: openai.Content("Write the outline of a course about " + topic + ".")},
	}
}

// listMark is what models like to put before a line.
var listMark = regexp.MustCompile(`^(?:[-*•]|\d+[.)])\s+`)

// modules reads the lines of a model's answer. A line without a title keeps its text and gets a number:
// models do not always do as they are told.
func modules(answer string) []module {
	var parts []module
	for line := range strings.Lines(answer) {
		line = listMark.ReplaceAllString(strings.TrimSpace(line), "")
		if line == "" {
			continue
		}
		title, text, found := strings.Cut(line, ":")
		title, text = strings.TrimSpace(title), strings.TrimSpace(text)
		if !found || title == "" || text == "" {
			title, text = "Part "+strconv.Itoa(len(parts)+1), line
		}
		parts = append(parts, module{Title: title, Text: text})
	}
	return parts
}

func courseTitle(topic string) string {
	runes := []rune(topic)
	runes[0] = unicode.ToUpper(runes[0])
	return string(runes)
}
