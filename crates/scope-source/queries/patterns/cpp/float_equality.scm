; id: cpp-float-equality
; title: floating-point numbers compared for equality
; why: rounding makes equal results differ
((binary_expression left: (number_literal) @number operator: ["==" "!="]) @match
  (#match? @number "^[0-9]*\\.[0-9]*f?$"))
((binary_expression operator: ["==" "!="] right: (number_literal) @number) @match
  (#match? @number "^[0-9]*\\.[0-9]*f?$"))
