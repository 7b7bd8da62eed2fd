; id: go-float-equality
; title: floating-point numbers compared for equality
; why: rounding makes equal results differ
(binary_expression left: (float_literal) operator: ["==" "!="]) @match
(binary_expression operator: ["==" "!="] right: (float_literal)) @match
