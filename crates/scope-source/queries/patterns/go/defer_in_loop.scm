; id: go-defer-in-loop
; title: defer in a loop
; why: what is deferred runs when the function ends, not when the round does
; when: in-loop
(defer_statement) @match
