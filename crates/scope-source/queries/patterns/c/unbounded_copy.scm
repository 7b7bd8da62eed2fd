; id: c-unbounded-copy
; title: copy without a bound
; why: a longer source writes past its target
((call_expression function: (identifier) @name) @match
  (#any-of? @name "strcpy" "strcat" "sprintf" "vsprintf" "gets"))
