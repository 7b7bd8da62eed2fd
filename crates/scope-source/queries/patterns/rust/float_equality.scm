; id: rust-float-equality
; title: floating-point numbers compared for equality
; why: rounding makes equal results differ
(binary_expression (float_literal) operator: ["==" "!="]) @match
(binary_expression operator: ["==" "!="] (float_literal)) @match
