; id: go-lock-across-call
; title: lock held across a call
; why: others wait for as long as the call takes
; when: call-before-release
((expression_statement (call_expression function: (selector_expression field: (field_identifier) @name))) @match
  (#any-of? @name "Lock" "RLock"))
