package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// lmsClient reads the learning-management system; without an address there is nothing to read.
type lmsClient struct {
	http *http.Client
	url  string
}

// courses are the titles of the courses that exist already.
func (c lmsClient) courses(ctx context.Context) ([]string, error) {
	if c.url == "" {
		return nil, nil
	}
	call, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/v1/courses", nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(call)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", answer.Status)
	}
	var list struct {
		Courses []struct {
			Title string `json:"title"`
		} `json:"courses"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswerBytes)).Decode(&list); err != nil {
		return nil, err
	}
	titles := make([]string, len(list.Courses))
	for i, course := range list.Courses {
		titles[i] = course.Title
	}
	return titles, nil
}

// maxSimilar bounds what other people's titles may add to a prompt.
const maxSimilar = 20

// similar keeps the titles that name the topic, or that the topic names.
func similar(topic string, titles []string) []string {
	found := []string{}
	wanted := fold(topic)
	for _, title := range titles {
		if known := fold(title); known != "" && (strings.Contains(known, wanted) || strings.Contains(wanted, known)) {
			found = append(found, title)
		}
	}
	return found[:min(len(found), maxSimilar)]
}

func fold(text string) string { return strings.ToLower(strings.Join(strings.Fields(text), " ")) }
