; id: rust-allocation-in-loop
; title: allocation in a loop
; why: each round pays for the allocator; a buffer made before the loop can be used again
; when: in-loop
((call_expression function: (scoped_identifier) @name) @match
  (#match? @name "^(Vec|String|Box|Rc|Arc|HashMap|HashSet|BTreeMap|VecDeque)::(new|with_capacity|from)$")
  (#not-match? @name "^(Vec|String|HashMap|HashSet|BTreeMap|VecDeque)::new$"))
((call_expression function: (field_expression field: (field_identifier) @name)) @match
  (#any-of? @name "to_string" "to_owned" "to_vec" "collect" "into_boxed_slice"))
((macro_invocation macro: (identifier) @name) @match
  (#any-of? @name "format" "vec"))
