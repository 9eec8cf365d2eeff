package examples

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The columns of a table. The first two are required.
const (
	columnQuestion = "question"
	columnExpected = "expected"
	columnID       = "id"
	columnSlice    = "slice"
	columnCheck    = "check"
)

// table is a CSV that is being read.
type table struct {
	reader  *csv.Reader
	columns map[string]int
}

// readTable reads CSV (RFC 4180) with a header. Semicolons separate where the header has them and no comma, as
// spreadsheets write it in countries whose decimals have a comma.
func readTable(text []byte) ([]Example, error) {
	t := table{reader: csv.NewReader(bytes.NewReader(text))}
	t.reader.ReuseRecord = true
	if header, _, _ := bytes.Cut(text, []byte("\n")); bytes.ContainsRune(header, ';') && !bytes.ContainsRune(header, ',') {
		t.reader.Comma = ';'
	}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	var found []Example
	var labels []string
	for {
		fields, err := t.reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, explain(err)
		}
		line, _ := t.reader.FieldPos(0)
		if err := roomFor(len(found), line); err != nil {
			return nil, err
		}
		e, err := t.example(fields, line)
		if err != nil {
			return nil, at(line, err)
		}
		if label := e.Assert[0].Label; label != nil && !slices.ContainsFunc(labels, same(label.Value)) {
			labels = append(labels, label.Value)
		}
		found = append(found, e)
	}
	// What a table expects somewhere are all the labels that there are.
	for _, e := range found {
		if label := e.Assert[0].Label; label != nil {
			label.Among = labels
		}
	}
	return found, nil
}

func (t *table) readHeader() error {
	names, err := t.reader.Read()
	if err != nil {
		return errors.New("line 1: no header: the first line names the columns, question,expected")
	}
	t.columns = make(map[string]int, len(names))
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		switch name {
		case columnQuestion, columnExpected, columnID, columnSlice, columnCheck:
		default:
			return fmt.Errorf("line 1: column %d is none of question, expected, id, slice and check", i+1)
		}
		if _, twice := t.columns[name]; twice {
			return fmt.Errorf("line 1: column %s is there twice", name)
		}
		t.columns[name] = i
	}
	for _, needed := range []string{columnQuestion, columnExpected} {
		if _, there := t.columns[needed]; !there {
			return fmt.Errorf("line 1: column %s is missing: the first line names the columns, question,expected", needed)
		}
	}
	return nil
}

func (t *table) example(fields []string, line int) (Example, error) {
	cell := func(name string) string {
		if i, there := t.columns[name]; there {
			return strings.Clone(strings.TrimSpace(fields[i]))
		}
		return ""
	}
	e := Example{ID: cell(columnID), Input: cell(columnQuestion), Slice: cell(columnSlice), line: line}
	if e.ID == "" {
		e.ID = lineID(line)
	}
	assertion, err := tableAssertion(Kind(strings.ToLower(cell(columnCheck))), cell(columnExpected))
	e.Assert = []Assertion{assertion}
	return e, err
}

// tableAssertion is what a cell expects. People compare by eye, so upper and lower case are the same in a table.
func tableAssertion(check Kind, expected string) (Assertion, error) {
	switch check {
	case "", KindEquals:
		return Assertion{Equals: &expected, IgnoreCase: true}, nil
	case KindContains:
		return Assertion{Contains: &expected, IgnoreCase: true}, nil
	case KindRegexp:
		return Assertion{Regexp: &expected}, nil
	case KindNumber:
		return Assertion{Number: &Number{Value: decimalText(expected)}}, nil
	case KindLabel:
		return Assertion{Label: &Label{Value: expected, Among: []string{expected}}}, nil
	case KindRefusal:
		if expected != "" {
			return Assertion{}, errors.New("where a refusal is expected, column expected is empty")
		}
		return Assertion{Refusal: &Refusal{}}, nil
	}
	return Assertion{}, errors.New("check is none of equals, contains, regexp, number, label and refusal")
}

// explain names the line of what is wrong with the form of a table.
func explain(err error) error {
	var wrong *csv.ParseError
	if !errors.As(err, &wrong) {
		return err
	}
	if errors.Is(wrong.Err, csv.ErrFieldCount) {
		return at(wrong.Line, errors.New("it has another number of columns than the header: put a text with commas in quotes"))
	}
	return at(wrong.Line, errors.New("a quote is open or misplaced: put the text in quotes and double those within"))
}
