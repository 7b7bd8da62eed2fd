; id: rust-unwrap
; title: unwrap outside tests
; why: a failure ends the thread instead of being told
; when: not-in-test
((call_expression function: (field_expression field: (field_identifier) @name)) @match
  (#eq? @name "unwrap"))
