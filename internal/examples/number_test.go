package examples

import (
	"fmt"
	"testing"
)

// What is beside a number may make another one of it: then it is none.
func TestNumbersInAnswers(t *testing.T) {
	for _, c := range []struct {
		value        string
		right, wrong []string
	}{
		{"5", []string{
			"5", "It is 5.", "5!", "(5)", "$5", "5 €", "5%", "5 %", "“5”", "**5**", "#5", "5, as ever", "5…", "a – 5", "a—5", "- 5", "5 militia", "5°C", "5.0", "+5", "5 mills",
		}, []string{
			"−5", "‒5", "–5", "-5", "− 5", "−\u00a05", "minus 5", "Minus  5", "negative 5", "minus -5", ".5", "-.5", "...5", "±5", "--5",
			"A5", "5b", "$5k", "5G", "no 5G coverage", "see GPT-5", "x_5", "5_", "5th", "5万", "٥", "５", "5٥", "5½", "5²", "5̸",
			"5 million", "5 thousand", "5 million.", "5-million", "5 Mrd.", "5 Tausend", "5 millones", "5 hundredths", "5 dozen", "5 and a half", "5 and half",
			"5,0", "5 0", "5'000", "5/6", "5:00", "0x5", "5 or 5", "1 to 5", "2–5", "10^5",
		}},
		{"-5", []string{"-5", "−5", "–5", "‒5", "− 5", "It is minus 5.", "It is negative 5 °C.", "(-5)", "$-5"}, []string{"5", "- 5", "COVID-5", "--5", "10−5", "minus −5"}},
		{"0.5", []string{".5", "0.5", "+.5", "It is .5.", "50e-2", "5e-1"}, []string{"5", "-.5", "1.5", "..5", "0..5", "v.5", "1.2.5"}},
		{".5", []string{".5", "0.5"}, []string{"5", "-0.5"}},
		{"1200", []string{"1,200", "1,200.", "1,200 EUR", "USD 1,200.00"}, []string{"1.200", "1,2000", "1,200,00", "1 200", "1'200", "1,200k"}},
	} {
		s := read(t, fmt.Sprintf("question,expected,check\n?,%s,number\n", c.value))
		checker, err := s.Compile()
		if err != nil {
			t.Fatal(err)
		}
		for _, answer := range c.right {
			if checker.Wrong(s, 0, Reply{Text: answer}) != "" {
				t.Errorf("%s: %q is wrong", c.value, answer)
			}
		}
		for _, answer := range c.wrong {
			if checker.Wrong(s, 0, Reply{Text: answer}) == "" {
				t.Errorf("%s: %q is right", c.value, answer)
			}
		}
	}
}
