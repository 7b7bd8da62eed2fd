; id: go-unchecked-result
; title: result thrown away
; why: an error goes unseen
((assignment_statement left: (expression_list . (identifier) @blank .) right: (expression_list (call_expression))) @match
  (#eq? @blank "_"))
((short_var_declaration left: (expression_list (_) (identifier) @blank .) right: (expression_list (call_expression))) @match
  (#eq? @blank "_"))
