package personal

import (
	"slices"
	"strings"
)

// digits of a match.
func digits(match string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, match)
}

func repeated(number string) bool { return strings.Count(number, number[:1]) == len(number) }

// weighted sum of digits.
func weighted(number string, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += int(number[i]-'0') * w
	}
	return sum
}

// mod97 is the remainder that ISO 7064 MOD 97-10 takes, with A = 10 … Z = 35.
func mod97(text string) int {
	rest := 0
	for _, c := range []byte(text) {
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return rest
}

// ibanLengths of the countries (SWIFT, IBAN Registry).
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22,
	"GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30,
	"KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27,
	"MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33,
	"SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29,
	"VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// shownAccounts and shownCards stand in documents as examples, and belong to nobody: the IBAN registry's of Germany and the
// United Kingdom, and what payment providers let developers try with.
var (
	shownAccounts = []string{"DE89370400440532013000", "GB29NWBK60161331926819", "GB82WEST12345698765432"}
	shownCards    = []string{"4242424242424242", "4111111111111111", "5555555555554444", "5500000000000004", "378282246310005"}
)

// iban is as long as its country's, and its check digits are right (ISO 13616). Words may follow it.
func iban(match string) int {
	left := ibanLengths[strings.ToUpper(match[:2])]
	if left == 0 {
		return 0
	}
	for end := range len(match) {
		if match[end] != ' ' {
			left--
		}
		if left > 0 {
			continue
		}
		number := strings.ToUpper(strings.ReplaceAll(match[:end+1], " ", ""))
		if mod97(number[4:]+number[:4]) == 1 && !slices.Contains(shownAccounts, number) {
			return end + 1
		}
		return 0
	}
	return 0
}

// card has the beginning of a network that issues cards, and a check digit that is right (ISO/IEC 7812-1, Luhn).
func card(match string) bool {
	number := digits(match)
	if slices.Contains(shownCards, number) || !issued(number) || repeated(number[1:]) || strings.Count(number, "0") > len(number)/2 {
		return false
	}
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// issued tells whether a network issues cards of this beginning and length.
func issued(number string) bool {
	within := func(length int, from, to string) bool {
		begin := number[:length]
		return begin >= from && begin <= to
	}
	switch len(number) {
	case 13:
		return number[0] == '4'
	case 15:
		return within(2, "34", "34") || within(2, "37", "37")
	case 16:
		return number[0] == '4' || within(2, "51", "55") || within(4, "2221", "2720") || within(4, "6011", "6011") || within(2, "65", "65") ||
			within(3, "644", "649") || within(4, "3528", "3589") || within(2, "62", "62")
	case 19:
		return number[0] == '4' || within(2, "62", "62")
	}
	return false
}

// swiss numbers of insured people are EAN-13 with the country's 756, which is no product's (Central Compensation Office).
func swiss(match string) bool {
	number := digits(match)
	return weighted(number, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)%10 == 0 && !repeated(number[3:])
}

// american social security numbers have no check digit; these were never issued (Social Security Administration), and
// three have been in advertisements.
func american(match string) bool {
	number := digits(match)
	area, group, serial := number[:3], number[3:5], number[5:]
	switch {
	case match[3] != match[6], area == "000", area == "666", area[0] == '9', group == "00", serial == "0000":
		return false
	case number == "078051120", number == "219099999", number == "123456789", repeated(number):
		return false
	}
	return true
}

// german tax identification numbers: of the first ten digits one is there two or three times and the others once at most;
// ISO 7064 MOD 11,10 (Bundeszentralamt für Steuern).
func german(match string) bool {
	number := digits(match)
	counts := [10]int{}
	product := 10
	for _, c := range []byte(number[:10]) {
		counts[c-'0']++
		sum := (int(c-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	several := 0
	for _, n := range counts {
		switch {
		case n > 3:
			return false
		case n > 1:
			several++
		}
	}
	return several == 1 && (11-product)%10 == int(number[10]-'0')
}

// dutch citizen service numbers pass the eleven test, with -1 for the last digit.
func dutch(match string) bool {
	number := digits(match)
	return weighted(number, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0 && !repeated(number)
}

// french numbers of insured people: the key is 97 less the rest of the number by 97; Corsica's 2A and 2B count as 19 and
// 18 (INSEE).
func french(match string) bool {
	number := strings.NewReplacer(" ", "", "2A", "19", "2B", "18").Replace(match)
	if len(number) != 15 {
		return false
	}
	rest := mod97(number[:13])
	key := int(number[13]-'0')*10 + int(number[14]-'0')
	return key == 97-rest
}

// spanish identity numbers: the letter follows from the number by 23; X, Y, Z of foreigners count as 0, 1, 2.
func spanish(match string) bool {
	number := strings.NewReplacer("-", "", " ", "").Replace(match)
	value := 0
	for i, c := range []byte(number[:8]) {
		if i == 0 && c >= 'X' {
			c = c - 'X' + '0'
		}
		value = value*10 + int(c-'0')
	}
	return number[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[value%23] && !repeated(number[:8])
}

// odd gives what a character at an odd place of an Italian tax code counts (Decreto ministeriale 23 dicembre 1976).
var odd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// italian tax codes end in a check letter.
func italian(match string) bool {
	code := strings.ToUpper(match)
	sum := 0
	for i, c := range []byte(code[:15]) {
		value := int(c - '0')
		if c >= 'A' {
			value = int(c - 'A')
		}
		if i%2 == 0 {
			value = odd[value]
		}
		sum += value
	}
	return code[15] == byte('A'+sum%26)
}

// polish PESEL numbers have weights of 1, 3, 7, 9 and hold a date of birth.
func polish(number string) bool {
	month := (int(number[2]-'0')*10 + int(number[3]-'0')) % 20
	return weighted(number, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)%10 == 0 && month >= 1 && month <= 12
}
