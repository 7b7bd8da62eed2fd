; id: rust-unchecked-result
; title: result thrown away
; why: a failure goes unseen
((let_declaration pattern: "_" value: (call_expression)) @match)
((expression_statement
  (call_expression function: (field_expression field: (field_identifier) @name))) @match
  (#eq? @name "ok"))
