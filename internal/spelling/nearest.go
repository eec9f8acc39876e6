// Package spelling guesses which word somebody meant.
package spelling

// Nearest gives the one of the words that takes the fewest letters to insert, delete or replace to get
// to from the one that was written, the first among equals; empty where each takes more than most.
func Nearest(written string, words []string, most int) string {
	best, least := "", most+1
	for _, word := range words {
		if d := distance(written, word); d < least {
			best, least = word, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
