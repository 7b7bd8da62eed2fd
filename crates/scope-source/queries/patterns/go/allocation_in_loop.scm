; id: go-allocation-in-loop
; title: allocation in a loop
; why: each round makes work for the collector; a buffer made before the loop can be used again
; when: in-loop
((call_expression function: (identifier) @name) @match
  (#any-of? @name "make" "new"))
((call_expression function: (selector_expression) @name) @match
  (#any-of? @name "fmt.Sprintf" "strings.Repeat" "bytes.NewBuffer"))
